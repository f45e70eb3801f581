"""The metrics of all processes: files mapped into memory, every page of which is reserved before it is used.

prometheus_client makes its files sparse. On a full ``/dev/shm`` the first use of a page then ends the process by
SIGBUS; here the space is reserved first, and an error is an OSError that can be handled.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from typing import TYPE_CHECKING

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the one place that POSIX systems have for it
FILE = 16 * 1024
"""Bytes of a new file; it is doubled when a process has more time series than fit."""
KINDS = ("counter", "histogram", "gauge_livemin", "gauge_max")
ROOM = 64 * 1024
"""Bytes that must be free in a directory for other small files."""


class ReservedDict(MmapedDict):
    """prometheus_client's file of numbers, with its space reserved before it is mapped; raises OSError."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            reserve(filename, FILE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        size = len(key.encode())
        needed = self._used + 4 + size + (8 - (size + 4) % 8) + 16
        capacity = self._capacity
        while needed > capacity:
            capacity *= 2
        if capacity > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, capacity)
            self._capacity = capacity
            self._m = mmap.mmap(self._f.fileno(), capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def reserve(path: str, size: int) -> None:
    """Make a file at least ``size`` bytes long, every byte of which can be written; raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_size < size:
            os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def install(directory: str, slot: Callable[[], str]) -> None:
    """Let prometheus_client keep its numbers in files of ``directory``, named by what ``slot`` returns."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    values.MmapedDict = ReservedDict  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(slot)  # type: ignore[no-untyped-call]


def uninstall() -> None:
    """Let it keep its numbers in each process's own memory."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    values.ValueClass = values.MutexValue


def make_directory(slots: int) -> tuple[str | None, str]:
    """Make a directory with files for so many processes; return it, and the places without room as text.

    None where no place has room: shared memory is tried first, because no disk can stall a count there, then the
    directory of temporary files.
    """
    refused: list[str] = []
    for place in _places():
        try:
            return _reserved_directory(place, slots), "; ".join(refused)
        except OSError as error:
            refused.append(f"{place}: {error.strerror}")
    return None, "; ".join(refused)


def _reserved_directory(place: str, slots: int) -> str:
    """Make a directory with its files in a place; raises OSError, and leaves nothing then."""
    directory = tempfile.mkdtemp(prefix="gpu-admission-metrics-", dir=place)
    try:
        for kind in KINDS:
            for slot in ("arbiter", *map(str, range(slots))):
                reserve(os.path.join(directory, f"{kind}_{slot}.db"), FILE)
    except OSError:
        remove_directory(directory)
        raise
    return directory


def forget_gauges(directory: str, slot: str) -> None:
    """Empty the file of an ended process's gauges. Its space stays reserved for the next process."""
    try:
        fd = os.open(os.path.join(directory, f"gauge_livemin_{slot}.db"), os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    os.pwrite(fd, bytes(8), 0)  # how much of it is in use
    os.close(fd)


def remove_directory(directory: str) -> None:
    """Remove a directory that `make_directory` made, and the files in it."""
    for entry in os.scandir(directory) if os.path.isdir(directory) else ():
        os.unlink(entry.path)
    if os.path.isdir(directory):
        os.rmdir(directory)


def _places() -> Iterator[str]:
    if os.path.isdir(SHARED_MEMORY):
        yield SHARED_MEMORY
    try:
        yield tempfile.gettempdir()
    except OSError:  # no directory can be written
        return


def memory_directory(room: int = ROOM, files: int = 1) -> str | None:
    """Return a directory in memory with room for small files, which no disk can stall; None without one."""
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(files):
                file = stack.enter_context(tempfile.TemporaryFile(dir=SHARED_MEMORY))
                if room:
                    os.posix_fallocate(file.fileno(), 0, room)
        except OSError:
            return None
    return SHARED_MEMORY
