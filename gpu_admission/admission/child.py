"""A process of its own beside the workers, started by the arbiter and kept running."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PAUSE = 60.0  # seconds between two starts of what keeps crashing
SETTLED = 60.0  # seconds after which a crash is a new one
PATIENCE = 5.0  # seconds to end by itself after SIGTERM


class Child:
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
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
