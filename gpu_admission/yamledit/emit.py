"""Values -> the text to put into a file: YAML blocks, YAML flow, JSON.

A string is quoted wherever Kubernetes, or another YAML reader, would not read it back as the same string.
"""

from __future__ import annotations

import re

from gpu_admission.manifests.scalars import reads_as_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .formatting_style import FormattingStyle

# Strings that need no quotes in any context: flow or block, key or value.
_SAFE = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@+=%$~^*()-]|:(?=[A-Za-z0-9_./-])| (?=[A-Za-z0-9_./]))*")
# Dates, times and base-60 numbers: strings to Kubernetes, not to other YAML 1.1 readers.
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9][-+0-9_.:eEtTzZ ]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]')
_SINGLE_QUOTABLE = re.compile(r"[ -~\xa0-\u2027\u202a-\ud7ff]*")


def scalar(value: Any, quotes: str = "", needed: str = '"') -> str:
    """Return a scalar (or an empty collection) as YAML, a string in these quotes if they can represent it.

    Where no quotes are given, a string that needs some gets ``needed``.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return {"{}": "{}", "[]": "[]"}.get(repr(value)) or number(value)
    if quotes == "" and is_plain(value):
        return value
    if (quotes or needed) == "'" and _SINGLE_QUOTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    return double_quoted(value)


def is_plain(text: str) -> bool:
    """Return whether a string needs no quotes."""
    return bool(_SAFE.fullmatch(text)) and reads_as_string(text) and not _NUMBER_LIKE.fullmatch(text)


def number(value: float) -> str:
    """Return a number in a form for both JSON and YAML 1.1."""
    return repr(value)


def double_quoted(text: str) -> str:
    """Return a string in double quotes, in a form for both JSON and YAML."""
    return '"' + _ESCAPED.sub(lambda match: _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", text) + '"'


def flow(value: Any, style: FormattingStyle) -> str:
    """Return a value on one line: YAML flow, or JSON."""
    quotes = style.quotes
    if isinstance(value, dict):
        pairs = [f"{scalar(key, quotes, style.needed)}:{style.space}{flow(item, style)}" for key, item in value.items()]
        return "{" + f",{style.space}".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + f",{style.space}".join(flow(item, style) for item in value) + "]"
    return scalar(value, quotes, style.needed)


def spread(value: Any, style: FormattingStyle, indent: str) -> str:
    """Return a value as JSON over several lines; lines after the first begin with at least `indent`."""
    if not isinstance(value, dict | list) or not value:
        return flow(value, style)
    inner = indent + style.unit
    if isinstance(value, dict):
        items = [f"{double_quoted(key)}:{style.space}{spread(item, style, inner)}" for key, item in value.items()]
        brackets = "{}"
    else:
        items = [spread(item, style, inner) for item in value]
        brackets = "[]"
    lines = f",{style.newline}".join(inner + item for item in items)
    return f"{brackets[0]}{style.newline}{lines}{style.newline}{indent}{brackets[1]}"


def block(value: Any, style: FormattingStyle) -> list[str]:
    """Return a collection that is not empty as the lines of a YAML block whose first column is 0."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in pair(key, item, style)]
    return [line for item in value for line in list_item(item, style)]


def pair(key: str, value: Any, style: FormattingStyle) -> list[str]:
    """Return a pair as the lines of a block."""
    head = f"{scalar(key, needed=style.needed)}:"
    if not isinstance(value, dict | list) or not value:
        return [f"{head} {scalar(value, needed=style.needed)}"]
    indent = style.unit if isinstance(value, dict) else style.list_indent
    return [head, *(indent + line for line in block(value, style))]


def list_item(value: Any, style: FormattingStyle) -> list[str]:
    """Return a list item as the lines of a block."""
    if not isinstance(value, dict | list) or not value:
        return [f"- {scalar(value, needed=style.needed)}"]
    first, *others = block(value, style)
    return [f"- {first}", *(f"  {line}" for line in others)]
