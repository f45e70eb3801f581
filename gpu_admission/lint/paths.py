"""What people typed wrong, and names that are safe to print."""

from __future__ import annotations

import os


class UsageError(Exception):
    """The command line, or a file that it relies on, is wrong: one line that says what to write instead."""


def printed(path: str) -> str:
    """Return a file name as text that every output can hold: bytes that are no UTF-8 become escapes."""
    if path.isascii():
        return path
    return os.fsencode(path).decode("utf-8", "backslashreplace")
