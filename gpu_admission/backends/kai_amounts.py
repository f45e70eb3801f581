"""How KAI reads the amounts in its annotations, and the rejections of those that it cannot read."""

from __future__ import annotations

import re

from gpu_admission.core import quantity
from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_str, format_value

from .portable import LEAST_MEMORY, MOST_MEMORY, ceil_div
from .rejection import PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .rejection import Kind

_DIGITS = 36
_DECIMAL = re.compile(r"\+?(?=\.?[0-9])(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?:[eE](?P<power>[+-]?[0-9]{1,3}))?")


def number(value: object) -> int | None:
    """Return a number as KAI reads it from an annotation: plain decimal digits."""
    digits = value if isinstance(value, str) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def in_bytes(name: str, value: object) -> int:
    """Return an amount of memory; raises RejectedRequestError where it is not above zero."""
    amount = parsed(value)
    if not amount:
        raise unreadable(name, value, "an amount of memory above zero, such as 8Gi")
    return amount


def in_mib(value: object) -> int:
    """Return the number of MiB that was probably meant by ``8Gi``, or by 8192 without quotes."""
    plain = value if isinstance(value, int) else number(value)
    if plain is not None and LEAST_MEMORY <= plain * MIB <= MOST_MEMORY:
        return plain
    meant = parsed(value) or 0
    return ceil_div(meant, MIB) if LEAST_MEMORY <= meant <= MOST_MEMORY else 8192


def parsed(value: object) -> int | None:
    """Return an amount of bytes as Go's ParseQuantity reads it from an annotation; None where it is not above zero."""
    amount = quantity.decode(value) if isinstance(value, str) else None
    return None if amount is None or amount.is_negative else amount.ceil()


def part_of(name: str, value: object, of: int, what: str, *, up_to_all: bool = False, besides: str = "") -> int:
    """Return a fraction in units of 1/``of``, rounded up.

    Raises RejectedRequestError where it is not a decimal number above 0 and below 1 (or up to it), with an exponent or
    without: KAI takes what both Go's ParseFloat and Kubernetes' ParseQuantity read (``5e-1``).
    """
    match = _DECIMAL.fullmatch(as_str(value))
    if match is not None:
        digits, part, exponent = match["whole"] + (match["part"] or ""), match["part"] or "", int(match["power"] or 0)
        scale = len(part) - exponent
        if len(digits) <= _DIGITS and abs(scale) <= _DIGITS:
            amount, one = int(digits or 0) * 10 ** max(-scale, 0), 10 ** max(scale, 0)
            if 0 < amount < one or (up_to_all and amount == one):
                return ceil_div(amount * of, one)
    raise unreadable(name, value, f'a part of {what} in quotes, such as "0.5"', PERCENT, besides)


def too_low(name: str, limit: str, other: str, request: str, *, equal: bool = False) -> RejectedRequestError:
    """Return the rejection of a limit below the request; ``equal`` means that it must be above it."""
    allows = f"({limit}) allows no more" if equal else f"allows less ({limit})"
    return RejectedRequestError(
        UNTRANSLATABLE,
        f"and {name} {allows} than {other} requests ({request})",
        (f"write a larger {name}", ", or leave it out"),
        about=name,
    )


def unreadable(
    name: str, value: object, example: str, kind: Kind = UNTRANSLATABLE, besides: str = ""
) -> RejectedRequestError:
    """Return the rejection of an amount that KAI cannot read, with an example of one that it can."""
    return RejectedRequestError(
        kind, f"and {name}: {format_value(value)} is not {example}", f"write {name} as {example}{besides}", about=name
    )
