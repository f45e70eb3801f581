"""All connections of one event loop: accepted, bounded, evicted when they stall, and closed in a drain."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

from . import memory
from .connection import ANSWERING, IDLE, ReviewConnection
from .http_request import HttpError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from gpu_admission.webhook.certificates import ServingCertificate

    from .app import Pages
    from .http_request import RequestHead
    from .readiness import Drain
    from .settings import ServerSettings

SWEEP = 0.25  # seconds between checks of the deadlines
PAUSE = 0.1  # seconds without accepting, when there is no room or no file descriptor left
LATE = 2  # consecutive late sweeps: a single one may be a paused machine, where refusals would not help
STALLED = 0.5  # seconds without a byte after which an unfinished body may be evicted for another
READ = 64 * 1024  # bytes
FLOOD = 100  # connections; an API server has 25
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ConnectionManager:
    """Listening sockets, connections and their limits.

    A client that stalls cannot keep others out: deadlines end connections without progress, and when there are too many
    connections or too many bytes of unfinished bodies, the one without progress for longest is closed first.
    """

    def __init__(
        self,
        app: Pages,
        settings: ServerSettings,
        drain: Drain,
        certificate: ServingCertificate | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.open: set[ReviewConnection] = set()
        self.buffer = memoryview(bytearray(READ))
        """What connections read into. Without it uvloop makes 256 KiB of bytes for each read."""
        self.stopping = False
        self._drain = drain
        self._certificate = certificate
        self._listening: list[socket.socket] = []
        self._held = 0
        self._date = (0, b"")
        self._late = self._most = 0
        self._due = self.now() + SWEEP
        self.loop.call_at(self._due, self._sweep)

    @property
    def closing(self) -> bool:
        """Whether each response closes its connection."""
        return self.stopping or self._drain.begun

    def date(self) -> bytes:
        """Return the Date header line, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        return self._date[1]

    # Accepting.

    def listen(self, socks: Sequence[socket.socket]) -> None:
        """Accept on these sockets from now on.

        One connection per event: asyncio accepts a hundred at once, which leaves none to the other workers.
        """
        for sock in socks:
            self._listening.append(sock)
            self.loop.add_reader(sock.fileno(), self._accept, sock)

    def stop(self) -> None:
        """Accept what is in the kernel's queues, then nothing more. The sockets stay open."""
        self.stopping = True
        for sock in self._listening:
            self.loop.remove_reader(sock.fileno())
            while self._accept(sock):
                pass
        self._listening.clear()

    def _accept(self, listening: socket.socket) -> bool:
        if len(self.open) >= self.settings.max_connections and not self.evict():
            self._hold_off(listening)
            return False
        try:
            sock, _ = listening.accept()
        except OSError as error:
            # An evicted connection frees its descriptor a moment later; the client waits in the kernel's queue.
            if error.errno in NO_ROOM and not self.evict():
                self._hold_off(listening)
            return False
        try:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open(sock)
        except OSError:  # already closed by the client
            sock.close()
        return True

    def _open(self, sock: socket.socket) -> None:
        context = None
        if self._certificate is not None:
            context = self._certificate.context_at(time.time())
            if context is None:
                sock.close()  # no certificate yet; plain HTTP is not an alternative
                return
        connection = ReviewConnection(self, tls=context is not None)
        connection.opening = self.loop.create_task(self._connect(connection, sock, context))

    async def _connect(self, connection: ReviewConnection, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Make the connection's transport, which owns the socket from then on."""
        # Our own deadlines are shorter; these cover what they do not.
        handshake, shutdown = self.settings.handshake_timeout + SWEEP, self.settings.linger + SWEEP
        timeouts = {"ssl_handshake_timeout": handshake, "ssl_shutdown_timeout": shutdown} if context else {}
        try:
            await self.loop.connect_accepted_socket(lambda: connection, sock, ssl=context, **timeouts)
        except (OSError, asyncio.CancelledError):  # reset, no common cipher, an untrusted certificate; or evicted
            connection.close()
        else:
            connection.opening = None

    def _hold_off(self, listening: socket.socket) -> None:
        if not self.stopping:
            self.loop.remove_reader(listening.fileno())
            self.loop.call_later(PAUSE, self._accept_again, listening)

    def _accept_again(self, listening: socket.socket) -> None:
        if not self.stopping:
            self.loop.add_reader(listening.fileno(), self._accept, listening)

    # Limits.

    def evict(self) -> bool:
        """Close a connection: unfinished ones before idle ones, of each the one without progress for longest."""
        candidates = (each for each in self.open if each.state != ANSWERING)
        victim = min(candidates, key=lambda each: (each.state == IDLE, each.progress), default=None)
        if victim is None:
            return False
        victim.close()
        return True

    def hold(self, connection: ReviewConnection, size: int) -> None:
        """Account for ``size`` bytes that a connection buffers; raises HttpError (503) when no room can be made."""
        while size > connection.held and self._held + size - connection.held > self.settings.max_buffered:
            others = (each for each in self.open if each is not connection and each.held)
            slowest = min(others, key=lambda each: each.progress, default=None)
            if slowest is None or self.now() - slowest.progress < STALLED:
                raise HttpError.busy("too many unfinished bodies")
            slowest.evict()
        self._held += size - connection.held
        connection.held = size

    def admit(self, head: RequestHead) -> HttpError | None:
        """Return, before the body is read, the error of a request that will be refused; None for any other.

        A request that waits longer than the API server's timeout costs as much and is answered in vain; one that is
        refused at once is retried after a second, when the queue is short again.
        """
        return HttpError.busy("overloaded") if self._late >= LATE else self.app.admit(head)

    def _sweep(self) -> None:
        now = self.now()
        self._late = self._late + 1 if now - self._due > self.settings.overload else 0
        self._due = now + SWEEP
        self.loop.call_at(self._due, self._sweep)
        for each in [each for each in self.open if each.deadline < now]:
            each.expire()
        self._most = max(self._most, len(self.open))
        if self._most > FLOOD and len(self.open) < self._most // 4:
            self._most = len(self.open)
            memory.release()

    # Ending.

    def retire(self, *, newcomers: bool) -> None:
        """Close what is idle, and with ``newcomers`` also what has never sent a request."""
        for each in tuple(self.open):
            if each.served or newcomers:
                each.retire()
