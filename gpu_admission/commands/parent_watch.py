"""When a sidecar of the server has to end: after SIGTERM, or when the server has ended."""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK = 1.0  # seconds between checks whether the server still runs


class ParentWatch(threading.Event):
    """Set by SIGTERM, or when the server that started us has ended, which makes us ``orphaned``."""

    def __init__(self, parent: int) -> None:
        super().__init__()
        self._parent = parent
        self.orphaned = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait; True when it is time to end."""
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while not super().wait(max(0.0, min(LOOK, end - time.monotonic()))):
            if os.getppid() != self._parent:
                self.orphaned = True
                return True
            if time.monotonic() >= end:
                return False
        return True


def until_terminated(parent: int) -> ParentWatch:
    """Return a watch that SIGTERM sets; SIGINT is ignored: a terminal sends it to all, and the server ends us."""
    watch = ParentWatch(parent)
    signal.signal(signal.SIGTERM, lambda *_: watch.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return watch
