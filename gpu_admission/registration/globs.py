"""Patterns of names in RE2, the syntax of CEL's ``matches``: the same pieces that the policy compares."""

from __future__ import annotations

from gpu_admission.policy.exemptions import ANY, is_pattern, segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.policy.exemptions import Piece, Ranges

__all__ = ["expression", "is_pattern"]

_HARMLESS = frozenset(":/@_-")  # outside of brackets; common in names of users


def expression(patterns: Iterable[str]) -> str:
    """Return an expression (RE2) for whole strings that one of these patterns matches."""
    return f"^(?s:{'|'.join(map(_one, patterns))})$"


def _one(pattern: str) -> str:
    return ".*".join("".join(map(_written, segment)) for segment in segments(pattern))


def _written(piece: Piece) -> str:
    if isinstance(piece, str):
        return "".join(char if char in _HARMLESS else _escaped(ord(char)) for char in piece)
    return _set(piece)


def _set(ranges: Ranges) -> str:
    """Return the character class that a pair of brackets matches."""
    if ranges == ANY:
        return "."
    if not ranges:
        return "[^\\x00-\\x{10FFFF}]"
    return f"[{''.join(_escaped(first) + f'-{_escaped(last)}' * (first < last) for first, last in ranges)}]"


def _escaped(code: int) -> str:
    char = chr(code)
    if char.isascii():
        return char if char.isalnum() else f"\\{char}" if char.isprintable() and char != " " else f"\\x{code:02x}"
    return f"\\x{{{code:X}}}"
