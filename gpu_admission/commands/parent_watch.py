"""When a sidecar of the server is to end: it is told to, or the server is gone."""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK = 1.0  # seconds between looks at whether the server still lives


class ParentWatch(threading.Event):
    """Set by SIGTERM, or when the server that started us is gone, which makes us ``orphaned``."""

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
    """Return a watch that SIGTERM sets; SIGINT is ignored: a terminal sends it to all processes, the server decides."""
    watch = ParentWatch(parent)
    signal.signal(signal.SIGTERM, lambda *_: watch.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return watch
