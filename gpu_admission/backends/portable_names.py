"""The portable names as a source: ``gpu-admission.io/gpu-mem`` and its two companions."""

from __future__ import annotations

from gpu_admission.workloads.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

from .amount_checks import no_cards, no_memory, percents, suspicious_bytes
from .base import Backend
from .checks import only_count
from .native_request import PORTABLE
from .portable import SEVENTHS, GpuShare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import ClusterFacts
    from .native_request import NativeRequest
    from .rejection import RejectedRequestError


class Portable(Backend):
    """The names that no cluster serves and that can be translated for every backend."""

    name = "portable"
    title = "the portable request"
    reads = frozenset({PORTABLE})

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read bytes per GPU, GPUs and percent; without memory, whole GPUs are requested."""
        del facts
        cores = native_request.amount(PORTABLE_CORES)
        return GpuShare(
            native_request.amount(PORTABLE_MEMORY),
            only_count(native_request, PORTABLE_COUNT),
            None if cores is None else cores * SEVENTHS,
            consumed=(PORTABLE_MEMORY, PORTABLE_COUNT, PORTABLE_CORES),
        )

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield amounts of memory that forgot their unit, zeroes, and impossible percentages."""
        del facts
        yield from suspicious_bytes(native_request, PORTABLE_MEMORY)
        yield from list(no_memory(native_request, PORTABLE_MEMORY, "8Gi")) or no_cards(native_request, PORTABLE_COUNT)
        yield from percents(native_request, PORTABLE_CORES)


BACKEND = Portable()
