"""Detects changed files by polling: inotify does not report how the kubelet replaces a mounted ConfigMap or Secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Fingerprint = tuple[tuple[int, int, int, int] | None, ...]


def fingerprint(paths: Iterable[str]) -> Fingerprint:
    """Return inode, modification time and size of each path's file, None for a missing one.

    ``stat`` follows links, so the swap of a mounted volume's ``..data`` results in another inode.
    """
    return tuple(_one(path) for path in paths)


def _one(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
