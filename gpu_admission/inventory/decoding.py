"""Values that other programs wrote: decoded, or refused with the reason.

An annotation may hold anything: a megabyte, a negative number, JSON of any shape. Everything here takes linear time.
"""

from __future__ import annotations

import json

from gpu_admission.core import quantity
from gpu_admission.core.raw import format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LONGEST = 256 * 1024  # k8s.io/apimachinery pkg/api/validation: TotalAnnotationSizeLimitB, of all annotations together
INT32 = 2**31 - 1
MOST_MEMORY = 2**50  # bytes, more than a thousand times any card's
_MOST_DIGITS = 10


class UnreadableError(ValueError):
    """A value is not in the format of the backend's own components; the message is the reason."""


def text(values: Mapping[str, Any], key: str) -> str | None:
    """Return an annotation, None where it is not set. Raises UnreadableError above Kubernetes' limit of length."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UnreadableError(f"{key} is not a text")
    if len(value) > LONGEST:
        raise UnreadableError(f"{key} has {len(value)} characters, more than Kubernetes allows")
    return value


def number(value: str, what: str, most: int = INT32) -> int:
    """Read a number from 0 to ``most`` from a text. Raises UnreadableError."""
    if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS and int(value) <= most:
        return int(value)
    raise UnreadableError(f"{what} is {format_value(value)}, not a number from 0 to {most}")


def whole(value: object, what: str, most: int = INT32) -> int:
    """Return a JSON number from 0 to ``most``. Raises UnreadableError."""
    if type(value) is int and 0 <= value <= most:
        return value
    raise UnreadableError(f"{what} is {format_value(value)}, not a number from 0 to {most}")


def named(value: object, what: str) -> str:
    """Return a name: 1 to 253 printable characters. Raises UnreadableError."""
    if isinstance(value, str) and 0 < len(value) <= 253 and value.isprintable():
        return value
    raise UnreadableError(f"{what} is {format_value(value)}, not a name")


def decoded(value: str, what: str) -> Any:
    """Decode JSON. Raises UnreadableError, also where it is nested too deeply."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise UnreadableError(f"{what} is not JSON: {format_value(value)}") from None


def amount(value: object, what: str, most: int = MOST_MEMORY) -> int:
    """Return a Kubernetes quantity, rounded up, from 0 to ``most``. Raises UnreadableError."""
    try:
        found = quantity.parse(value)
    except quantity.QuantityError:
        raise UnreadableError(f"{what} is {format_value(value)}, not a quantity") from None
    if found.is_negative or found > quantity.parse(most):
        raise UnreadableError(f"{what} is {format_value(value)}, not a quantity from 0 to {most}")
    return found.ceil()


def amount_or_zero(value: object) -> int:
    """Return a quantity of a container or a node; zero for one that Kubernetes would not accept."""
    try:
        return amount(value, "")
    except UnreadableError:
        return 0
