"""Koordinator: shares of cards by total memory and total compute."""

from __future__ import annotations

from gpu_admission.core.quantity import exact_bytes

from .base import Backend, Marks, Page
from .checks import (
    card_affinity,
    in_init_containers,
    memory_needed,
    no_cards,
    no_memory,
    only_count,
    suspicious_bytes,
)
from .components import Component
from .portable import MOST_MEMORY, SEVENTHS, Emission, Request, ceil_div, in_words
from .refusal import PERCENT, UNIT, Refused
from .spelling import NVIDIA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.workload import Pod

    from .base import Asked, Facts
    from .spelling import Spelling

_SHARED = "koordinator.sh/gpu.shared"
_MEMORY = "koordinator.sh/gpu-memory"
_RATIO = "koordinator.sh/gpu-memory-ratio"
_CORES = "koordinator.sh/gpu-core"
_BOTH = "koordinator.sh/gpu"  # percent of compute and of memory at once


class Koordinator(Backend):
    """Memory in bytes and compute in percent, both over all cards of the request."""

    name = "koordinator"
    title = "Koordinator"
    scheduler = "koord-scheduler"
    reads = frozenset({"koordinator", NVIDIA})  # the latter as whole cards
    shares_cards = True
    gpu_is_card = True
    card_counter = _SHARED
    marks = Marks(  # koordinator-sh/koordinator: apis/extension
        "Koordinator", annotations=("scheduling.koordinator.sh/device-allocated",)
    )
    components = (
        Component(
            "Koordinator",
            source="koordinator-sh/charts: versions/v1.8.0/templates/rbac/koord-scheduler.yaml",
            namespaces=("koordinator-system",),
            accounts=("koordinator-system:koord-scheduler",),
            images=("docker.io/koordinatorsh/koordlet", "ghcr.io/koordinator-sh/koordlet"),
        ),
    )
    preloads = True  # with the pod label koordinator.sh/gpu-isolation-provider: HAMi-core

    def read(self, spelling: Spelling, facts: Facts) -> Request:
        """Read totals and divide them by the number of cards."""
        del facts
        if spelling.system == NVIDIA:
            return Request(None, only_count(spelling, "nvidia.com/gpu"), consumed=("nvidia.com/gpu",))
        both, ratio, cores = spelling.amount(_BOTH), spelling.amount(_RATIO), spelling.amount(_CORES)
        memory = spelling.amount(_MEMORY)
        percent = cores or both
        parts = ratio or both
        count = spelling.amount(_SHARED)
        if count is None:
            count = max(ceil_div(parts or percent or 0, 100), 1) if memory is None else 1
        consumed = {_SHARED, _CORES, _MEMORY if memory else _RATIO} | (
            {_BOTH} if not (cores or ratio or memory) else set()
        )
        if count < 1:
            return Request(memory, count, consumed=consumed)
        per_gpu = None if percent is None else ceil_div(percent * SEVENTHS, count)
        if memory:
            return Request(ceil_div(memory, count), count, per_gpu, consumed=consumed)
        whole = parts is None or parts % (100 * count) == 0
        thousandths = None if whole else ceil_div((parts or 0) * 10, count)
        return Request(None, count, per_gpu, thousandths=thousandths, consumed=consumed)

    def inspect(self, spelling: Spelling, facts: Facts) -> Iterator[Refused]:
        """Yield percentages that are neither a part of one card nor whole cards, and impossible amounts of memory."""
        yield from no_cards(spelling, _SHARED)
        yield from no_memory(spelling, _MEMORY, "8Gi")
        yield from suspicious_bytes(spelling, _MEMORY)
        yield from _too_many_bytes(spelling, facts)
        count = only_count(spelling, _SHARED) if _readable(spelling, _SHARED) else 1
        for name in (_CORES, _RATIO, _BOTH):
            gpu = spelling.gpus.get(name)
            amount = None if gpu is None else gpu.quantity()
            if amount is None or amount.is_negative:
                continue
            value = amount.ceil()
            if value < 1 or (value > 100 * max(count, 1) and value % 100):
                yield Refused(
                    PERCENT,
                    f"and {name} says {value} percent: from 1 to 100 per GPU, or a multiple of 100 for whole GPUs",
                    f"write {name} as a number from 1 to {100 * max(count, 1)}",
                )

    def write(self, request: Request, facts: Facts) -> Emission:
        """Ask for the totals over all cards; whole cards are asked for by NVIDIA's name, which Koordinator reads."""
        if request.whole:
            return Emission({"nvidia.com/gpu": request.count}, affinity=card_affinity(request, facts))
        memory_needed(self, request)
        memory = request.memory or 0
        resources: dict[str, int | str] = {
            _SHARED: request.count,
            _MEMORY: exact_bytes(memory * request.count),
        }
        if request.percent is not None:
            resources[_CORES] = request.percent * request.count
        return Emission(resources)

    def together(self, pod: Pod, asked: list[Asked], facts: Facts) -> Iterator[tuple[Asked, Refused]]:
        """Yield init containers, for which Koordinator allocates nothing."""
        del pod, facts
        yield from in_init_containers(self, asked)


def _too_many_bytes(spelling: Spelling, facts: Facts) -> Iterator[Refused]:
    """Yield an error for a total of memory that no cards have; where the policy names its cards, GPU105 says so."""
    gpu = spelling.gpus.get(_MEMORY)
    amount = None if gpu is None or facts.largest is not None or not _readable(spelling, _MEMORY) else gpu.quantity()
    count = spelling.amount(_SHARED) or 1
    if amount is not None and amount.ceil() > MOST_MEMORY * count:
        yield Refused(
            UNIT,
            f"{in_words(ceil_div(amount.ceil(), count))} on one GPU, which no GPU has: {_MEMORY} counts bytes",
            f"write the memory that the process needs, such as {_MEMORY}: 8Gi",
            severity="error",
        )


def _readable(spelling: Spelling, name: str) -> bool:
    gpu = spelling.gpus.get(name)
    amount = None if gpu is None else gpu.quantity()
    return amount is None or (amount.is_integer and not amount.is_negative)


BACKEND = Koordinator()
BACKEND.page = Page(
    summary="""\
Koordinator counts memory in bytes and compute in percent, both as totals over the `koordinator.sh/gpu.shared` cards of
the request. Whole cards are asked for as `nvidia.com/gpu`, which Koordinator reads itself. Pods need
`schedulerName: koord-scheduler` (GPU202).""",
    refuses=(
        ("init containers and sidecars", "nothing is allocated for them"),
        ("a percentage of compute without memory", "a share of a card has some of both"),
    ),
    install="""\
Koordinator's manager has webhooks of its own in `koordinator-system`; exempt it as the shipped policy does. They may
change a pod's labels, priority and resources by its ClusterColocationProfiles, never its GPUs. Enable the DeviceShare
plugin in koord-scheduler and run koordlet on the GPU nodes.""",
    traps=(
        "Amounts are totals: `koordinator.sh/gpu-memory: 16Gi` with `gpu.shared: 2` is 8 GiB on each card.",
        "`koordinator.sh/gpu: 50` is half of a card's compute and half of its memory.",
        "Nothing enforces the limits unless koordlet's HAMi hook is installed.",
    ),
    sources=(
        "koordinator-sh/koordinator: apis/extension/device_share.go",
        "https://koordinator.sh/docs/user-manuals/fine-grained-device-scheduling/",
    ),
)
