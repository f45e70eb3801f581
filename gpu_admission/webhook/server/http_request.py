"""HTTP/1.1 requests, parsed by llhttp (httptools); this server accepts less than llhttp does. No I/O.

llhttp itself refuses what two parsers could frame differently: both framing headers, repeated ones, folded lines, bare
line feeds, spaces before a colon, signs in numbers, invalid bytes in headers. Also refused here: any transfer coding
but ``chunked``, any version but 1.0 and 1.1, repetitions of the headers in `_ONCE`, a start line with other spaces than
HTTP's two, a missing Host, and everything over a limit.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from gpu_admission.webhook.review.types import JSON, RETRY, Response, error_body

if TYPE_CHECKING:
    from typing import Self

MAX_TARGET = 8190
MAX_HEAD = 16384
MAX_FIELDS = 100
_NUMBER = re.compile(rb"[0-9]{1,15}")
_ONCE = frozenset({b"host", b"content-length", b"content-type", b"transfer-encoding", b"content-encoding"})


class HttpError(Exception):
    """A request that gets no review: an HTTP status and a constant sentence, both safe to show and to log."""

    def __init__(self, status: int, sentence: str, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.answer = Response(status, error_body(status, sentence), headers)

    @classmethod
    def malformed(cls, sentence: str = "malformed HTTP request") -> Self:
        """Return a 400; the rest of that connection cannot be parsed reliably."""
        return cls(HTTPStatus.BAD_REQUEST, sentence)

    @classmethod
    def busy(cls, sentence: str) -> Self:
        """Return a 503 that the API server retries: without the integer Retry-After it does not retry a POST."""
        return cls(HTTPStatus.SERVICE_UNAVAILABLE, sentence, RETRY)


class RequestHead:
    """A start line and its headers (names in lower case); ``length`` is None when the body is chunked."""

    __slots__ = ("close", "encoding", "expects", "fields", "length", "media", "method", "query", "raw_path")

    def __init__(self, method: str, target: bytes, fields: list[tuple[bytes, bytes]], *, version: str = "1.1") -> None:
        self.method = method
        self.raw_path, _, self.query = target.partition(b"?")
        self.fields = fields
        once = {}
        self.close, self.expects = version == "1.0", False
        for name, value in fields:
            if name in _ONCE:
                if name in once:
                    raise HttpError.malformed("a header is given twice")
                once[name] = value
            elif name == b"connection":
                self.close = self.close or b"close" in value.lower()
            elif name == b"expect":
                self.expects = version != "1.0" and value.lower() == b"100-continue"
        if version != "1.0" and b"host" not in once:
            raise HttpError.malformed("no Host header")
        self.media = once.get(b"content-type", b"")
        self.encoding = once.get(b"content-encoding", b"")
        self.length = _length(once.get(b"content-length", b"0"), once.get(b"transfer-encoding"), version)

    @property
    def path(self) -> str:
        """The path, percent-decoded; bytes that are not UTF-8 become U+FFFD, which is in no valid path."""
        return unquote_to_bytes(self.raw_path).decode("utf-8", "replace")


def _length(length: bytes, coding: bytes | None, version: str) -> int | None:
    if coding is not None:
        if version == "1.0":
            raise HttpError.malformed("ambiguous framing")
        if coding.lower() != b"chunked":
            raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "unsupported transfer coding")
        return None
    if not _NUMBER.fullmatch(length):
        raise HttpError.malformed("malformed Content-Length")
    return int(length)


class RequestSink(Protocol):
    """Receives the events of a RequestParser, in this order, for each request."""

    def on_head(self, head: RequestHead) -> None:
        """Take the head of a request. May raise HttpError, as the other two."""

    def on_body(self, data: bytes) -> None:
        """Take a part of its body."""

    def on_complete(self) -> None:
        """Note that the request is complete."""


class RequestParser:
    """Parses the requests of one connection, in parts of any size.

    ``begun`` is whether a request has begun that is not complete, ``in_head`` whether its head is not complete.
    """

    __slots__ = ("_blank", "_completed", "_fields", "_parser", "_raw", "_sink", "_size", "_spare", "_target",
                 "begun", "in_head")  # fmt: skip

    def __init__(self, sink: RequestSink) -> None:
        self._sink = sink
        self._parser = HttpRequestParser(self)
        self._raw = b""  # all bytes since the start of an incomplete head
        self._spare = 0  # bytes in it from before that
        self._blank = self._size = 0
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._completed = self.begun = False
        self.in_head = True

    def feed(self, data: bytes) -> bool:
        """Parse bytes; True when what follows is not HTTP/1.1 (the client requested an upgrade). Raises HttpError."""
        if not self.begun:
            data = self._without_blank_line(data)
        self._raw = self._raw + data if self.begun and self.in_head else data
        self._completed = False
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            return True
        except HttpParserError as error:
            raise error.__context__ or HttpError.malformed() from None  # the context is of one of the methods below
        self._bound_head()
        return False

    def close(self) -> None:
        """Break the cycle of references."""
        del self._parser, self._sink

    def _without_blank_line(self, data: bytes) -> bytes:
        rest = data.lstrip(b"\r\n")
        self._blank += len(data) - len(rest)
        if self._blank > 2:
            raise HttpError.malformed()
        return rest

    def _bound_head(self) -> None:
        if not (self.begun and self.in_head):
            self._raw, self._spare = b"", 0
        elif self._completed:
            self._raw = self._raw[-MAX_HEAD:]
            self._spare = len(self._raw)
        if len(self._raw) - self._spare > MAX_HEAD:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request headers are too large")

    # Called by httptools.

    def on_message_begin(self) -> None:
        self.begun = self.in_head = True
        self._blank = self._size = 0
        self._target, self._fields = b"", []

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > MAX_TARGET:
            raise HttpError(HTTPStatus.REQUEST_URI_TOO_LONG, "the request target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value) + 4
        self._fields.append((name.lower(), value.strip(b" \t")))
        if len(self._fields) > MAX_FIELDS or self._size > MAX_HEAD:  # trailers among them
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")

    def on_headers_complete(self) -> None:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        line = b"%b %b HTTP/%b\r\n" % (method, self._target, version.encode())
        if version not in {"1.0", "1.1"} or not (self._raw.startswith(line) or line in self._raw):
            raise HttpError.malformed()
        self.in_head = False
        self._sink.on_head(RequestHead(method.decode("ascii"), self._target, self._fields[:], version=version))

    def on_body(self, data: bytes) -> None:
        self._sink.on_body(data)

    def on_message_complete(self) -> None:
        self.begun, self.in_head, self._completed = False, True, True
        self._sink.on_complete()


_STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\nserver: gpu-admission\r\n".encode() for each in HTTPStatus
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def render(answer: Response, date: bytes, *, close: bool, bodiless: bool = False) -> bytes:
    """Return the bytes of a response; ``bodiless`` for HEAD. ``date`` is a whole header line."""
    lines = b"".join([b"%b: %b\r\n" % field for field in answer.headers])
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    head = b"%b%bcontent-length: %d\r\n%b%b" % (_STATUS_LINES[answer.status], date, len(answer.body), lines, end)
    return head if bodiless else head + answer.body
