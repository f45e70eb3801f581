"""Which GPU requests koord-scheduler accepts: it sums a pod's containers and divides the sum evenly over cards.

Sources: koordinator-sh/koordinator pkg/scheduler/plugins/deviceshare/utils.go (ValidDeviceResourceCombinations,
GetPodDeviceRequests) and pkg/webhook/pod/mutating/device_resource_spec.go, by which koord-manager rewrites each
container first. Amounts are percents, bytes of memory and numbers of cards.
"""

from __future__ import annotations

from collections import Counter

from .portable import format_memory, listed
from .rejection import CONTAINERS, PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import ContainerRequest
    from .native_request import NativeRequest
    from .portable import GpuShare

SHARED = "koordinator.sh/gpu.shared"
MEMORY = "koordinator.sh/gpu-memory"
RATIO = "koordinator.sh/gpu-memory-ratio"
CORES = "koordinator.sh/gpu-core"
BOTH = "koordinator.sh/gpu"  # percent of compute and of memory at once
_WHOLE = "nvidia.com/gpu"
_NAMES = (SHARED, MEMORY, RATIO, CORES, BOTH)
_COMBINATIONS = frozenset(
    frozenset(names)
    for names in (
        (_WHOLE,),
        (BOTH,),
        (MEMORY,),
        (RATIO,),
        (CORES, MEMORY),
        (CORES, RATIO),
        (SHARED, MEMORY),
        (SHARED, RATIO),
        (SHARED, CORES, MEMORY),
        (SHARED, CORES, RATIO),
    )
)


def percentages(native_request: NativeRequest) -> Iterator[RejectedRequestError]:
    """Yield percentages of one container that are neither a share of a card nor whole cards."""
    amounts = _readable(native_request)
    cards = amounts.get(SHARED)
    most = 100 * max(cards or 1, 1)
    whole_cards = amounts.get(RATIO, amounts.get(BOTH, 0))
    if cards is None and whole_cards > 100 and whole_cards % 100 == 0:
        most = whole_cards
    for name in (CORES, RATIO, BOTH):
        value = amounts.get(name)
        if value is not None and not 1 <= value <= most:
            one = f"from 1 to 100 per GPU ({most} in all)" if most > 100 else "from 1 to 100 per GPU"
            others = "" if name == CORES or cards is not None else ", or a multiple of 100 for whole GPUs"
            yield RejectedRequestError(
                PERCENT,
                (f"and {name} requests {value} percent", f": it has to be {one}{others}"),
                f"write {name} as a number from 1 to {most}",
                about=name,
            )


def refused(asked: list[ContainerRequest]) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield combinations of a pod's containers that koord-scheduler cannot serve or serves differently."""
    total = _of_pod(asked)
    names = frozenset(name for name, value in total.items() if value)
    if not names or any(one.native and _is_reported(one.native_request) for one in asked):
        return
    first = asked[0]
    beside = " together with the other containers of the pod" if len(asked) > 1 else ""
    if names not in _COMBINATIONS:
        yield first, _combination(first, names, beside)
        return
    cards = total[SHARED] or 1
    for name in (CORES, RATIO):
        if total[name] % cards:
            reason = f"and {name}: {total[name]}{beside} cannot be divided by {SHARED}: {cards}"
            down = total[name] // cards * cards or cards
            advice = f"write a multiple of {cards}, such as {name}: {down}"
            reason = f"{reason}: koord-scheduler never places the pod"
            yield first, RejectedRequestError(UNTRANSLATABLE, reason, advice, about=name)
    yield from _uneven(asked)


def _is_reported(native_request: NativeRequest) -> bool:
    """Return whether a container by itself is rejected already: for a percentage, or for a zero."""
    return 0 in _readable(native_request).values() or any(percentages(native_request))


def _combination(first: ContainerRequest, names: frozenset[str], beside: str) -> RejectedRequestError:
    own = frozenset(_readable(first.native_request))
    if MEMORY in names and RATIO in names:
        old = RATIO if RATIO in own else BOTH
        reason = f"and Koordinator takes an amount of memory or a percentage of it{beside}, never both"
        return RejectedRequestError(
            UNTRANSLATABLE, (reason, ": the pod would stay Pending forever"), (f"keep {MEMORY}", f", or {old}")
        )
    if _WHOLE in names:
        reason = f"and Koordinator gives a pod whole GPUs or shares{beside}, never both"
        return RejectedRequestError(UNTRANSLATABLE, reason, "move one of the two to a pod of its own")
    if BOTH in names:
        reason = f"and Koordinator takes {BOTH}{beside} alone: it is rewritten in spec.containers only"
        advice = f"write {CORES} and {RATIO} instead of {BOTH}"
        return RejectedRequestError(UNTRANSLATABLE, (reason, ", and the pod would stay Pending forever"), advice)
    return RejectedRequestError(
        UNTRANSLATABLE,
        (
            f"and not how much memory{beside}: koord-scheduler has no combination of {listed(sorted(names))}",
            ", and the pod would stay Pending forever",
        ),
        (f"write the memory besides: {MEMORY}: 8Gi", f", or {RATIO}: 50"),
    )


def _uneven(asked: list[ContainerRequest]) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield each container that requests other amounts per card than the first: all are given the average."""
    sharing = [one for one in asked if one.container.role != "init" and not one.request.whole]
    for one in sharing[1:]:
        first, this = sharing[0].request, one.request
        if _per_card(first) == _per_card(this):
            continue
        memory = "" if not first.memory or first.memory == this.memory else f" ({format_memory(first.memory)})"
        reason = (
            f"but {sharing[0].container.label} requests another amount of each card{memory}, and "
            "Koordinator divides the sum of the pod evenly over its cards and shows every container all of them"
        )
        advice = "write the same amounts in both containers, or move one of them to a pod of its own"
        yield one, RejectedRequestError(CONTAINERS, reason, advice)


def _per_card(request: GpuShare) -> tuple[int | None, int | None, int | None]:
    return request.memory, request.thousandths, request.percent


def _of_pod(asked: list[ContainerRequest]) -> Counter[str]:
    """Return what Kubernetes counts for a pod: the containers together, or one init container that requests more."""
    running: Counter[str] = Counter()
    sidecars: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for one in asked:
        amounts = _rewritten(one)
        if one.container.role == "init":
            most |= sidecars + amounts
            continue
        running += amounts
        if one.container.role == "sidecar":
            sidecars += amounts
            most |= sidecars
    return most | running


def _rewritten(one: ContainerRequest) -> Counter[str]:
    """Return a container's amounts as koord-manager leaves them: ``gpu`` as its two halves, and the number of cards."""
    if one.backend_patch is not None:
        return Counter(_translated(one))
    amounts = _readable(one.native_request)
    if one.container.role != "app":
        return Counter(amounts)
    both = amounts.pop(BOTH, 0)
    if both:
        amounts[CORES] = amounts[RATIO] = both
    if SHARED not in amounts and _WHOLE not in amounts and amounts:
        ratio = amounts.get(RATIO, 0)
        amounts[SHARED] = ratio // 100 if ratio > 100 and ratio % 100 == 0 else 1
    return Counter(amounts)


def _translated(one: ContainerRequest) -> Mapping[str, int]:
    request, written = one.request, (one.backend_patch.resources if one.backend_patch is not None else {})
    amounts = {SHARED: request.count, MEMORY: (request.memory or 0) * request.count, _WHOLE: request.count}
    amounts[CORES] = (request.percent or 0) * request.count
    return {name: amounts[name] for name in written if name in amounts}


def _readable(native_request: NativeRequest) -> dict[str, int]:
    """Return the amounts that are whole numbers of at least zero; other rules report the rest."""
    found = {}
    for name in (*_NAMES, _WHOLE):
        gpu = native_request.gpus.get(name)
        amount = None if gpu is None else gpu.quantity()
        if amount is not None and amount.is_integer and not amount.is_negative:
            found[name] = amount.ceil()
    return found
