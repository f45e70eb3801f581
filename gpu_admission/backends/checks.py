"""Checks and arithmetic that several backends share."""

from __future__ import annotations

from gpu_admission.core.quantity import GIB, MIB
from gpu_admission.workloads.resources import MOST_DEVICES

from .portable import LEAST_MEMORY, MOST_MEMORY, GpuShare, ceil_div, format_memory
from .rejection import CONTAINERS, PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.finding import Severity

    from .base import Backend, ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

_CARD_MEMORY = "nvidia.com/gpu.memory"  # the node label of GPU feature discovery, in MiB


def require_plausible(request: GpuShare) -> None:
    """Raise RejectedRequestError for amounts that no backend on any cluster can give."""
    if request.count < 1 or request.memory == 0 or request.cores == 0:
        what = "no GPU" if request.count < 1 else "no memory" if request.memory == 0 else "no compute"
        raise RejectedRequestError(
            UNTRANSLATABLE, f"which requests {what} at all", ("request more than zero", ", or leave the key out")
        )
    if request.count > MOST_DEVICES:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE, "more GPUs than any node has", "request the number of GPUs of one node at most"
        )
    if request.percent is not None and request.percent > 100:
        raise RejectedRequestError.amount(
            PERCENT,
            f"{request.percent} percent of the compute of one GPU",
            "write a percentage from 1 to 100 per GPU",
        )
    if request.memory is not None:
        _require_plausible_memory(request.memory)


def _require_plausible_memory(memory: int) -> None:
    if memory > MOST_MEMORY:
        less = ceil_div(memory, 1024)
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{format_memory(memory)} on one GPU", ", which no GPU has, so it is not translated"),
            f"check the unit: {format_memory(less)} would be 1024 times less"
            if less <= MOST_MEMORY
            else "write the memory that the process needs, such as 8Gi",
        )
    if memory < LEAST_MEMORY:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{format_memory(memory)}, too little for any process on a GPU", ", so it is not translated"),
            "check the unit: write the memory that the process needs, such as 8Gi",
        )


def require_known_size(request: GpuShare, facts: ClusterFacts) -> GpuShare:
    """Return the request with its memory in bytes, where it was given as a part of a card.

    Raises RejectedRequestError where that needs a card that the policy does not name, for a share of unknown size, and
    for what only the original backend can do.
    """
    if request.lost is not None:
        raise RejectedRequestError(UNTRANSLATABLE, *request.lost)
    if request.thousandths is not None and facts.largest is not None:
        return request.with_memory(ceil_div(facts.largest * request.thousandths, 1000))
    if request.thousandths is not None:
        reason = "a part of a card", ", and how much that is depends on the card"
        how = " (gpu-admission.io/gpu-mem: 8Gi), or name the cards in the policy's cluster.cards"
        raise RejectedRequestError.amount(UNTRANSLATABLE, reason, ("write the memory itself", how))
    if request.share:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            "a share of a card, whose size only the cluster it was written for knows",
            ("write the memory itself", " (gpu-admission.io/gpu-mem: 8Gi)"),
        )
    return request


def require_card(backend: Backend, request: GpuShare, facts: ClusterFacts) -> GpuShare:
    """Return a request for whole cards of a minimum memory as one that the backend can write.

    Raises RejectedRequestError where it chooses no card by its memory, and not every card of the policy has it.
    """
    least = request.least or 0
    if facts.smallest is not None and facts.smallest >= least:
        return GpuShare(None, request.count, request.cores)
    if backend.whole_cards:
        return GpuShare(least, request.count, request.cores)
    raise RejectedRequestError.amount(
        UNTRANSLATABLE,
        (
            f"a whole card with at least {format_memory(least)}",
            f", and {backend.title} is not known to have only such cards",
        ),
        ("name the cards in the policy's cluster.cards", ", or request the memory itself (capacity.requests.memory)"),
    )


def whole_cards_fit(request: GpuShare, facts: ClusterFacts) -> bool:
    """Return whether every card of the policy has the memory that is requested (False where it names none)."""
    return request.memory is None or (facts.smallest is not None and facts.smallest >= request.memory)


def card_affinity(request: GpuShare, facts: ClusterFacts) -> tuple[dict[str, Any], ...]:
    """Return the node affinity under which a whole card has the memory requested; none where every card has it."""
    if whole_cards_fit(request, facts):
        return ()
    assert request.memory is not None  # noqa: S101 - for mypy: a request without memory fits every card
    least = ceil_div(request.memory, MIB) - 1
    return ({"key": _CARD_MEMORY, "operator": "Gt", "values": [str(least)]},)


def in_units(memory: int, unit: int) -> tuple[int, tuple[str, ...]]:
    """Return memory in a backend's units, rounded up, and a note where that is more than requested."""
    units = ceil_div(memory, unit)
    over = units * unit - memory
    return units, (f"rounded up by {format_memory(over)} to whole {unit_name(unit)}",) if over >= MIB else ()


def unit_name(unit: int) -> str:
    """Return the name of a unit of memory: ``GiB``, ``MiB``, ``units of 10Mi``."""
    return {GIB: "GiB", MIB: "MiB"}.get(unit, f"units of {format_memory(unit)}")


def only_count(native_request: NativeRequest, *names: str) -> int:
    """Return how many devices are requested under one of these names (1 where none is named)."""
    for name in names:
        amount = native_request.amount(name)
        if amount is not None:
            return amount
    return 1


def several_gpus(backend: Backend, request: GpuShare) -> Iterator[RejectedRequestError]:
    """Yield a rejection of several cards, where a backend serves a container from one card only."""
    if request.count > 1:
        yield RejectedRequestError.amount(
            UNTRANSLATABLE,
            (
                f"{request.count} GPUs with a share of memory on each",
                f", and {backend.title} gives a container one GPU",
            ),
            ("request one GPU", " (gpu-admission.io/gpu-count: 1), or whole GPUs"),
        )


def no_cores(backend: Backend, request: GpuShare) -> Iterator[RejectedRequestError]:
    """Yield a rejection of compute, even all of it, where a backend shares memory only."""
    if request.cores is not None and not request.whole:
        yield RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{request.percent} percent of a GPU's compute", f", and {backend.title} shares memory only"),
            ("leave the percentage out", " (gpu-admission.io/gpu-core), or use a cluster whose backend limits compute"),
        )


def memory_needed(backend: Backend, request: GpuShare) -> None:
    """Raise RejectedRequestError for a percentage without memory, where a backend shares both together."""
    if request.memory is None and request.limits_cores:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (
                f"{request.percent} percent of a GPU's compute and no amount of memory",
                f", and {backend.title} gives no share of one without the other",
            ),
            ("add the memory that the process needs", " (gpu-admission.io/gpu-mem: 8Gi)"),
        )


def in_init_containers(
    backend: Backend, asked: list[ContainerRequest], *, severity: Severity | None = None
) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield each init or sidecar container with a request, where the backend does not count those."""
    for one in asked:
        if one.container.role in {"init", "sidecar"}:
            yield (
                one,
                RejectedRequestError(
                    CONTAINERS,
                    (
                        f"and {backend.title} does not count {one.container.role} containers",
                        ": it would get no GPU, or one that is allocated to others",
                    ),
                    "request the GPU in one of spec.containers",
                    severity=severity,
                ),
            )


def one_container(
    backend: Backend, asked: list[ContainerRequest]
) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield every GPU container after the first, for a backend that serves one per pod."""
    for one in asked[1:]:
        total = sum(other.request.memory or 0 for other in asked)
        sums = f" (together they request {format_memory(total)})" if total else ""
        yield (
            one,
            RejectedRequestError(
                CONTAINERS,
                (
                    f"but {asked[0].container.label} already requests a GPU",
                    f", and {backend.title} serves one GPU container in a pod{sums}",
                ),
                "move the second GPU container to a pod of its own",
            ),
        )
