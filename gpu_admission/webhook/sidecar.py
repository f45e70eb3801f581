"""Programs that run beside the server: one for certificates, one for policies, each with a directory in memory.

They are separate programs, not forks: what they import costs the workers no memory, and the arbiter, which has to fork,
has no thread.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

LONGEST_PAUSE = 60.0  # seconds between two starts of a process that keeps crashing
SETTLED = 60.0  # seconds after which a crash counts as a first one
STOP_TIMEOUT = 5.0  # seconds to end by itself after SIGTERM


class SupervisedProcess:
    """Runs a command as long as the server runs, and restarts it after a crash, with increasing pauses.

    The process has to detect by itself that the arbiter was killed: the last arguments of the command are
    ``--parent PID``.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = 0.0
        self._started = 0.0
        self._next = 0.0

    @property
    def running(self) -> bool:
        """Whether it runs. gunicorn reaps every child of the arbiter, so the exit status is not available here."""
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
        command = [*self._command, "--parent", str(os.getpid())]  # not earlier: gunicorn may have forked
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
        self._started = now
        return True

    def stop(self) -> None:
        """End it for good, by SIGKILL if necessary."""
        process, self._process, self._next = self._process, None, float("inf")
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Sidecar:
    """A supervised ``process`` and the directory of the files that it writes.

    Only the process that made it closes it; in workers, which are forks, ``close`` does nothing.
    """

    process: SupervisedProcess

    def __init__(self, prefix: str, memory: str | None) -> None:
        self._owner = os.getpid()
        self._directory = tempfile.mkdtemp(prefix=prefix, dir=memory)

    def _start(self, ready: Callable[[], bool], timeout: float) -> None:
        """Start the process, and wait until it is ready, has ended, or so many seconds have passed."""
        self.process.watch(time.monotonic())
        end = time.monotonic() + timeout
        while self.process.running and not ready() and time.monotonic() < end:
            time.sleep(0.05)

    def close(self) -> None:
        """End the process and remove its directory; nothing in a fork, or when done already."""
        if os.getpid() == self._owner:
            self.process.stop()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()
