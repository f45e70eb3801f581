"""Requests in words that are not the backend's own: who reads them, and what would be lost of them."""

from __future__ import annotations

from gpu_admission.core.raw import format_value
from gpu_admission.workloads.resources import CLASS_SYSTEM

from . import native_request, per_pod, registry
from .base import ClusterFacts
from .native_request import DRA, NVIDIA
from .portable import listed
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.resources import Resource

    from .base import Backend
    from .native_request import NativeRequest
    from .plan import PodPlan
    from .portable import GpuShare


def reader(plan: PodPlan, raw_value: NativeRequest) -> Backend | None:
    """Return who reads a foreign spelling, or None where it is left alone."""
    if plan.facts.per_pod or _is_of_class(plan, raw_value):
        return None
    found = registry.named(DRA) if raw_value.system == CLASS_SYSTEM else registry.reader(raw_value.system)
    shares = plan.facts.sources & {"time-slicing", "mps"}
    if raw_value.system == NVIDIA and shares and "exclusive" not in plan.facts.sources:
        return registry.named(min(shares))
    if found is None and "exclusive" in plan.facts.sources and _is_adopted(plan, raw_value):
        return registry.named("exclusive")
    if found is None or (
        raw_value.system in plan.backend.ignored_systems(plan.facts) and found.name not in plan.facts.sources
    ):
        return None
    if plan.facts.sources and found.name not in plan.facts.sources:
        return None
    return found


def is_translated(resource: Resource, policy: Policy) -> bool:
    """Tell whether the policy's backend would have a resource replaced by its own, whatever else a pod says."""
    if per_pod.is_per_pod(policy):
        return False
    backend, facts = registry.named(policy.backend.name), ClusterFacts.of(policy)
    system = native_request.system_of(resource)
    if system in backend.own(facts):
        return False
    found = registry.reader(system)
    if found is None:
        return False
    named = not facts.sources or found.name in facts.sources
    return named and not (system in backend.ignored_systems(facts) and found.name not in facts.sources)


def _is_of_class(plan: PodPlan, raw_value: NativeRequest) -> bool:
    """Tell whether a device class serves the names: such a request is a claim, which only a translation takes away."""
    if raw_value.system == CLASS_SYSTEM:
        return plan.backend.name == DRA or not plan.facts.claims
    if plan.backend.name != DRA or not raw_value.gpus:
        return False
    return all(plan.claim_index.resource(name) is not None for name in raw_value.gpus)


def _is_adopted(plan: PodPlan, raw_value: NativeRequest) -> bool:
    """Tell whether whole cards are asked for of the maker whose cards the backend gives (partitions are none)."""
    whole = all(
        gpu.resource.unit == "device" and gpu.resource.sharing == "exclusive" for gpu in raw_value.gpus.values()
    )
    return whole and raw_value.system in plan.backend.adopts(plan.facts)


def require_maker(plan: PodPlan, raw_value: NativeRequest) -> None:
    """Raise RejectedRequestError where claims give cards of another vendor than the backend's."""
    classes = [each for one in raw_value.claims for each in (one.claim.classes if one.claim is not None else ())]
    makers = {each.vendor for each in classes if each.is_gpu}
    makers |= {gpu.resource.vendor for gpu in raw_value.gpus.values()} if raw_value.system == CLASS_SYSTEM else set()
    others = sorted(makers - {plan.backend.maker(plan.facts)})
    if others:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            f"a card of the vendor {others[0]}, and {plan.backend.title} allocates others here",
            "keep the claim, or translate it for a backend of that vendor's cards",
        )


def dropped(raw_value: NativeRequest, request: GpuShare) -> Iterator[RejectedRequestError]:
    """Yield a refusal where a translation would drop or leave behind what the container says of GPUs.

    That is what the reader of its words did not consume, and what else stands there in names of the same domain.
    """
    remaining = [
        f"{name}: {format_value(gpu.value)}" for name, gpu in raw_value.gpus.items() if name not in request.consumed
    ]
    remaining += [
        f"{key}: {format_value(value)}" for key, value in raw_value.annotations.items() if key not in request.consumed
    ]
    domains = {_domain(name) for name in raw_value.gpus}
    remaining += [
        f"{gpu.name}: {format_value(gpu.value)}"
        for gpu in raw_value.container.gpus
        if gpu.name not in raw_value.gpus and _domain(gpu.name) in domains and not native_request.is_zero(gpu)
    ]
    if remaining:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            f"and of that {listed(remaining)} would be lost, because the rest already defines the amount",
            "remove what has no effect, or write all of it in the portable names (gpu-admission.io/gpu-mem)",
        )


def _domain(name: str) -> str:
    return name.partition("/")[0]
