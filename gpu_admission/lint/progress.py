"""A line on the terminal that shows the progress of a long run."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

_PATIENCE = 1.0  # seconds before the first line
_PACE = 0.1  # seconds between two


def shown(outcomes: Iterable[T], total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[T]:
    """Yield the outcomes, and after a second show how many there were."""
    due = clock() + _PATIENCE
    drawn = False
    try:
        for done, outcome in enumerate(outcomes, 1):
            if clock() >= due:
                drawn, due = True, clock() + _PACE
                print(f"\r{done:,} of {total:,} files\x1b[K", end="", file=sys.stderr, flush=True)
            yield outcome
    finally:
        if drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
