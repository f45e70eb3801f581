"""All connections of one event loop: accepted, bounded, given up when they stall, and let go at the end."""

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

SWEEP = 0.25  # seconds between looks at the deadlines
PAUSE = 0.1  # seconds without accepting, when there is no room or no file descriptor left
LATE = 2  # looks in a row that came late: one may be a machine that paused, which refusals would not mend
STALLED = 0.5  # seconds without a byte after which an unfinished body may be given up for another
READ = 64 * 1024  # bytes
FLOOD = 100  # connections; an API server keeps 25
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ConnectionManager:
    """Listening sockets, connections and their limits.

    Nobody who stalls can keep anybody else out: deadlines end what does not move, and when there are too many
    connections or too many bytes of unfinished bodies, the one that has not moved for longest goes first.
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
        """Whether each answer ends its connection."""
        return self.stopping or self._drain.begun

    def date(self) -> bytes:
        """Give the Date header line, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        return self._date[1]

    # Accepting.

    def listen(self, socks: Sequence[socket.socket]) -> None:
        """Accept on these sockets from now on.

        One connection at a time and in turn with all else: whoever takes a hundred at a go, as asyncio does,
        leaves none to the other workers.
        """
        for sock in socks:
            self._listening.append(sock)
            self.loop.add_reader(sock.fileno(), self._accept, sock)

    def stop(self) -> None:
        """Take what the kernel has accepted for us already, then nothing more. The sockets stay open."""
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
            # What is given up frees its descriptor a moment later; the client waits in the kernel meanwhile.
            if error.errno in NO_ROOM and not self.evict():
                self._hold_off(listening)
            return False
        try:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open(sock)
        except OSError:  # already gone again
            sock.close()
        return True

    def _open(self, sock: socket.socket) -> None:
        context = None
        if self._certificate is not None:
            context = self._certificate.context_at(time.time())
            if context is None:
                sock.close()  # no certificate yet: never plain HTTP instead
                return
        connection = ReviewConnection(self, tls=context is not None)
        connection.opening = self.loop.create_task(self._connect(connection, sock, context))

    async def _connect(self, connection: ReviewConnection, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        """Make the connection's transport, which owns the socket from then on."""
        # Our own deadlines come first; these are for what they cannot see.
        handshake, shutdown = self.settings.handshake_timeout + SWEEP, self.settings.linger + SWEEP
        timeouts = {"ssl_handshake_timeout": handshake, "ssl_shutdown_timeout": shutdown} if context else {}
        try:
            await self.loop.connect_accepted_socket(lambda: connection, sock, ssl=context, **timeouts)
        except (OSError, asyncio.CancelledError):  # reset, no common cipher, a certificate it distrusts; or given up
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
        """Make room: unfinished business goes before kept-alive connections, what moved last goes last."""
        candidates = (each for each in self.open if each.state != ANSWERING)
        victim = min(candidates, key=lambda each: (each.state == IDLE, each.progress), default=None)
        if victim is None:
            return False
        victim.close()
        return True

    def hold(self, connection: ReviewConnection, size: int) -> None:
        """Account for ``size`` bytes that a connection holds; raises HttpError (503) when there is no room to make."""
        while size > connection.held and self._held + size - connection.held > self.settings.max_buffered:
            others = (each for each in self.open if each is not connection and each.held)
            slowest = min(others, key=lambda each: each.progress, default=None)
            if slowest is None or self.now() - slowest.progress < STALLED:
                raise HttpError.busy("too many unfinished bodies")
            slowest.evict()
        self._held += size - connection.held
        connection.held = size

    def admit(self, head: RequestHead) -> HttpError | None:
        """Say before the body has come whether the request will be refused.

        Whoever waits in a queue that takes longer than the API server's patience costs us all the same and is
        answered in vain; refused at once, it comes back in a second, and the queue is short again.
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
