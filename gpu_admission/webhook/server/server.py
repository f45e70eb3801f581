"""Starting the server: gunicorn's options and hooks, made of the settings and the AppState."""

from __future__ import annotations

import gc
import os
import signal
import socket
import tempfile
import time
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gpu_admission.pki.errors import PkiError
from gpu_admission.webhook import logs
from gpu_admission.webhook.metrics_memory import memory_directory
from gpu_admission.webhook.review import handler

from . import preload
from .app_state import AppState
from .settings import ServerSettings, address, misspelt
from .worker import ReviewWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.webhook.sidecar import SupervisedProcess


class Hooks:
    """gunicorn's server hooks. All but ``post_fork`` run in the arbiter."""

    def __init__(self, service: AppState) -> None:
        self._service = service
        self._health: socket.socket | None = None

    def options(self) -> dict[str, Any]:
        """Return the hooks as gunicorn settings."""
        names = ("on_starting", "when_ready", "pre_fork", "post_fork", "child_exit", "on_exit")
        return {name: getattr(self, name) for name in names}

    def on_starting(self, _arbiter: Arbiter) -> None:
        """Open the health port."""
        if self._service.settings.health_bind:
            host, port = address(self._service.settings.health_bind)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._health = socket.create_server((host, port), family=family, backlog=128)
            self._health.setblocking(False)

    def when_ready(self, arbiter: Arbiter) -> None:
        """Let the arbiter shut down gracefully, and refresh policies and certificates every second.

        The arbiter must follow them itself: a worker that it forks later inherits what the arbiter has loaded,
        and by then the file may contain a version that cannot be used.
        """
        arbiter.handle_term = GracefulShutdown(arbiter, self._service)
        replaced = arbiter.murder_workers

        def murder_workers() -> None:
            self._service.maintain()
            replaced()

        arbiter.murder_workers = murder_workers

    def pre_fork(self, arbiter: Arbiter, worker: ReviewWorker) -> None:
        """Assign the worker's slot and freeze shared objects, so that garbage collection does not copy their pages."""
        taken = {other.slot for other in arbiter.WORKERS.values()}
        worker.slot = min(set(range(len(taken) + 1)) - taken)
        worker.service = self._service
        worker.health_socket = self._health
        self._service.heartbeats.beat(worker.slot, time.monotonic())
        gc.freeze()

    def post_fork(self, _arbiter: Arbiter, worker: ReviewWorker) -> None:
        """In the worker: count for its slot."""
        gc.set_threshold(10_000, 20, 50)
        self._service.enter_worker(worker.slot)

    def child_exit(self, _arbiter: Arbiter, worker: ReviewWorker) -> None:
        """Remove the gauges of a worker that has ended."""
        self._service.metrics.leave_slot(worker.slot)
        self._service.heartbeats.forget(worker.slot)

    def on_exit(self, _arbiter: Arbiter) -> None:
        """Every worker has ended: stop the sidecars and remove the files in memory."""
        self._service.stop_sidecars()
        self._service.metrics.close()


class GracefulShutdown:
    """SIGTERM to the arbiter: keep serving for a while, not ready, and close connections after their next response.

    The cluster needs seconds to stop sending; open connections are used even longer. A second SIGTERM ends the wait.
    """

    def __init__(self, arbiter: Arbiter, service: AppState) -> None:
        self._arbiter = arbiter
        self._service = service

    def __call__(self) -> None:
        """Handle one SIGTERM in the arbiter's main loop."""
        if self._service.drain.begun:
            self._service.drain.end()
            raise StopIteration
        self._service.drain.begin()
        seconds = self._service.settings.lame_duck
        logs.get().info("draining", extra=logs.fields({"seconds": seconds}))
        # An alarm, not a thread: the arbiter may have to fork.
        signal.signal(signal.SIGALRM, lambda *_: self._arbiter.SIG_QUEUE.put_nowait(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))


def heartbeat_directory(settings: ServerSettings) -> str | None:
    """Return where gunicorn keeps a file for each worker (twice as many during a reload); None: its default."""
    return memory_directory(room=0, files=2 * settings.workers)


def gunicorn_options(settings: ServerSettings, service: AppState) -> dict[str, Any]:
    """Return all gunicorn options."""
    host, port = address(settings.bind)
    return {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "workers": settings.workers,
        "worker_class": ReviewWorker,
        "worker_connections": settings.max_connections,
        "preload_app": True,
        "keepalive": settings.keepalive,
        # A worker that a reload replaces drains for the lame duck time first.
        "graceful_timeout": int(settings.lame_duck) + settings.graceful_timeout,
        "timeout": 30,
        "asgi_lifespan": "off",
        "asgi_loop": "uvloop",
        "control_socket_disable": True,
        "worker_tmp_dir": heartbeat_directory(settings),
        "logger_class": logs.ServerLogger,
        "loglevel": "warning" if settings.log_level == "info" else settings.log_level,
        "proc_name": "gpu-admission",
        **Hooks(service).options(),
    }


class WebhookServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The server as a gunicorn application."""

    def __init__(self, options: dict[str, Any], service: AppState) -> None:
        self._options = options
        self._service = service
        super().__init__(prog="gpu-admission")

    def load_config(self) -> None:
        """Set our options; also called for a HUP."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the pages for gunicorn; the worker handles reviews before them."""
        return self._service.pages


def prepare(
    settings: ServerSettings,
    checks: Sequence[Callable[[], str | None]] = (),
    keeper: SupervisedProcess | None = None,
    watcher: SupervisedProcess | None = None,
) -> AppState | None:
    """Set up logs and load everything; None, and a log line, when no policy or no certificate can be used."""
    log_writer = logs.setup(settings.log_format, settings.log_level)
    for mistake in misspelt(os.environ):
        logs.get().warning("setting ignored", extra=logs.fields({"reason": mistake}))
    if not _has_temporary_files(settings):
        return None
    preload.load_all()  # before the workers are forked
    try:
        service = AppState(settings, handler.ENGINE, log_writer, checks, keeper, watcher)
    except PkiError as error:
        logs.get().error("no certificate", extra=logs.fields({"reason": str(error)}))
        return None
    expected = settings.tls_cert if keeper is None else ""
    lacking = service.policies.default is None and settings.policy_source == "files"
    if lacking or (expected and not os.path.exists(expected)):
        logs.get().error("nothing to serve")
        service.metrics.close()
        return None
    return service


def _has_temporary_files(settings: ServerSettings) -> bool:
    """Return whether gunicorn can make its heartbeat files; log an error where it cannot."""
    try:
        tempfile.TemporaryFile(dir=heartbeat_directory(settings)).close()
    except OSError as error:
        logs.get().error("no directory for temporary files", extra=logs.fields({"reason": str(error)}))
        return False
    return True


def serve(
    settings: ServerSettings,
    *,
    checks: Sequence[Callable[[], str | None]] = (),
    keeper: SupervisedProcess | None = None,
    watcher: SupervisedProcess | None = None,
) -> int:
    """Serve until a signal; return the exit status, 2 when no policy or no certificate can be used.

    ``checks`` are further readiness checks, as in readiness.Readiness. ``keeper`` maintains the certificate in place of
    the arbiter; until its first certificate the server is not ready. ``watcher`` follows GPUPolicy objects.
    """
    service = prepare(settings, checks, keeper, watcher)
    if service is None:
        return 2
    arbiter = os.getpid()
    try:
        Arbiter(WebhookServer(gunicorn_options(settings, service), service)).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        if os.getpid() == arbiter:  # workers are forks, and end here too
            service.metrics.close()  # gunicorn calls on_exit only when it had begun
    return 0
