"""The text of a file, decoded, with lines and columns counted as in editors and code hosts."""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Far above any manifest (etcd rejects objects above 1.5 MB), and still read in a few seconds.
MAX_BYTES: Final = 64 * 1024 * 1024
_BOM: Final = "\ufeff"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class ReadError(Exception):
    """The reason why a file or a document cannot be read: one line of text, with the position if there is one.

    `line` and `column` start at 1; columns count code points. Both are None for the whole file.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message if self.line is None else f"{self.line}:{self.column}: {self.message}"

    def __repr__(self) -> str:
        return f"ReadError({self.message!r}, {self.line}, {self.column})"


class Text:
    """The text of a file, without its byte order mark. Raises ReadError for what is not text.

    Lines end with LF or CRLF only. (YAML 1.1 also breaks lines at U+0085, U+2028 and U+2029, and libyaml's marks count
    those; no editor, code host or SARIF viewer does.)
    """

    __slots__ = ("_line_starts", "data", "text")

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise ReadError(f"larger than {MAX_BYTES // 2**20} MiB")
        if data.startswith(_UTF16):
            raise ReadError("is UTF-16, not UTF-8: save it as UTF-8", 1, 1)
        self._line_starts: list[int] | None = None
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise self._at_byte("not UTF-8", data, error.start) from None
        self.text = text.lstrip(_BOM)
        self.data = data[len(_BOM.encode()) * (len(text) - len(self.text)) :]

    def place(self, index: int) -> tuple[int, int]:
        """Return line and column, from 1, of a code point counted from 0."""
        starts = self._starts()
        line = bisect_right(starts, index)
        return line, index - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return a line, counted from 1, without its line break; empty where there is none."""
        starts = self._starts()
        if not 0 < number <= len(starts):
            return ""
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].removesuffix("\r")

    def line_start(self, index: int) -> int:
        """Return the start of a code point's line."""
        return self.text.rfind("\n", 0, index) + 1

    def error(self, message: str, index: int) -> ReadError:
        """Return a ReadError at a code point."""
        return ReadError(message, *self.place(index))

    def _starts(self) -> list[int]:
        if self._line_starts is None:
            starts, at = [0], self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._line_starts = starts
        return self._line_starts

    @staticmethod
    def _at_byte(message: str, data: bytes, offset: int) -> ReadError:
        before = data[:offset].decode().lstrip(_BOM)
        line_start = before.rfind("\n") + 1
        return ReadError(message, before.count("\n") + 1, len(before) - line_start + 1)
