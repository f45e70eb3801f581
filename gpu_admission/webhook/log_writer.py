"""Writes log lines to a file descriptor without ever blocking.

A reader that stops reading (a stuck log agent, a paused terminal) fills the pipe; a blocking write would then stop
the event loop, and with it every review. Lines wait in a bounded queue instead; what does not fit is dropped, counted,
and reported once lines can be written again.

The lines of a worker are gathered and written about fifty times a second: a system call for each costs a tenth of a
review. Warnings and errors are written at once, and so is everything in a process without an event loop.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

INTERVAL = 0.02
"""Seconds for which a worker gathers lines."""
CAPACITY = 1 << 20
"""Bytes of queued lines, in each process."""
FINISH_TIMEOUT = 1.0
"""Seconds that a process which ends waits until its queued lines are written."""
# A write of at most PIPE_BUF bytes to a pipe is atomic (POSIX): the lines of several processes do not mix.
BATCH = select.PIPE_BUF


class LogWriter:
    """A queue of lines for ``fd``. Thread-safe; after a fork the child starts with an empty queue.

    ``notice(count)`` returns the line that reports dropped ones; ``dropped(count)`` is called at once for each.
    """

    def __init__(self, fd: int, notice: Callable[[int], str], capacity: int = CAPACITY) -> None:
        self.dropped: Callable[[int], None] = _ignore
        self._notice = notice
        self._capacity = capacity
        self._send = nonblocking_sender(fd)
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._lines: deque[bytes] = deque()
        self._unsent = b""  # the rest of a partly written batch
        self._size = 0
        self._unreported = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None

    def gather(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Write the lines of this thread's event loop together from now on; with None, at once again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._loop, self._loop_thread = None, loop, threading.get_ident()

    def write(self, line: str, *, urgent: bool = False) -> None:
        """Queue one line (without its newline). Never blocks, and raises nothing for errors of the descriptor."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._size + len(data) > self._capacity:
                self._flush()
            if self._size + len(data) > self._capacity:
                self._drop(1)
                return
            self._lines.append(data)
            self._size += len(data)
        if urgent or self._loop is None or threading.get_ident() != self._loop_thread:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def flush(self) -> bool:
        """Write what can be written without blocking; return whether the queue is empty."""
        with self._lock:
            return self._flush()

    def finish(self, seconds: float = FINISH_TIMEOUT) -> None:
        """Write what is queued, waiting for at most ``seconds``: this process is about to end."""
        end = time.monotonic() + seconds
        while not self.flush() and time.monotonic() < end:
            time.sleep(INTERVAL)

    def _tick(self) -> None:
        self._timer = None
        if not self.flush() and self._loop is not None:
            self._timer = self._loop.call_later(5 * INTERVAL, self._tick)

    def _flush(self) -> bool:
        try:
            while self._unsent or self._lines:
                batch = self._unsent or self._next_batch()
                self._unsent = batch
                self._unsent = batch[self._send(batch) :]
                self._size -= len(batch) - len(self._unsent)
                if not self._lines:
                    self._report()
        except BlockingIOError:
            return False
        except OSError:  # closed, or the disk is full
            count = len(self._lines) + self._unsent.count(b"\n")
            self._lines.clear()
            self._unsent, self._size = b"", 0
            self._drop(count)
        return True

    def _next_batch(self) -> bytes:
        size = 0
        batch: list[bytes] = []
        while self._lines and (not batch or size + len(self._lines[0]) <= BATCH):
            batch.append(self._lines.popleft())
            size += len(batch[-1])
        return b"".join(batch)

    def _drop(self, count: int) -> None:
        self._unreported += count
        self.dropped(count)

    def _report(self) -> None:
        """Queue the notice of what was dropped, now that lines can be written."""
        if self._unreported:
            line = self._notice(self._unreported).encode() + b"\n"
            self._unreported = 0
            self._lines.append(line)
            self._size += len(line)


def _ignore(_: int) -> None: ...


def nonblocking_sender(fd: int) -> Callable[[bytes], int]:
    """Return a function that writes bytes to ``fd`` and raises BlockingIOError instead of blocking.

    The flag belongs to the open file, which other processes share: a pipe or terminal is opened again for this process.
    Where that is forbidden (a container's pipe belongs to root), the open file itself is made non-blocking.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return lambda data: os.write(fd, data)  # closed: every write fails
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(fd))
        return lambda data: sock.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            os.set_blocking(fd, False)
            own = fd
        return lambda data: os.write(own, data)
    return lambda data: os.write(fd, data)  # a regular file never blocks
