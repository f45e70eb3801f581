"""One client connection: a non-blocking socket, TLS or plain, and where in its request it stands.

It reads and writes the socket itself instead of going through asyncio's TLS transport, which copies every byte
through two memory buffers in Python and costs more than all the rest of a review (bench/webhook.py).
"""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from gpu_admission.admission.http1 import (
    CONTINUE,
    END,
    MAX_HEAD,
    Chunks,
    Refusal,
    busy,
    malformed,
    parse_head,
    render,
)

if TYPE_CHECKING:
    from gpu_admission.admission.http1 import Head
    from gpu_admission.admission.hub import Hub
    from gpu_admission.admission.seam import Answer

READ = 65536
FOREVER = float("inf")
NOT_YET = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)

HANDSHAKE, IDLE, HEAD, BODY, ANSWERING, FLUSHING, LINGERING, CLOSED = range(8)


class Connection:
    """Takes bytes, frames requests, hands them to the application, sends its answers.

    States: HANDSHAKE, IDLE (between requests), HEAD, BODY, ANSWERING, FLUSHING (the client does not read),
    LINGERING (all is said; wait for the client's end so that our answer is not lost to a reset), CLOSED.
    """

    __slots__ = (
        "_body", "_chunks", "_closing", "_fd", "_head", "_hub", "_in", "_out", "_paused", "_refusal", "_seen",
        "_sock", "_tls", "deadline", "held", "progress", "served", "state",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, hub: Hub, context: ssl.SSLContext | None) -> None:
        self._hub = hub
        self._tls = context is not None
        if context is not None:
            sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._sock = sock
        self._fd = sock.fileno()
        self._in = b""
        self._out = b""
        self._head: Head | None = None
        self._body = bytearray()
        self._chunks: Chunks | None = None
        self._refusal: Refusal | None = None
        self._seen = 0
        self._closing = False
        self._paused = False
        self.held = 0
        """Bytes of an unfinished body that this connection holds."""
        self.served = False
        """Whether a request was ever answered here."""
        self.progress = hub.now()
        """When bytes last came (the loop's clock)."""
        settings = hub.settings
        self.state = HANDSHAKE if self._tls else HEAD
        self.deadline = self.progress + (settings.handshake_timeout if self._tls else settings.header_timeout)
        """When the hub will call ``expire``."""
        hub.open.add(self)
        hub.loop.add_reader(self._fd, self._readable)

    # Events.

    def _readable(self) -> None:
        if self._paused or self.state == CLOSED:
            return
        try:
            if self.state == HANDSHAKE:
                self._sock.do_handshake()  # type: ignore[attr-defined]
                self._expect(HEAD, self._hub.settings.header_timeout)
            data = self._sock.recv(READ)
            while data:
                self._take(data)
                # What TLS has already decrypted will not make the socket readable again.
                if not self._more:
                    return
                data = self._sock.recv(READ)
        except NOT_YET:
            return
        except OSError:  # reset, no common cipher, a certificate the client distrusts: its business
            pass
        self.close()

    @property
    def _more(self) -> bool:
        if not self._tls or self._paused or self.state == CLOSED:
            return False
        return bool(self._sock.pending())  # type: ignore[attr-defined]

    def _writable(self) -> None:
        self._hub.loop.remove_writer(self._fd)
        self._send(b"")

    def expire(self) -> None:
        """End, because the deadline has passed: politely where the client can still listen, else at once."""
        if self.state == IDLE:
            self._finish()
        elif self.state == BODY:
            self._abandon(Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time"))
        elif self.state == HEAD and self._in:
            self._abandon(Refusal(HTTPStatus.REQUEST_TIMEOUT, "the headers did not arrive in time"))
        else:
            self.close()

    def evict(self) -> None:
        """Give this one up for another."""
        if self.state == BODY:
            self._abandon(busy("too many unfinished bodies"))
        else:
            self.close()

    def retire(self) -> None:
        """Close if nothing is under way, because the worker ends."""
        if self.state in {HANDSHAKE, IDLE, HEAD}:
            self._finish()

    # Reading.

    def _take(self, data: bytes) -> None:
        if self.state <= HEAD:
            self._in = self._in + data if self._in else data
            self._try_head()
        elif self.state == BODY:
            self.progress = self._hub.now()
            self._try_body(data)
        elif self.state == LINGERING:
            self._seen += len(data)
            if self._seen > self._hub.settings.max_discard:
                self.close()
        else:
            self._in += data

    def _try_head(self) -> None:
        block = self._in
        end = block.find(END)
        try:
            if end < 0 or end > MAX_HEAD:
                self._await_head(block)
                return
            begin = 2 if block.startswith(b"\r\n") else 0
            head = parse_head(block[begin : end + 4])
        except Refusal as refusal:
            self._abandon(refusal)
            return
        self._head = head
        self._in = b""
        self._begin_body(head, block[end + 4 :])

    def _await_head(self, block: bytes) -> None:
        if len(block) > MAX_HEAD:
            raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request headers are too large")
        if b"\n\n" in block:
            raise malformed("malformed HTTP request")
        if self.state == IDLE:
            self._expect(HEAD, self._hub.settings.header_timeout)
        self._unpause()

    def _begin_body(self, head: Head, rest: bytes) -> None:
        self._refusal = self._hub.admit(head)
        length = head.length
        if length is not None and len(rest) >= length:
            self._in = rest[length:]
            self._complete(rest[:length])
            return
        if head.expects and not rest:
            if self._refusal is not None:
                # Whoever waits for a 100 has sent nothing: the final answer comes instead of it.
                self._abandon(self._refusal)
                return
            self._send(CONTINUE)
        self._seen = 0
        self._chunks = Chunks() if length is None else None
        self._expect(BODY, min(self._hub.settings.body_timeout, self._hub.app.patience(head)))
        self._unpause()
        if rest:
            self._try_body(rest)

    def _try_body(self, data: bytes) -> None:
        head, chunks = self._head, self._chunks
        assert head is not None  # noqa: S101 - state BODY
        try:
            if chunks is not None:
                part = chunks.feed(data)
                done, rest = chunks.done, chunks.rest if chunks.done else b""
            else:
                missing = (head.length or 0) - self._seen
                part, rest = data[:missing], data[missing:]
                done = len(data) >= missing
            self._keep(part, done=done)
        except Refusal as refusal:
            self._abandon(refusal)
            return
        if done:
            self._in = rest
            self._complete(bytes(self._body))

    def _keep(self, part: bytes, *, done: bool) -> None:
        settings = self._hub.settings
        self._seen += len(part)
        if self._seen > settings.max_body and self._refusal is None:
            self._refusal = self._hub.app.too_large()
        if self._refusal is None:
            self._hub.hold(self, len(part))
            self._body += part
            return
        # Read on to the end, or to a limit: a client that is still sending would not read our answer.
        self._drop_body()
        if self._seen >= settings.max_discard and not done:
            raise self._refusal

    def _drop_body(self) -> None:
        self._body = bytearray()
        self._hub.release(self)

    # Answering.

    def _complete(self, body: bytes) -> None:
        head, refusal = self._head, self._refusal
        assert head is not None  # noqa: S101 - a request is complete
        self._drop_body()
        self._closing = head.close
        self.state, self.deadline = ANSWERING, FOREVER
        if refusal is not None:
            self.respond(refusal.answer)
            self._hub.app.refused(head, refusal)
            return
        self._hub.app.handle(head, body, self)
        if self.state == ANSWERING:
            self._pause()  # a thread makes the answer; until then nothing more is read

    def respond(self, answer: Answer) -> None:
        """Send the answer to the request under way. Call it once, on the loop."""
        if self.state != ANSWERING:
            return
        hub = self._hub
        head = self._head
        close = self._closing = self._closing or hub.closing
        data = render(answer, hub.date(), close=close, bodiless=head is not None and head.method == "HEAD")
        self.served = True
        self._send(data)

    def _abandon(self, refusal: Refusal) -> None:
        """Answer before the request is complete; the connection cannot go on after that."""
        self._drop_body()
        self._hub.app.refused(self._head, refusal)
        self._closing = True
        self.state = ANSWERING
        self.respond(refusal.answer)

    def _send(self, data: bytes) -> None:
        out = self._out + data if self._out else data
        try:
            while out:
                out = out[self._sock.send(out) :]
        except NOT_YET:
            pass
        except OSError:
            self.close()
            return
        self._out = out
        if out:
            self._wait_for_reader()
        elif self.state in {ANSWERING, FLUSHING}:
            self._next()

    def _wait_for_reader(self) -> None:
        self._hub.loop.add_writer(self._fd, self._writable)
        if self.state == ANSWERING:
            self._pause()
            self._expect(FLUSHING, self._hub.settings.write_timeout)

    def _next(self) -> None:
        if self._closing:
            self._finish()
            return
        self._head = None
        self._expect(IDLE, self._hub.settings.keepalive)
        if self._in:
            # A pipelined request: its turn comes after other connections', and nothing more is read before it.
            self._pause()
            self._hub.loop.call_soon(self._resume)
        else:
            self._unpause()

    def _resume(self) -> None:
        if self.state == IDLE:
            self._try_head()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._hub.loop.remove_reader(self._fd)

    def _unpause(self) -> None:
        if self._paused:
            self._paused = False
            loop = self._hub.loop
            loop.add_reader(self._fd, self._readable)
            if self._tls:
                loop.call_soon(self._readable)  # see there: TLS may hold what the socket will not announce

    # Ending.

    def _expect(self, state: int, seconds: float) -> None:
        self.state = state
        self.progress = self._hub.now()
        self.deadline = self.progress + seconds

    def _finish(self) -> None:
        """Say that we are done, and stay until the client has heard it."""
        if self.state == HANDSHAKE:
            self.close()
            return
        self._seen = 0
        self._expect(LINGERING, self._hub.settings.linger)
        self._unpause()
        try:
            if self._tls:
                self._sock.unwrap()  # type: ignore[attr-defined]
        except NOT_YET:
            pass
        except OSError:
            self.close()
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def close(self) -> None:
        """Let go of everything, now."""
        if self.state == CLOSED:
            return
        self.state = CLOSED
        self._drop_body()
        self._in = self._out = b""
        hub = self._hub
        hub.loop.remove_reader(self._fd)
        hub.loop.remove_writer(self._fd)
        hub.open.discard(self)
        self._sock.close()
