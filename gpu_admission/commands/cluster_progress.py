"""Lines on the terminal that show the progress of reading a cluster, and why it waits."""

from __future__ import annotations

import os
import sys
import time

from gpu_admission.core.raw import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from gpu_admission.cluster.connection import Connection

_UNKNOWN_WIDTH = 80
_PATIENCE = 1.0  # seconds before the first line
_PACE = 0.1  # seconds between two
_SHARE = 20  # times as long as making the lines took, before they are made again


class ProgressLine:
    """Progress on standard error where that is a terminal; waits are reported in any case, on separate lines."""

    def __init__(self, connection: Connection) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._due = time.monotonic() + _PATIENCE
        self._drawn = 0  # lines
        connection.on_wait = self._wait

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the lines."""
        self._clear()

    def update(self, lines: Callable[[], Iterable[str]]) -> None:
        """Replace the lines shown, at most every `_PACE` seconds; they are made only then."""
        started = time.monotonic()
        if not self._terminal or started < self._due:
            return
        fitted = _fitted(lines())
        self._clear()
        self._drawn = len(fitted)
        print("\n".join(fitted), end="", file=sys.stderr, flush=True)
        now = time.monotonic()
        self._due = now + max(_PACE, _SHARE * (now - started))

    def _wait(self, text: str) -> None:
        self._clear()
        print(escape(text), file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._drawn = 0
            print(f"\r{up}\x1b[J", end="", file=sys.stderr, flush=True)


def _fitted(lines: Iterable[str]) -> list[str]:
    """Cut lines to the terminal's width: a wrapped line would have to be removed as two."""
    from rich.cells import set_cell_size  # noqa: PLC0415 - start-up time: needed only on a terminal

    width = _width() - 1
    return [set_cell_size(line, width).rstrip() for line in lines]


def _width() -> int:
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns, 2)
    except (OSError, ValueError):
        return _UNKNOWN_WIDTH
