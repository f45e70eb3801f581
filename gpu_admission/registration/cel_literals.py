"""CEL literals, and combinations of conditions."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # including all line breaks


def text(value: str) -> str:
    """Return a CEL string literal."""
    escaped = _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08X}", value.translate(_ESCAPES))
    return f"'{escaped}'"


def pattern(expression: str) -> str:
    """Return a regular expression as a CEL string, raw if possible, for its many backslashes."""
    plain = "'" not in expression and not _UNPRINTABLE.search(expression)
    return f"r'{expression}'" if plain else text(expression)


def texts(values: Iterable[str]) -> str:
    """Return a CEL list of string literals, in which ``in`` takes constant time."""
    return f"[{', '.join(text(value) for value in values)}]"


def any_of(expressions: Iterable[str]) -> str:
    """Return the disjunction, with a line for each condition."""
    return " ||\n".join(expressions)


def group(expressions: Iterable[str]) -> str:
    """Return the disjunction, in parentheses if there is more than one condition."""
    found = list(expressions)
    return found[0] if len(found) == 1 else f"({' || '.join(found)})"


def indent(expression: str) -> str:
    """Return an expression indented by two columns."""
    return "\n".join(f"  {line}" for line in expression.splitlines())
