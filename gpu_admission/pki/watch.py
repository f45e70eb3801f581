"""Noticing new certificates on disk. A bad pair there keeps the last good one in use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpu_admission.pki.errors import PairError
from gpu_admission.pki.pair import Pair, load_pair

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class PairWatcher:
    """Watches two files. Cheap to poll: two stat calls while nothing changes.

    Polled instead of notified, because what Kubernetes swaps in a mounted Secret is a symbolic link
    two levels up, and because a network file system notifies nobody.
    """

    __slots__ = ("_certificate", "_key", "_seen", "error", "pair")

    def __init__(self, certificate: Path, key: Path, pair: Pair | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self._seen: tuple[object, ...] | None = None
        self.pair = pair
        self.error: str | None = None

    def poll(self, at: datetime) -> Pair | None:
        """Return a pair that is good and new since the last call, else None. Raises nothing.

        After it, `error` says what is wrong with the files as they are now, if anything. Files that
        were bad are tried again each time: a pair written in two steps is good a moment later, and
        one that is not valid yet becomes so without changing.
        """
        state = (_identity(self._certificate), _identity(self._key))
        if state == self._seen and self.error is None:
            return None
        try:
            pair = load_pair(self._certificate, self._key, at, like=self.pair)
        except PairError as error:
            self.error = str(error)
            return None
        # The files may have changed between the stat and the read; then the next poll reads again.
        self._seen = state
        self.error = None
        if self.pair is not None and (pair.chain_pem, pair.key_pem) == (
            self.pair.chain_pem,
            self.pair.key_pem,
        ):
            return None
        self.pair = pair
        return pair


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    """Tell versions of a file apart: a replaced, rewritten or relinked file differs in one of these."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
