"""Looking into raw objects of any shape.

An object that reaches us was written by anybody: where a list should stand there may be a number. These
helpers answer with an empty value instead of failing, so that a rule reads like the shape it expects.
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
_MARKS = frozenset("${#([<%@_*")  # of which none of these can do without one: the pattern is compiled when one is met


def as_dict(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one (never to be written to)."""
    return value if isinstance(value, dict) else _EMPTY


def as_str(value: object) -> str:
    """Return the value if it is a text, else the empty one."""
    return value if isinstance(value, str) else ""


def is_one_of(value: object, names: Container[str]) -> bool:
    """Tell whether a raw value is one of some names; a list or a mapping is none, and would break a set's own test."""
    return isinstance(value, str) and value in names


def iter_dicts(value: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the mappings of a list with their index; nothing for anything but a list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def is_placeholder(value: object) -> bool:
    """Tell whether a value stands for one that somebody has yet to fill in: ``$GPUS``, ``{{ gpus }}``, ``<number>``.

    Files hold such values (templates of envsubst, Helm, OpenShift, Argo; documentation; patterns such as
    ``?*``), and nothing can be said about them. What reaches admission is judged as it stands: nobody will
    fill it in any more. Without quotes ``{gpus}`` is a mapping to YAML, and ``[[ gpus ]]`` a list in a list.
    """
    if isinstance(value, str):
        return len(value) < 4096 and not _MARKS.isdisjoint(value) and re.search(_PLACEHOLDER, value) is not None
    if isinstance(value, dict):
        return len(value) == 1 and all(isinstance(key, str) and item is None for key, item in value.items())
    inner = value[0] if isinstance(value, list) and len(value) == 1 else None
    return isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], str)


def format_value(value: object, limit: int = 60) -> str:
    """Return a value as a message shows it: like JSON, on one line, cut when long, without control characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a number of very many digits"  # and Python refuses to print those of over 4,300
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    content = f'"{value}"' if isinstance(value, str) else str(value)
    if len(content) > limit:
        content = f"{content[: limit - 1]}…"
    return escape(content)


def escape(content: str) -> str:
    """Return a text with everything escaped that a terminal or a log would obey instead of showing."""
    if content.isprintable():
        return content
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in content)
