"""The gunicorn worker: gunicorn's asgi worker with our connections, health port and way of going away."""

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
SWITCH = 0.001  # seconds; Python's 5 ms would make small reviews wait 20 ms beside a large one in its thread
NEWCOMER = 2.0  # seconds in which an accepted connection may still send its first request when we stop


class ReviewWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process: an event loop for reviews, and a thread with another one for the health port.

    ``service``, ``slot`` and ``health_socket`` are set by the arbiter before the fork.
    """

    service: AppState
    slot: int
    alive: bool
    health_socket: socket.socket | None = None

    def handle_exit_signal(self) -> None:
        """SIGTERM: stop accepting, answer what is there."""
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
        # A signal that comes between the fork and the worker's own handlers goes to the arbiter's, and is lost.
        while self.alive and not self.service.drain.ended:
            self._note_alive()
            if self.ppid != os.getppid():
                self.log.error("The arbiter is gone")
                self.alive = False
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), HEARTBEAT)

    def _note_alive(self) -> None:
        self.notify()  # to the arbiter, which replaces a worker that is silent for long
        self.service.heartbeats.beat(self.slot, time.monotonic())

    async def _refresh(self) -> None:
        service = self.service
        while True:
            await asyncio.sleep(service.settings.reload_interval)
            await asyncio.to_thread(service.refresh)

    async def _drain(self, manager: ConnectionManager) -> None:
        """Answer what was accepted, then go.

        When the whole server goes away the lame duck time is over by now. When a reload replaces this worker,
        it begins now: each answer closes its connection, so clients move to the new workers by themselves,
        and only those that stay silent are closed at its end.
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
    """Serve the plain port in a thread of its own: it answers also while the reviews' loop is busy."""
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
    await asyncio.Event().wait()  # answer to the end; the process takes the thread along


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could not give to anybody, without any text that may quote a request."""
    error = context.get("exception")
    fields = logs.describe(error) if isinstance(error, BaseException) else {}
    logs.get().error("event loop: %s", context.get("message", ""), extra=logs.fields(fields))
