"""The portable names as a source: ``gpu-admission.io/gpu-mem`` and its two companions."""

from __future__ import annotations

from gpu_admission.core.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

from .base import Backend
from .checks import only_count, percents
from .portable import LEAST_MEMORY, SEVENTHS, Request, in_words
from .refusal import UNIT, Refused
from .spelling import PORTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import Facts
    from .spelling import Spelling


class Portable(Backend):
    """The spelling that no cluster serves and every backend can be asked in."""

    name = "portable"
    title = "the portable request"
    reads = frozenset({PORTABLE})

    def read(self, spelling: Spelling, facts: Facts) -> Request:
        """Read bytes per GPU, GPUs and percent; without memory, whole GPUs are asked for."""
        del facts
        cores = spelling.amount(PORTABLE_CORES)
        return Request(
            spelling.amount(PORTABLE_MEMORY),
            only_count(spelling, PORTABLE_COUNT),
            None if cores is None else cores * SEVENTHS,
        )

    def inspect(self, spelling: Spelling, facts: Facts) -> Iterator[Refused]:
        """Yield amounts of memory that forgot their unit, and impossible percentages."""
        del facts
        gpu = spelling.gpus.get(PORTABLE_MEMORY)
        amount = None if gpu is None else gpu.quantity()
        if amount is not None and not amount.is_negative and 0 < amount.ceil() < LEAST_MEMORY:
            yield _without_suffix(amount.ceil())
        yield from percents(spelling, PORTABLE_CORES)


def _without_suffix(count: int) -> Refused:
    """Return the doubt about a number of bytes that was hardly meant in bytes."""
    meant = f"{count}Gi" if count < 1024 else f"{count}Mi" if count < 1024 * 1024 else "8Gi"
    return Refused(
        UNIT,
        f"{in_words(count)}: {PORTABLE_MEMORY} counts bytes; did you mean {meant}?",
        f"write {PORTABLE_MEMORY}: {meant}, or whatever the process needs, with its suffix",
    )


BACKEND = Portable()
