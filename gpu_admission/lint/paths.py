"""Errors of usage, and file names that are safe to print."""

from __future__ import annotations

import os


class UsageError(Exception):
    """The command line, or a file that it names, is wrong; the message is one line."""


def printed(path: str) -> str:
    """Return a file name as valid text: bytes that are not UTF-8 become escapes."""
    if path.isascii():
        return path
    return os.fsencode(path).decode("utf-8", "backslashreplace")
