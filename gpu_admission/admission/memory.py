"""Giving memory back: what a flood of connections took must not stay with the process for ever."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
LARGE = 128 * 1024


def return_large_blocks() -> None:
    """Have the C library take blocks of 128 KiB and more from the kernel one by one, and give them back when freed.

    glibc begins so, but raises the limit to what was freed last, and keeps such blocks in its heap from then on:
    each TLS connection of uvloop's has a buffer of 256 KiB, and 1,400 of them left 60 MiB with two workers. Other C
    libraries have no such limit, and nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, LARGE)
    mallopt(_TRIM_THRESHOLD, LARGE)
