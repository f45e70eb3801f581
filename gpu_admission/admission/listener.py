"""Accepting connections so that nobody who stalls can keep anybody else out.

asyncio's own server takes a hundred connections at a go (one worker would get them all), knows no limit and
keeps the TLS context it began with. This one takes one at a time, bounds both unfinished handshakes and open
connections by giving up the oldest, and asks for the context at every connection.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from gpu_admission.admission.protocol import Connections

PAUSE = 0.1  # seconds without accepting, when there is no room or no file descriptor left
SHUTDOWN = 2.0  # seconds that a client may take to answer our TLS close
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """One listening socket on one event loop."""

    def __init__(
        self,
        sock: socket.socket,
        factory: Callable[[], asyncio.BaseProtocol],
        connections: Connections,
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._factory = factory
        self._connections = connections
        self._context = context
        self._pending: dict[asyncio.Task[None], None] = {}
        self._resume: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._resume = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def pause(self) -> None:
        """Leave connections in the kernel's queue."""
        self._loop.remove_reader(self._sock.fileno())
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None

    def stop(self) -> None:
        """Take what the kernel has already accepted for us, then nothing more; the socket stays open."""
        self.pause()
        while self._accept():
            pass

    @property
    def pending(self) -> int:
        """Handshakes under way."""
        return len(self._pending)

    def _accept(self) -> bool:
        if self._connections.full and not self._connections.evict():
            self._hold()
            return False
        try:
            sock, _ = self._sock.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._connections.evict()
                self._hold()
            return False
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._pending) >= self._connections.settings.max_handshakes:
            next(iter(self._pending)).cancel()
        task = self._loop.create_task(self._open(sock))
        self._pending[task] = None
        task.add_done_callback(self._done)
        return True

    def _hold(self) -> None:
        self.pause()
        self._resume = self._loop.call_later(PAUSE, self.start)

    async def _open(self, sock: socket.socket) -> None:
        context = self._context()
        limits = {}
        if context is not None:
            limits = {
                "ssl_handshake_timeout": self._connections.settings.handshake_timeout,
                "ssl_shutdown_timeout": SHUTDOWN,
            }
        try:
            await self._loop.connect_accepted_socket(self._factory, sock, ssl=context, **limits)
        except OSError:  # the client's business: a scan, a stall, no common cipher, a certificate it distrusts
            sock.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._pending.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "accepting a connection failed", "exception": error})
