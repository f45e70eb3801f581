"""Access to raw objects of any shape.

Input is untrusted: where a list is expected there may be a number. These helpers return an empty value instead of
raising, so that a rule reads like the shape it expects.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from typing import Any

_EMPTY: dict[str, Any] = {}

# $GPUS ${GPUS:-1} $(params.gpus) | {{ .Values.gpus }} {% … %} | #{GPUS}# | ((gpus)) | [[ gpus ]] | <number>
# | {gpus} %GPUS% @GPUS@ __GPUS__ | GPU_COUNT | ?* *
_PLACEHOLDER = (
    r"\$[A-Za-z_{(]|\{[{%]|#\{[A-Za-z_][^{}]*\}|\(\([^()]+\)\)|\[\[[^\[\]]+\]\]|<[^<>]+>"
    r"|^(\{[A-Za-z_][^{}]*\}|%[^%]+%|@[^@]+@|__.+__|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|\?\*|\*)$"
)
_MARKS = frozenset("${#([<%@_*")  # every placeholder has one of them: saves compiling the pattern


def as_dict(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one (read-only)."""
    return value if isinstance(value, dict) else _EMPTY


def as_str(value: object) -> str:
    """Return the value if it is a string, else the empty string."""
    return value if isinstance(value, str) else ""


def is_one_of(value: object, names: Container[str]) -> bool:
    """Return whether a raw value is one of some names; a list or a mapping, which is not hashable, is not."""
    return isinstance(value, str) and value in names


def iter_dicts(value: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the mappings of a list with their index; nothing where the value is not a list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def is_placeholder(value: object) -> bool:
    """Return whether a value is a placeholder to be filled in later: ``$GPUS``, ``{{ gpus }}``, ``<number>``.

    Files hold such values (templates of envsubst, Helm, OpenShift, Argo; documentation; patterns such as
    ``?*``), and rules cannot judge them. Objects at admission are judged as they are: nothing is filled in later.
    Without quotes ``{gpus}`` is a mapping to YAML, and ``[[ gpus ]]`` a list in a list.
    """
    if isinstance(value, str):
        return len(value) < 4096 and not _MARKS.isdisjoint(value) and re.search(_PLACEHOLDER, value) is not None
    if isinstance(value, dict):
        return len(value) == 1 and all(isinstance(key, str) and item is None for key, item in value.items())
    inner = value[0] if isinstance(value, list) and len(value) == 1 else None
    return isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], str)


def format_value(value: object, limit: int = 60) -> str:
    """Return a value for a message: like JSON, on one line, truncated, without control characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a number of very many digits"  # Python refuses to print those of over 4,300
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    content = f'"{value}"' if isinstance(value, str) else str(value)
    if len(content) > limit:
        content = f"{content[: limit - 1]}…"
    return escape(content)


def escape(content: str) -> str:
    """Return a string with control characters and the like escaped, for terminals and logs."""
    if content.isprintable():
        return content
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in content)
