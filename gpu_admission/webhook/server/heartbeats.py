"""When each worker's event loop last ran, in shared memory, so that every worker can report on all."""

from __future__ import annotations

import mmap
import struct

STALLED = 5.0
"""Seconds without a heartbeat (there is one a second) after which a worker is reported as not serving."""
_SIZE = struct.calcsize("d")


class Heartbeats:
    """One number per slot: the time (CLOCK_MONOTONIC, the same in all processes) of the last heartbeat, 0 for none.

    Made before the fork, in anonymous memory, which does not depend on space in ``/dev/shm``.
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._slots = mmap.PAGESIZE // _SIZE

    def beat(self, slot: int, now: float) -> None:
        """Note that the loop in a slot runs ``now`` (seconds of the monotonic clock)."""
        if slot < self._slots:
            self._shared[slot * _SIZE : (slot + 1) * _SIZE] = struct.pack("d", now)

    def forget(self, slot: int) -> None:
        """Note that no worker is in a slot any more."""
        self.beat(slot, 0.0)

    def stalled(self, now: float) -> int:
        """Count the workers that have not run for a while."""
        times = struct.unpack(f"{self._slots}d", self._shared[:])
        return sum([0.0 < last < now - STALLED for last in times])
