"""Words that people type: the nearest valid one, and names that are safe to print."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class UsageError(Exception):
    """The command line, or a file that it relies on, is wrong: one line that says what to write instead."""


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a clause that names the nearest of the valid words, or all where they are few and none is near."""
    from gpu_admission.core.nearest import meant  # noqa: PLC0415 - only somebody's slip needs it

    known = list(words)
    close = meant(word, known)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; valid are: {', '.join(known)}" if 0 < len(known) <= 16 else ""


def printed(path: str) -> str:
    """Return a file name as text that every output can hold: bytes that are no UTF-8 become escapes."""
    if path.isascii():
        return path
    return os.fsencode(path).decode("utf-8", "backslashreplace")
