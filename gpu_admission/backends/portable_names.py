"""The portable names as a source: ``gpu-admission.io/gpu-mem`` and its two companions."""

from __future__ import annotations

from gpu_admission.core.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

from .base import Backend
from .checks import only_count, percents, suspicious
from .portable import SEVENTHS, Request
from .spelling import PORTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import Facts, Refused
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
        yield from suspicious(spelling, PORTABLE_MEMORY, 1, facts)
        yield from percents(spelling, PORTABLE_CORES)


BACKEND = Portable()
