"""The changes of an edit as a patch."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONTEXT: Final = 3
_QUOTED = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_SHORT: Final = {b"\n": b"\\n", b"\t": b"\\t", b'"': b'\\"', b"\\": b"\\\\"}


def unified_diff(old: bytes, new: bytes, path: str) -> bytes:
    """Return a patch for `git apply` and `patch -p1`; empty where nothing changes.

    Lines end with LF only, so that any bytes are restored exactly.
    """
    if old == new:
        return b""
    from difflib import diff_bytes  # noqa: PLC0415 - start-up time: needed only for --diff
    from difflib import unified_diff as lines_of_diff  # noqa: PLC0415

    path = path.lstrip("/")
    before, after = _quoted(b"a/" + os.fsencode(path)), _quoted(b"b/" + os.fsencode(path))
    lines = diff_bytes(lines_of_diff, _lines(old), _lines(new), n=_CONTEXT)
    header = b"diff --git %s %s\n--- %s\n+++ %s\n" % (before, after, _name(before), _name(after))
    next(lines)
    next(lines)
    return header + b"".join(_ended(line) for line in lines)


def _lines(data: bytes) -> list[bytes]:
    """Return lines with their ends; bytes.splitlines would also split at a lone carriage return."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _quoted(path: bytes) -> bytes:
    """Return a path as git writes it: in quotes, with octal escapes, where it contains special characters."""
    if not _QUOTED.search(path):
        return path
    return b'"' + _QUOTED.sub(lambda match: _SHORT.get(match[0]) or b"\\%03o" % match[0][0], path) + b'"'


def _name(path: bytes) -> bytes:
    """Return the path for the lines with --- and +++, where git writes a tab after one that contains a space."""
    return path + b"\t" if b" " in path else path
