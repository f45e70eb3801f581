"""A line on the terminal that tells how far a long look at a cluster has come, and why it waits."""

from __future__ import annotations

import sys
import time

from gpu_admission.core.raw import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from gpu_admission.audit.result import AuditResult
    from gpu_admission.cluster.connection import Connection

_PATIENCE = 1.0  # seconds before the first line
_PACE = 0.1  # seconds between two
_WIDEST = 118


class ProgressLine:
    """Progress on standard error where that is a terminal; waits are told in any case, on lines of their own."""

    def __init__(self, connection: Connection) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._due = time.monotonic() + _PATIENCE
        self._drawn = False
        connection.on_wait = self._wait

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        self._clear()

    def shown(self, what: str, result: AuditResult, remaining: int) -> None:
        """Tell what is being listed."""
        coming = f", {remaining:,} to come" if remaining else ""
        self.draw(f"{what}: {result.objects:,} objects{coming}; findings on {result.count:,} so far")

    def draw(self, line: str) -> None:
        """Show a line in place of the last one, not more often than anybody reads."""
        if self._terminal and time.monotonic() >= self._due:
            self._drawn, self._due = True, time.monotonic() + _PACE
            print(f"\r{line[:_WIDEST]}\x1b[K", end="", file=sys.stderr, flush=True)

    def _wait(self, text: str) -> None:
        self._clear()
        print(escape(text), file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._drawn:
            self._drawn = False
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
