"""The gunicorn worker: gunicorn's asgi worker with our connections, health port and drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import uvloop
from gunicorn.workers.gasgi import ASGIWorker

from gpu_admission.webhook import logs

from .connection_manager import ConnectionManager

if TYPE_CHECKING:
    import socket

    from .app_state import AppState

HEARTBEAT = 1.0
SWITCH = 0.001  # seconds; with Python's 5 ms, small reviews would wait 20 ms for a large one in its thread
NEWCOMER = 2.0  # seconds in which an accepted connection may still send its first request during a drain


class ReviewWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process: an event loop for reviews, and a thread with another one for the health port.

    ``service``, ``slot`` and ``health_socket`` are set by the arbiter before the fork.
    """

    service: AppState
    slot: int
    alive: bool
    health_socket: socket.socket | None = None

    def handle_exit_signal(self) -> None:
        """SIGTERM: stop accepting, answer what was accepted."""
        super().handle_exit_signal()
        self._stopping.set()

    def handle_quit_signal(self) -> None:
        """SIGINT, SIGQUIT: stop now."""
        super().handle_quit_signal()
        self._stopping.set()

    async def _serve(self) -> None:
        service = self.service
        self._stopping = asyncio.Event()
        sys.setswitchinterval(SWITCH)
        self.loop.set_exception_handler(_report)
        service.log_writer.gather(self.loop)
        if self.health_socket is not None:
            threading.Thread(target=serve_health, args=(self,), name="health", daemon=True).start()
        manager = ConnectionManager(service.reviews(), service.settings, service.drain, service.certificate)
        manager.listen([each.sock for each in self.sockets])
        refreshing = self.loop.create_task(self._refresh())
        try:
            await self._beat()
            await self._drain(manager)
        finally:
            refreshing.cancel()
            service.log_writer.gather(None)
            service.log_writer.finish()

    async def _beat(self) -> None:
        # A signal between the fork and the installation of the worker's handlers is lost: hence `drain.ended`.
        while self.alive and not self.service.drain.ended:
            self._note_alive()
            if self.ppid != os.getppid():
                self.log.error("The arbiter is gone")
                self.alive = False
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), HEARTBEAT)

    def _note_alive(self) -> None:
        self.notify()  # the arbiter replaces a worker that does not notify for long
        self.service.heartbeats.beat(self.slot, time.monotonic())

    async def _refresh(self) -> None:
        service = self.service
        while True:
            await asyncio.sleep(service.settings.reload_interval)
            await asyncio.to_thread(service.refresh)

    async def _drain(self, manager: ConnectionManager) -> None:
        """Answer what was accepted, then end.

        When the whole server shuts down, the lame duck time is over by now. When a reload replaces this worker,
        it begins now: each response closes its connection, so clients move to the new workers,
        and only idle ones are closed at its end.
        """
        manager.stop()
        settings = self.service.settings
        begun = time.monotonic()
        patience = 0.0 if self.service.drain.begun else settings.lame_duck
        while manager.open and not self._quick_shutdown:
            waited = time.monotonic() - begun
            if waited > patience + settings.graceful_timeout:
                break
            if waited >= patience:
                manager.retire(newcomers=waited >= patience + NEWCOMER)
            self._note_alive()
            await asyncio.sleep(0.02)


def serve_health(worker: ReviewWorker) -> None:
    """Serve the health port in a separate thread: it answers also while the reviews' loop is busy."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_health(worker))


async def _serve_health(worker: ReviewWorker) -> None:
    asyncio.get_running_loop().set_exception_handler(_report)
    assert worker.health_socket is not None  # noqa: S101 - see the caller
    service = worker.service
    manager = ConnectionManager(service.health(), service.settings, service.drain)
    manager.listen([worker.health_socket])
    while worker.alive:
        await asyncio.sleep(HEARTBEAT)
    manager.stop()
    await asyncio.Event().wait()  # answer until the process ends


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors that asyncio could not raise anywhere, without any text that may quote a request."""
    error = context.get("exception")
    fields = logs.describe(error) if isinstance(error, BaseException) else {}
    logs.get().error("event loop: %s", context.get("message", ""), extra=logs.fields(fields))
