"""One client connection: a state machine in which each state has a deadline."""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from .http_request import CONTINUE, HttpError, RequestParser, render

if TYPE_CHECKING:
    from gpu_admission.webhook.review.types import Response

    from .connection_manager import ConnectionManager
    from .http_request import RequestHead

FOREVER = float("inf")
UNSENT = 16384
"""Bytes of responses that a client has not read above which it counts as not reading."""
PIPELINED = 16
"""Requests that may arrive in one read; the cluster's clients wait for a response before the next request."""

HANDSHAKE, IDLE, HEAD, BODY, ANSWERING, FLUSHING, LINGERING, CLOSED = range(8)


class ReviewConnection(asyncio.BufferedProtocol):
    """Parses the bytes of a transport (which does TLS), passes requests to the application, sends its responses.

    ========== ====================================== ======================== ===================================
    state      waits for                              at most for              then
    ========== ====================================== ======================== ===================================
    HANDSHAKE  the TLS handshake                      ``handshake_timeout``    closed
    HEAD       a request's head (the first one's too) ``header_timeout``       408 if it has begun, closed
    BODY       the rest of a body                     ``body_timeout``, less   408, closed
                                                      if the client waits less
    ANSWERING  the application                        forever                 never given up
    FLUSHING   a client that does not read            ``write_timeout``        closed
    IDLE       the next request                       ``keepalive``            closed
    LINGERING  the client's close, so that a reset    ``linger``               closed
               cannot overtake the last response
    ========== ====================================== ======================== ===================================

    All but ANSWERING may be evicted for another connection, those in IDLE last (see ConnectionManager).
    """

    def __init__(self, manager: ConnectionManager, *, tls: bool) -> None:
        self._manager = manager
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._parser = RequestParser(self)
        self._head: RequestHead | None = None
        self._refusal: HttpError | None = None
        self._body = bytearray()
        self._whole = b""  # a body that arrived in one part, as nearly all do
        self._seen = 0
        self._requests: deque[tuple[RequestHead, bytes, HttpError | None]] = deque()
        self._waiting = 0  # bytes of bodies in them
        self._error: HttpError | None = None  # what follows them
        self._closing = self._blocked = self._bodiless = False
        self.opening: asyncio.Task[None] | None = None
        """The task that makes the transport, until there is one."""
        self.held = 0
        """Bytes of bodies that this connection has buffered."""
        self.served = False
        """Whether a request was ever answered here."""
        self.progress = self.deadline = 0.0
        """When bytes last arrived, and when ``expire`` will be called (the loop's clock)."""
        self._expect(HANDSHAKE, manager.settings.handshake_timeout)
        manager.open.add(self)

    # Events of the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a socket's
        self._transport = transport
        if self.state == CLOSED:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=UNSENT)
        self._expect(HEAD, self._manager.settings.header_timeout)

    def get_buffer(self, _: int) -> memoryview:
        return self._manager.buffer  # copied at once in buffer_updated, so all connections share one

    def buffer_updated(self, size: int) -> None:
        data = bytes(self._manager.buffer[:size])
        if self.state >= LINGERING:
            self._seen += len(data)
            if self._seen > self._manager.settings.max_discard:
                self.close()
            return
        if self.state == IDLE:
            self._expect(HEAD, self._manager.settings.header_timeout)
        elif self.state == BODY:
            self.progress = self._manager.now()
        try:
            if self._parser.feed(data):
                self._requests[-1][0].close = True
            self._hold()
        except HttpError as error:
            self._error = error
        if self.state <= BODY:
            self._serve()

    def eof_received(self) -> bool:
        return False  # the transport sends what is to be sent and closes

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        if self.state == FLUSHING:
            self._go_on()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self.close()

    # Events of the parser: see RequestSink.

    def on_head(self, head: RequestHead) -> None:
        if len(self._requests) >= PIPELINED:
            raise HttpError.busy("too many requests at a time")
        self._head = head
        self._refusal = self._manager.admit(head)
        self._seen = 0

    def on_body(self, data: bytes) -> None:
        self._seen += len(data)
        settings = self._manager.settings
        if self._refusal is None and self._seen > settings.max_body:
            self._refusal = self._manager.app.too_large()
        if self._refusal is not None:
            # Read to the end, or to a limit: a client that is still sending would not read the response.
            self._whole, self._body = b"", bytearray()
            if self._seen >= settings.max_discard:
                raise self._refusal
        elif self._whole or self._body:
            self._body = self._body or bytearray(self._whole)
            self._whole = b""
            self._body += data
        else:
            self._whole = data

    def on_complete(self) -> None:
        assert self._head is not None  # noqa: S101 - it comes first
        body = self._whole or bytes(self._body)
        self._requests.append((self._head, body, self._refusal))
        self._waiting += len(body)
        self._head, self._whole, self._body = None, b"", bytearray()

    def _hold(self) -> None:
        """Account for bodies that cannot be processed yet; raises HttpError (503)."""
        if self.held or self._whole or self._body or len(self._requests) > 1:
            self._manager.hold(self, self._waiting + len(self._whole) + len(self._body))

    # Answering.

    def _serve(self) -> None:
        """Answer the next complete request; between two of one client, other connections are served."""
        if self.state not in {IDLE, HEAD, BODY}:
            return
        if self._requests:
            head, body, refusal = self._requests.popleft()
            self._waiting -= len(body)
            if self.held:
                self._hold()
            self._answer(head, body, refusal)
        elif self._error is not None:
            self._fail(self._error)
        else:
            self._await_more()

    def _answer(self, head: RequestHead, body: bytes, refusal: HttpError | None) -> None:
        self._closing, self._bodiless = head.close, head.method == "HEAD"
        self.state, self.deadline = ANSWERING, FOREVER
        if refusal is not None:
            self.respond(refusal.answer)
            self._manager.app.refused(head, refusal)
            return
        self._manager.app.handle(head, body, self)
        if self.state == ANSWERING:
            self._pause()  # a thread makes the response; until then nothing is read

    def respond(self, answer: Response) -> None:
        """Send the response to the present request. Call it once, on the loop."""
        if self.state != ANSWERING or self._transport is None:
            return
        manager = self._manager
        self._closing = self._closing or manager.closing
        self._transport.write(render(answer, manager.date(), close=self._closing, bodiless=self._bodiless))
        self.served = True
        self._go_on()

    def _fail(self, error: HttpError) -> None:
        """Answer an incomplete request; the connection is closed after that."""
        self._manager.app.refused(self._head, error)
        self._closing, self._bodiless, self.state = True, False, ANSWERING
        self._manager.hold(self, 0)
        self.respond(error.answer)

    def _go_on(self) -> None:
        if self._blocked:
            self._pause()
            self._expect(FLUSHING, self._manager.settings.write_timeout)
        elif self._closing:
            self._finish()
        else:
            self._expect(IDLE, self._manager.settings.keepalive)
            if self._requests or self._error is not None:
                self._pause()
                self._manager.loop.call_soon(self._serve)
            else:
                self._await_more()

    def _await_more(self) -> None:
        settings = self._manager.settings
        if self._parser.begun and self._parser.in_head:
            if self.state != HEAD:
                self._expect(HEAD, settings.header_timeout)
        elif self._head is not None and self.state != BODY:
            self._expect(BODY, min(settings.body_timeout, self._manager.app.patience(self._head)))
            if self._head.expects and not self._seen:
                if self._refusal is not None:  # a client that waits for a 100 has sent no body
                    self._fail(self._refusal)
                    return
                assert self._transport is not None  # noqa: S101 - it brought the head
                self._transport.write(CONTINUE)
        if self._transport is not None:
            self._transport.resume_reading()

    def _pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    # Ending.

    def expire(self) -> None:
        """End because the deadline has passed: with a response where the client can still read one, else at once."""
        if self.state == IDLE:
            self._finish()
        elif self.state == BODY:
            self._fail(HttpError(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time"))
        elif self.state == HEAD and self._parser.begun:
            self._fail(HttpError(HTTPStatus.REQUEST_TIMEOUT, "the headers did not arrive in time"))
        else:
            self.close()

    def evict(self) -> None:
        """End to make room for another connection's body."""
        if self.state == BODY:
            self._fail(HttpError.busy("too many unfinished bodies"))
        else:
            self.close()

    def retire(self) -> None:
        """Close if no request is in progress, because the worker ends."""
        if self.state in {HANDSHAKE, IDLE, HEAD}:
            self._finish()

    def _expect(self, state: int, seconds: float) -> None:
        self.state = state
        self.progress = self._manager.now()
        self.deadline = self.progress + seconds

    def _finish(self) -> None:
        """Close our side, and wait for the client's."""
        transport = self._transport
        if transport is None:
            self.close()
            return
        self._seen = 0
        self._expect(LINGERING, self._manager.settings.linger)
        transport.resume_reading()
        if self._tls:
            transport.close()  # flushes, sends close_notify, and waits for the client's
        else:
            transport.write_eof()

    def close(self) -> None:
        """Release everything at once."""
        if self.state == CLOSED:
            return
        self.state = CLOSED
        self._requests.clear()
        self._whole, self._body = b"", bytearray()
        self._manager.hold(self, 0)
        self._manager.open.discard(self)
        self._parser.close()
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
