"""Returning memory to the kernel after a flood of connections."""

from __future__ import annotations

import ctypes
import gc


def release() -> None:
    """Return unused memory to the kernel; takes some milliseconds, and works only with glibc.

    Each TLS connection of uvloop has buffers of about 256 KiB, which glibc keeps in its heap when they are freed.
    Mapping such blocks separately instead (``M_MMAP_THRESHOLD``) costs a tenth of every review, because
    Python's ``SSLObject.read`` allocates one for each read.
    """
    gc.collect()  # connections are in reference cycles
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
