"""Giving memory back: what a flood of connections took must not stay with the process forever."""

from __future__ import annotations

import ctypes
import gc


def release() -> None:
    """Return what is not in use to the kernel; takes some milliseconds, and does nothing but with glibc.

    Each TLS connection of uvloop's has buffers of some 256 KiB, which glibc keeps in its heap when they are freed.
    Having it map such blocks one by one instead (``M_MMAP_THRESHOLD``) costs a tenth of every review, because
    Python's ``SSLObject.read`` makes one for each read.
    """
    gc.collect()  # connections refer to themselves in circles
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
