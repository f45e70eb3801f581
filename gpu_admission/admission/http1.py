"""HTTP/1.1 as this server speaks it: strict in what it takes (RFC 9112), small in what it sends. No I/O.

Whatever two readers could frame differently is refused: both or doubled framing headers, folded lines, bare
line feeds, spaces before the colon, signs in numbers. gunicorn's own parser reads a head byte by byte in
Python; this one is two regular expressions and costs a third (bench/webhook.py).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from gpu_admission.admission.seam import JSON, RETRY, Answer, error_body

MAX_LINE = 8190
MAX_HEAD = 16384
MAX_FIELDS = 100
END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\r]*)\r\n")
_HEAD = re.compile(
    rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
    rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)  # fmt: skip
_NUMBER = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_ONCE = frozenset({b"host", b"content-length", b"content-type", b"transfer-encoding", b"content-encoding"})


class Refusal(Exception):
    """A request that gets no review: an HTTP status and a constant sentence, both safe to show and to log."""

    def __init__(self, status: int, sentence: str, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers

    @property
    def answer(self) -> Answer:
        """One line of JSON."""
        return Answer(self.status, error_body(self.status, self.sentence), self.headers)


def busy(sentence: str) -> Refusal:
    """Make a 503 that the API server retries: without the integer Retry-After it does not retry a POST."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, RETRY)


def malformed(sentence: str) -> Refusal:
    """Make a 400; what follows on that connection cannot be trusted."""
    return Refusal(HTTPStatus.BAD_REQUEST, sentence)


class Head:
    """A request line and its headers; ``length`` is 0 without a body and None when it comes in chunks."""

    __slots__ = ("close", "encoding", "expects", "fields", "length", "media", "method", "query", "raw_path")

    def __init__(self, method: str, target: bytes) -> None:
        self.method = method
        self.raw_path, _, self.query = target.partition(b"?")
        self.fields: list[tuple[bytes, bytes]] = []
        self.length: int | None = 0
        self.media = self.encoding = b""
        self.close = self.expects = False

    @property
    def path(self) -> str:
        """The path, percent-decoded; bytes that are no UTF-8 become U+FFFD and lead nowhere."""
        return unquote_to_bytes(self.raw_path).decode("utf-8", "replace")


def parse_head(block: bytes) -> Head:
    """Read a request up to and including its empty line; raises Refusal (400, 414, 431, 501)."""
    found = _HEAD.fullmatch(block)
    if found is None:
        if block.find(b"\r\n") > MAX_LINE:
            raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "the request target is too long")
        raise malformed("malformed HTTP request")
    method, target, minor, lines = found.groups()
    if len(target) > MAX_LINE:
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "the request target is too long")
    head = Head(method.decode("ascii"), target)
    once = _take_fields(head, lines)
    _frame(head, once, minor == b"1")
    return head


def _take_fields(head: Head, lines: bytes) -> dict[bytes, bytes]:
    once: dict[bytes, bytes] = {}
    fields = head.fields
    for given, value in _FIELD.findall(lines):
        name = given.lower()
        fields.append((name, value))
        if name in _ONCE:
            if name in once:
                raise malformed("a header is given twice")
            once[name] = value.rstrip(b" \t")
        elif name == b"connection":
            head.close = head.close or b"close" in value.lower()
        elif name == b"expect":
            head.expects = value.strip(b" \t").lower() == b"100-continue"
    if len(fields) > MAX_FIELDS:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
    return once


def _frame(head: Head, once: dict[bytes, bytes], modern: bool) -> None:
    head.media = once.get(b"content-type", b"")
    head.encoding = once.get(b"content-encoding", b"")
    length = once.get(b"content-length")
    coding = once.get(b"transfer-encoding")
    if coding is not None:
        if length is not None or not modern:
            raise malformed("ambiguous framing")
        if coding.lower() != b"chunked":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "unsupported transfer coding")
        head.length = None
    elif length is not None:
        if not _NUMBER.fullmatch(length):
            raise malformed("malformed Content-Length")
        head.length = int(length)
    if modern and b"host" not in once:
        raise malformed("no Host header")
    if not modern:
        head.close, head.expects = True, False


class Chunks:
    """Decodes a chunked body as it arrives; trailers are read and ignored."""

    __slots__ = ("_buffer", "_left", "_trailer", "done")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0  # of the current chunk, with its closing CRLF
        self._trailer = 0
        self.done = False

    @property
    def rest(self) -> bytes:
        """What came after the body."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> bytes:
        """Take bytes, give the body's bytes among them; raises Refusal (400)."""
        self._buffer += data
        out = bytearray()
        while not self.done and self._step(out):
            pass
        return bytes(out)

    def _step(self, out: bytearray) -> bool:
        buffer = self._buffer
        if self._trailer:
            return self._end()
        if self._left > 2:
            taken = min(self._left - 2, len(buffer))
            out += buffer[:taken]
            del buffer[:taken]
            self._left -= taken
            return taken > 0
        if self._left:
            if len(buffer) < 2:
                return False
            if buffer[:2] != b"\r\n":
                raise malformed("malformed chunk")
            del buffer[:2]
            self._left = 0
        return self._begin()

    def _begin(self) -> bool:
        found = _CHUNK.match(self._buffer)
        if found is None:
            # A complete line that does not match never will; an endless one is hostile.
            if b"\n" in self._buffer or len(self._buffer) > 256:
                raise malformed("malformed chunk")
            return False
        size = int(found[1], 16)
        del self._buffer[: found.end()]
        if size:
            self._left = size + 2
        else:
            self._trailer = 1
        return True

    def _end(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE or self._trailer > MAX_FIELDS:
                raise malformed("malformed trailer")
            return False
        del self._buffer[: end + 2]
        self._trailer += 1
        if self._trailer > MAX_FIELDS:
            raise malformed("malformed trailer")
        self.done = end == 0
        return True


_STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\nserver: gpu-admission\r\n".encode() for each in HTTPStatus
}


def render(answer: Answer, date: bytes, *, close: bool, bodiless: bool = False) -> bytes:
    """Put an answer on the wire; ``bodiless`` for HEAD. ``date`` is a whole header line."""
    lines = b"".join([b"%b: %b\r\n" % field for field in answer.headers])
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    return b"%b%bcontent-length: %d\r\n%b%b%b" % (
        _STATUS_LINES[answer.status],
        date,
        len(answer.body),
        lines,
        end,
        b"" if bodiless else answer.body,
    )
