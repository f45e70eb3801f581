"""The certificate sidecar beside the server: where a certificate is kept in a Secret, or published in configurations.

It is a program of its own, ``PROGRAM``: neither the forking server nor a worker ever loads
the Kubernetes client, and this package imports nothing of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .metrics_memory import memory_directory
from .self_signed import state_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from gpu_admission.webhook.server.settings import ServerSettings

PROGRAM = "gpu_admission.commands.cert_sidecar"
FIRST_CERTIFICATE = 15.0  # seconds to wait for the one in a Secret; later it comes while we are not ready
LONGEST_PAUSE = 60.0  # seconds between two starts of a process that keeps crashing
SETTLED = 60.0  # seconds after which a crash is a new one
STOP_TIMEOUT = 5.0  # seconds to end by itself after SIGTERM


def is_wanted(settings: ServerSettings) -> bool:
    """Tell whether these settings need a sidecar."""
    return bool(settings.webhook_configuration or settings.secret)


class CertificateSidecar:
    """A sidecar, and the ``settings`` with which the server serves what it leaves.

    That is in a directory in memory, or in the directory given. Whoever makes one closes it, in the process that
    made it: workers are forks, and their end comes by there too.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._owner = os.getpid()
        self._directory = tempfile.mkdtemp(prefix="gpu-admission-serving-", dir=memory_directory())
        own = not settings.tls_cert and not settings.secret
        place = (settings.self_signed or state_directory(os.environ)) if own else self._directory
        self.process = SupervisedProcess(_command(settings, place))
        self.settings = replace(settings, status=place)
        self._awaited = ""
        if settings.secret:
            cert, key = os.path.join(place, "tls.crt"), os.path.join(place, "tls.key")
            self.settings = replace(self.settings, secret="", tls_cert=cert, tls_key=key)
            self._awaited = cert

    def begin(self) -> None:
        """Start the sidecar where the server waits for what it brings, and wait for a while."""
        if not self._awaited:
            return
        self.process.watch(time.monotonic())
        end = time.monotonic() + FIRST_CERTIFICATE
        while self.process.running and not os.path.exists(self._awaited) and time.monotonic() < end:
            time.sleep(0.05)

    def close(self) -> None:
        """End the sidecar and remove what lies in memory; nothing in a fork, or when done already."""
        if os.getpid() == self._owner:
            self.process.stop()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


def _command(settings: ServerSettings, directory: str) -> list[str]:
    """Return the command line of a sidecar that leaves what it has to say, or to serve, in ``directory``."""
    command = [sys.executable, "-m", PROGRAM, "--directory", directory]
    command += ["--service", settings.service_name, "--namespace", settings.service_namespace]
    command += ["--log-format", settings.log_format, "--interval", str(settings.keeper_interval)]
    for name in settings.san:
        command += ["--san", name]
    for name in settings.webhook_configuration:
        command += ["--webhook-configuration", name]
    if settings.secret:
        command += ["--secret", settings.secret]
    if settings.tls_cert:
        command += ["--observe", settings.tls_cert]
    return command


class SupervisedProcess:
    """Runs a command for as long as the server lives; a crash is answered by a start, later each time.

    A new program, not a fork: what it imports costs the workers no memory, and the arbiter, which has to fork,
    has no thread. It has to notice by itself when the arbiter is killed, and is told whom to look for: the last words
    of its command are ``--parent PID``.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = 0.0
        self._started = 0.0
        self._next = 0.0

    @property
    def running(self) -> bool:
        """Whether it runs. gunicorn reaps every child of the arbiter, so how one ended is not known here."""
        return self._process is not None and self._process.poll() is None

    def watch(self, now: float) -> bool:
        """Start it when it does not run and enough time has passed; True when it was started. ``now`` is monotonic."""
        if self.running:
            return False
        if self._process is not None:
            self._process = None
            self._pause = 1.0 if now - self._started > SETTLED else min(max(1.0, self._pause * 2), LONGEST_PAUSE)
            self._next = now + self._pause
        if now < self._next:
            return False
        # The listening sockets are inheritable, for gunicorn's own sake: Popen closes them in the child.
        command = [*self._command, "--parent", str(os.getpid())]  # who that is, only now: gunicorn may have forked
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
        self._started = now
        return True

    def stop(self) -> None:
        """End it, for good and whatever it does."""
        process, self._process, self._next = self._process, None, float("inf")
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
