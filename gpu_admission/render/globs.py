"""Shell patterns, as the policy's exemptions use them, in the words of RE2 (which CEL's ``matches`` reads).

The engine matches them with Python's ``fnmatch``, whose expressions RE2 does not take (atomic groups, the end of
a text) or reads otherwise (``[[:alpha:]]`` names a class there). What stands in brackets is therefore asked of
``fnmatch`` itself and written as plain ranges.
"""

from __future__ import annotations

import fnmatch
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPECIAL = frozenset("*?[")
_PIECE = re.compile(r"(?P<stars>\*+)|(?P<one>\?)|(?P<set>\[!?+\]?+[^\]]*\])|(?P<plain>.)", re.DOTALL)
_HARMLESS = frozenset(":/@_-")  # outside of brackets; most of what is in a user's name
_LAST = sys.maxunicode


def is_pattern(text: str) -> bool:
    """Tell whether a text can match anything but itself."""
    return not _SPECIAL.isdisjoint(text)


def expression(patterns: Iterable[str]) -> str:
    """Return an expression (RE2) for the whole texts that one of these patterns matches."""
    return f"^(?s:{'|'.join(map(_one, patterns))})$"


def _one(pattern: str) -> str:
    return "".join(_written(piece) for piece in _PIECE.finditer(pattern))


def _written(piece: re.Match[str]) -> str:
    kind, text = piece.lastgroup, piece[0]
    if kind == "stars":
        return ".*"
    if kind == "one":
        return "."
    if kind == "set":
        return _set(text)
    return text if text in _HARMLESS else _escaped(ord(text))


def _set(brackets: str) -> str:
    """Return the class of the characters that a pair of brackets matches."""
    ranges = list(_ranges(brackets))
    if ranges == [(0, _LAST)]:
        return "."
    if not ranges:
        return "[^\\x00-\\x{10FFFF}]"
    return f"[{''.join(_escaped(first) + f'-{_escaped(last)}' * (first < last) for first, last in ranges)}]"


def _ranges(brackets: str) -> Iterator[tuple[int, int]]:
    """Yield the characters that brackets match as ranges: what is matched changes only beside those they name."""
    matches = re.compile(fnmatch.translate(brackets)).match
    edges = sorted({0, *(edge for char in brackets for edge in (ord(char), ord(char) + 1))} - {_LAST + 1})
    start = None
    for edge in edges:
        if not matches(chr(edge)):
            if start is not None:
                yield start, edge - 1
            start = None
        elif start is None:
            start = edge
    if start is not None:
        yield start, _LAST


def _escaped(code: int) -> str:
    char = chr(code)
    if char.isascii():
        return char if char.isalnum() else f"\\{char}" if char.isprintable() and char != " " else f"\\x{code:02x}"
    return f"\\x{{{code:X}}}"
