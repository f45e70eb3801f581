"""Containers that request GPUs in the names of several systems: which combinations are valid."""

from __future__ import annotations

from . import known
from .native_request import NVIDIA, NVIDIA_SHARED, PORTABLE, is_zero
from .portable import listed
from .rejection import MIXED, RejectedRequestError, Rejection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.finding import Sentence
    from gpu_admission.core.pointer import Pointer

    from .native_request import NativeRequest

_VENDORS = frozenset({"nvidia", "amd", "intel"})
_MIXABLE = frozenset({NVIDIA, NVIDIA_SHARED, "mig"})  # one device plugin offers all three, a container may use one


def rejections(found: list[NativeRequest]) -> dict[Pointer, Rejection]:
    """Return container -> rejection where it requests GPUs twice, in names that cannot be combined."""
    groups: dict[Pointer, list[NativeRequest]] = {}
    for native_request in found:
        groups.setdefault(native_request.container.pointer, []).append(native_request)
    return {at: _mixture(group) for at, group in groups.items() if len(group) > 1 and _clash(group)}


def _clash(group: list[NativeRequest]) -> bool:
    translated = [native_request for native_request in group if native_request.system in known.READERS]
    return (
        len(translated) > 1
        or len(vendors(group)) > 1
        or any(native_request.system == PORTABLE for native_request in group)
    )


def _mixture(group: list[NativeRequest]) -> Rejection:
    first, second = group[0], group[1]
    requested = sorted(vendors(group))
    if len(requested) > 1:
        why = f"GPUs of {several(requested)} in one container"
        advice: Sentence = ("request those of one vendor", "; for each of the others, use a pod of its own")
    elif {native_request.system for native_request in group} <= _MIXABLE:
        why = "a container is given whole GPUs, shares or MIG devices, never two of them"
        advice = f"keep {first.description}, or {second.description}"
    elif _units(first).isdisjoint(_units(second)):
        why = "one request in the names of two systems, each of which reads only its own"
        advice = "write all of it in the names of one of the two"
    else:
        why = "the same GPU requested twice, in the names of two systems"
        advice = ("keep one of the two", f": {first.description}, or {second.description}")
    message = (f"{first.container.label} requests {first.description} and {second.description}", f": {why}")
    return Rejection(
        second.pointer, message, RejectedRequestError(MIXED, why, advice), (first.evidence, second.evidence)
    )


def several(names: list[str]) -> str:
    """Return the vendors for a message."""
    return f"{'two' if len(names) == 2 else len(names)} vendors ({listed(names)})"


def _units(native_request: NativeRequest) -> set[str]:
    """Return what a native request counts: KAI's annotations count memory, a number of cards alone whole cards."""
    units = {str(gpu.resource.unit) for gpu in native_request.gpus.values()} or {"memory"}
    return units | {"memory"} if units == {"device"} else units


def vendors(found: Iterable[NativeRequest]) -> set[str]:
    """Return the vendors with a request above zero, among those whose cards are never on one node."""
    return {
        gpu.resource.vendor for native_request in found for gpu in native_request.gpus.values() if not is_zero(gpu)
    } & _VENDORS
