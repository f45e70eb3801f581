"""Patterns of gitignore(5): for ``.gitignore`` files, ``--exclude`` and ``per-file-ignores``."""

from __future__ import annotations

import re

from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\s", "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~", "blank": r" \t",
}  # fmt: skip


@record
class Pattern:
    """One line of a ``.gitignore``, for paths relative to its folder, with ``/`` between the parts."""

    expression: re.Pattern[str]
    negated: bool
    directories_only: bool


class Patterns:
    """The patterns of one file; of those that match, the last one decides."""

    __slots__ = ("patterns",)

    def __init__(self, lines: Iterable[str]) -> None:
        self.patterns = [pattern for pattern in map(compiled, lines) if pattern is not None]
        self.patterns.reverse()

    def verdict(self, path: str, *, is_directory: bool) -> bool | None:
        """Return whether a path is ignored (True), included again (False), or not matched (None)."""
        for pattern in self.patterns:
            if (is_directory or not pattern.directories_only) and pattern.expression.match(path):
                return not pattern.negated
        return None

    def covers(self, path: str) -> bool:
        """Return whether a file, or a directory that contains it, is ignored."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            if self.verdict("/".join(parts[:depth]), is_directory=True):
                return True
        return bool(self.verdict(path, is_directory=False))


def compiled(line: str) -> Pattern | None:
    """Return the pattern of one line, or None where there is none: a comment, an empty line, an unclosed bracket."""
    line = _without_trailing_spaces(line.rstrip("\r\n"))
    if line.startswith("#"):
        return None
    negated, directories_only = line.startswith("!"), line.endswith("/")
    line = line.removeprefix("!").rstrip("/")
    if not line:
        return None
    anchored = "/" in line
    body = _expression(line.removeprefix("/"))
    if body is None:
        return None
    try:
        expression = re.compile(("" if anchored else "(?:.*/)?") + body + r"\Z", re.DOTALL)
    except re.error:  # a reversed range: it matches nothing
        return None
    return Pattern(expression, negated=negated, directories_only=directories_only)


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and len(stripped) < len(line) else stripped


def _expression(glob: str) -> str | None:
    """Translate a glob; None where it cannot match anything."""
    value, at = [], 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            piece, at = _stars(glob, at)
        elif char == "[":
            piece, at = _bracket(glob, at)
        elif char == "\\":
            piece, at = re.escape(glob[at + 1 : at + 2]), at + 2
        else:
            piece, at = "[^/]" if char == "?" else re.escape(char), at + 1
        if not piece:
            return None
        value.append(piece)
    return "".join(value)


def _stars(glob: str, at: int) -> tuple[str, int]:
    """Translate a run of stars: ``**`` alone between slashes stands for any number of directories."""
    end = at
    while glob[end : end + 1] == "*":
        end += 1
    if end - at == 2 and glob[at - 1 : at] in {"", "/"}:
        if glob[end : end + 1] == "/":
            return "(?:.*/)?", end + 1
        if end == len(glob):
            return ".+", end
    return "[^/]*", end


def _bracket(glob: str, at: int) -> tuple[str, int]:
    """Translate a character class; the empty text where it has no end."""
    end = at + 1
    negated = glob[end : end + 1] in {"!", "^"}
    end += negated
    value: list[str] = []
    while end < len(glob) and (glob[end] != "]" or not value):
        char = glob[end]
        if char == "[" and glob.startswith("[:", end) and ":]" in glob[end:]:
            close = glob.index(":]", end)
            value.append(_POSIX.get(glob[end + 2 : close], ""))
            end = close + 2
            continue
        if char == "\\":
            end += 1
            char = glob[end : end + 1]
        value.append(char if char == "-" else re.escape(char))
        end += 1
    if end >= len(glob) or not "".join(value):
        return "", end
    return f"(?!/)[{'^' if negated else ''}{''.join(value)}]", end + 1
