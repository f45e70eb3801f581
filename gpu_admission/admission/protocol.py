"""gunicorn's HTTP/1.1 protocol with what it lacks for a port that strangers can reach.

gunicorn's asgi worker has no limit on how long a client may take for its headers or to read an answer, no
limit on the number of connections, and no way to announce the end of a connection before the worker stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gunicorn.asgi.protocol import ASGIProtocol

from gpu_admission.admission.replies import error_body

if TYPE_CHECKING:
    import asyncio

    from gpu_admission.admission.lifecycle import Drain
    from gpu_admission.admission.settings import Settings

SENTENCES = {
    400: "malformed HTTP request",
    414: "the request target is too long",
    431: "the request headers are too large",
    500: "internal error",
    501: "unsupported transfer coding",
}


class Connections:
    """The connections of one event loop, and what their limits are."""

    def __init__(self, settings: Settings, drain: Drain) -> None:
        self.settings = settings
        self.drain = drain
        self.open: set[ReviewProtocol] = set()

    @property
    def full(self) -> bool:
        """Whether another one is one too many."""
        return len(self.open) >= self.settings.max_connections

    def evict(self) -> bool:
        """Make room: close the one that has been idle longest, those that never finished a request first."""
        victim = min((each for each in self.open if not each.busy), key=lambda each: each.rank, default=None)
        if victim is None:
            return False
        victim.abandon()
        return True

    def close_idle(self, *, newcomers: bool) -> None:
        """Close kept-alive connections; also those that have not sent a request yet when ``newcomers``."""
        for each in tuple(self.open):
            if not each.busy and (newcomers or each.served):
                each.abandon()


class ReviewProtocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One connection."""

    def __init__(self, worker: Any, connections: Connections) -> None:
        super().__init__(worker)
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._since = worker.loop.time()

    @property
    def served(self) -> bool:
        """Whether a request was ever answered here."""
        return bool(self.req_count > 1)

    @property
    def busy(self) -> bool:
        """Whether a complete request is being answered; only an unfinished one may be given up."""
        receiver = self._body_receiver
        return receiver is not None and receiver._complete  # noqa: SLF001 - the only place that knows

    @property
    def rank(self) -> tuple[bool, float]:
        """Lowest goes first when there must be room."""
        return self.served and self._current_request is None, self._since

    def abandon(self) -> None:
        """Close now, unless what is written still has to go out; never waits for the client for long."""
        self._close_transport()
        if self._request_ready is not None:
            self._request_ready.set()
        self._arm_stall()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin, with a limit on the time until the first request's headers are complete."""
        super().connection_made(transport)
        self._connections.open.add(self)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and let go of all timers."""
        self._connections.open.discard(self)
        for handle in (self._deadline, self._stall):
            if handle is not None:
                handle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that begin a request must become complete headers in time."""
        super().data_received(data)
        if self._current_request is None and self._deadline is None and not self._closed:
            self._await_headers()

    def _await_headers(self) -> None:
        settings = self._connections.settings
        self._deadline = self.worker.loop.call_later(settings.header_timeout, self.abandon)

    def _on_headers_complete(self) -> Any:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._since = self.worker.loop.time()
        return super()._on_headers_complete()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        return bool(self._connections.drain.begun or super()._will_close(request, response_requires_close))

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        return False

    def _feed_callback_parser(self, data: bytes) -> bool:
        try:
            return bool(super()._feed_callback_parser(data))
        except Exception:  # noqa: BLE001 - e.g. int() of a Content-Length with 5,000 digits
            self._send_error_response(400, "")
            self._close_transport()
            return False

    def _send_error_response(self, status: int, _message: str, extra_headers: tuple[tuple[str, str], ...] = ()) -> None:
        # gunicorn's message may quote the request: ours is constant.
        body = error_body(status, SENTENCES.get(status, "bad request"))
        head = [f"HTTP/1.1 {status} {self._get_reason_phrase(status)}", "Content-Type: application/json"]
        head += [f"Content-Length: {len(body)}", "Server: gpu-admission", "Connection: close"]
        head += [f"{name}: {value}" for name, value in extra_headers]
        self._safe_write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def pause_writing(self) -> None:
        """The client does not read its answers: bear it only for so long."""
        super().pause_writing()
        self._arm_stall()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._stall is not None and not self._closed:
            self._stall.cancel()
            self._stall = None

    def _close_transport(self) -> None:
        super()._close_transport()
        if not self._conn_lost_handled:
            self._arm_stall()

    def _arm_stall(self) -> None:
        if self._stall is None and self.transport is not None:
            settings = self._connections.settings
            self._stall = self.worker.loop.call_later(settings.write_timeout, self.transport.abort)
