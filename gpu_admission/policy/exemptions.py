"""The matcher of names and patterns of names in ``spec.exempt`` and ``spec.match`` of a policy.

The webhook, the linter and ``mutate`` compare names here, and ``registration/globs.py`` translates the same pieces to
RE2 for the matchConditions. A pattern is a shell pattern as Python's ``fnmatch`` defines it: ``*`` for any text, ``?``
for one character, ``[a-z]`` and ``[!a-z]`` for one of a set; case matters, and a pattern also stands for itself.

It is fast with 50,000 patterns too: exact names are looked up, patterns by their literal head and tail, and the
remaining ones are compared without compiling, in time linear in the name.
"""

from __future__ import annotations

import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Ranges = tuple[tuple[int, int], ...]  # code points of one character, first and last included
    Piece = str | Ranges
    Segment = tuple[Piece, ...]  # the part between two asterisks

LAST = sys.maxunicode
ANY: Ranges = ((0, LAST),)
_SPECIAL = frozenset("*?[")
_TOKEN = r"(?P<stars>\*+)|(?P<one>\?)|(?P<set>\[!?+\]?+[^\]]*\])|(?P<plain>[^*?[]+|\[)"


def is_pattern(text: str) -> bool:
    """Return whether a text can match anything but itself."""
    return not _SPECIAL.isdisjoint(text)


def segments(pattern: str) -> list[Segment]:
    """Return the segments of a pattern between its asterisks, one more than it has runs of asterisks."""
    found: list[list[Piece]] = [[]]
    for token in re.finditer(_TOKEN, pattern, re.DOTALL):
        kind, text = token.lastgroup, token[0]
        if kind == "stars":
            found.append([])
        elif kind == "one":
            found[-1].append(ANY)
        elif kind == "set":
            found[-1].append(_set(text))
        elif found[-1] and isinstance(found[-1][-1], str):
            found[-1][-1] += text
        else:
            found[-1].append(text)
    return [tuple(each) for each in found]


def _set(brackets: str) -> Ranges:
    """Return the characters that a pair of brackets matches, as disjoint ranges in order."""
    inside = brackets[1:-1]
    negated = inside.startswith("!")
    inside = inside[negated:]
    named: list[tuple[int, int]] = []
    at = 0
    while at < len(inside):
        is_range = inside[at + 1 : at + 2] == "-" and at + 2 < len(inside)
        named.append((ord(inside[at]), ord(inside[at + 2 if is_range else at])))
        at += 3 if is_range else 1
    joined: list[tuple[int, int]] = []
    for first, last in sorted(pair for pair in named if pair[0] <= pair[1]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return _others(joined) if negated else tuple(joined)


def _others(ranges: list[tuple[int, int]]) -> Ranges:
    """Return the characters that are in none of these ranges."""
    edges = [-1, *(edge for pair in ranges for edge in pair), LAST + 1]
    gaps = [(edges[at] + 1, edges[at + 1] - 1) for at in range(0, len(edges), 2)]
    return tuple((first, last) for first, last in gaps if first <= last)


class NamePatterns:
    """A list of names and patterns; an empty name matches none, not even ``*``."""

    __slots__ = ("_by_ends", "_exact", "patterns")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns: tuple[str, ...] = tuple(dict.fromkeys(pattern for pattern in patterns if pattern))
        self._exact = frozenset(self.patterns)
        # Patterns to compare piece by piece, by the lengths of their literal heads and tails, then by the two.
        self._by_ends: dict[tuple[int, int], dict[tuple[str, str], list[list[Segment]]]] = {}
        for pattern in self.patterns:
            if is_pattern(pattern):
                parts = segments(pattern)
                ends = _head(parts), _tail(parts)
                bucket = self._by_ends.setdefault((len(ends[0]), len(ends[1])), {})
                bucket.setdefault(ends, []).append(parts)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def match(self, name: str | None) -> bool:
        """Return whether any of them is this name, or matches it whole."""
        if not name:
            return False
        if name in self._exact:
            return True
        for (head, tail), bucket in self._by_ends.items():
            found = bucket.get((name[:head], name[len(name) - tail :] if tail <= len(name) else ""))
            if found is not None and any(_match(parts, name) for parts in found):
                return True
        return False


def _head(parts: list[Segment]) -> str:
    first = parts[0][0] if parts[0] else ""
    return first if isinstance(first, str) else ""


def _tail(parts: list[Segment]) -> str:
    last = parts[-1][-1] if parts[-1] else ""
    return last if isinstance(last, str) else ""


def _match(parts: list[Segment], name: str) -> bool:
    """Return whether a whole name is these segments with any text between them; the leftmost match of each suffices."""
    if len(parts) == 1:
        return _length(parts[0]) == len(name) and _stands(parts[0], name, 0)
    at, end = _length(parts[0]), len(name) - _length(parts[-1])
    if at > end or not (_stands(parts[0], name, 0) and _stands(parts[-1], name, end)):
        return False
    for segment in parts[1:-1]:
        found = _find(segment, name, at, end)
        if found < 0:
            return False
        at = found + _length(segment)
    return True


def _length(segment: Segment) -> int:
    return sum(len(piece) if isinstance(piece, str) else 1 for piece in segment)


def _stands(segment: Segment, name: str, at: int) -> bool:
    """Return whether a segment matches at a place of a name that is long enough."""
    for piece in segment:
        if isinstance(piece, str):
            if not name.startswith(piece, at):
                return False
            at += len(piece)
        else:
            code = ord(name[at])
            if not any(first <= code <= last for first, last in piece):
                return False
            at += 1
    return True


def _find(segment: Segment, name: str, start: int, end: int) -> int:
    """Return the first match of a segment between two places of a name, -1 where there is none."""
    if len(segment) == 1 and isinstance(segment[0], str):
        return name.find(segment[0], start, end)
    places = range(start, end - _length(segment) + 1)
    return next((at for at in places if _stands(segment, name, at)), -1)


class Exemptions:
    """The exemptions of a policy: all objects in these namespaces, and all requests of these users."""

    __slots__ = ("namespaces", "users")

    def __init__(self, spec: Mapping[str, Any] | None = None) -> None:
        spec = spec or {}
        self.namespaces = NamePatterns(spec.get("namespaces") or ())
        self.users = NamePatterns(spec.get("users") or ())

    def covers(self, namespace: str | None, user: str | None = None) -> bool:
        """Return whether a request, or an object of a file (without a user), is exempt."""
        return self.namespaces.match(namespace) or self.users.match(user)
