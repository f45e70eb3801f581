"""Requests in names that are not the backend's own: which backend reads them, and what a translation would lose."""

from __future__ import annotations

from gpu_admission.core.raw import format_value
from gpu_admission.workloads.resources import CLASS_SYSTEM

from . import per_pod, registry
from .base import ClusterFacts
from .native_request import DRA, NVIDIA, is_zero, system_of
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


def reader(plan: PodPlan, native_request: NativeRequest) -> Backend | None:
    """Return the backend that reads a request in another backend's names, or None where it is ignored."""
    if plan.facts.per_pod or _is_of_class(plan, native_request):
        return None
    found = registry.named(DRA) if native_request.system == CLASS_SYSTEM else registry.reader(native_request.system)
    shares = plan.facts.sources & {"time-slicing", "mps"}
    if native_request.system == NVIDIA and shares and "exclusive" not in plan.facts.sources:
        return registry.named(min(shares))
    if found is None and "exclusive" in plan.facts.sources and _is_adopted(plan, native_request):
        return registry.named("exclusive")
    if found is None or (
        native_request.system in plan.backend.ignored_systems(plan.facts) and found.name not in plan.facts.sources
    ):
        return None
    if plan.facts.sources and found.name not in plan.facts.sources:
        return None
    return found


def is_translated(resource: Resource, policy: Policy) -> bool:
    """Return whether the policy's backend would replace a resource by its own, whatever the rest of the pod."""
    if per_pod.is_per_pod(policy):
        return False
    backend, facts = registry.named(policy.backend.name), ClusterFacts.of(policy)
    system = system_of(resource)
    if system in backend.own(facts):
        return False
    found = registry.reader(system)
    if found is None:
        return False
    named = not facts.sources or found.name in facts.sources
    return named and not (system in backend.ignored_systems(facts) and found.name not in facts.sources)


def _is_of_class(plan: PodPlan, native_request: NativeRequest) -> bool:
    """Return whether a device class serves the names: such a request is a claim, which only `translate` replaces."""
    if native_request.system == CLASS_SYSTEM:
        return plan.backend.name == DRA or not plan.facts.claims
    if plan.backend.name != DRA or not native_request.gpus:
        return False
    return all(plan.claim_index.resource(name) is not None for name in native_request.gpus)


def _is_adopted(plan: PodPlan, native_request: NativeRequest) -> bool:
    """Return whether whole cards (not partitions) of the backend's vendor are requested."""
    whole = all(
        gpu.resource.unit == "device" and gpu.resource.sharing == "exclusive" for gpu in native_request.gpus.values()
    )
    return whole and native_request.system in plan.backend.adopts(plan.facts)


def require_vendor(plan: PodPlan, native_request: NativeRequest) -> None:
    """Raise RejectedRequestError where claims give cards of another vendor than the backend's."""
    classes = [each for one in native_request.claims for each in (one.claim.classes if one.claim is not None else ())]
    vendors = {each.vendor for each in classes if each.is_gpu}
    vendors |= (
        {gpu.resource.vendor for gpu in native_request.gpus.values()}
        if native_request.system == CLASS_SYSTEM
        else set()
    )
    others = sorted(vendors - {plan.backend.vendor(plan.facts)})
    if others:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"a card of the vendor {others[0]}", f", and {plan.backend.title} allocates others here"),
            ("keep the claim", ", or translate it for a backend of that vendor's cards"),
        )


def dropped(native_request: NativeRequest, request: GpuShare) -> Iterator[RejectedRequestError]:
    """Yield a rejection where a translation would drop or leave behind GPU settings of the container.

    That is what the reader of its names did not consume, and other names of the same domain.
    """
    values = {name: gpu.value for name, gpu in native_request.gpus.items()} | dict(native_request.annotations)
    remaining = [f"{name}: {format_value(value)}" for name, value in values.items() if name not in request.consumed]
    domains = {_domain(name) for name in native_request.gpus}
    remaining += [
        f"{gpu.name}: {format_value(gpu.value)}"
        for gpu in native_request.container.gpus
        if gpu.name not in native_request.gpus and _domain(gpu.name) in domains and not is_zero(gpu)
    ]
    if remaining:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            f"and of that {listed(remaining)} would be lost, because the rest already defines the amount",
            ("remove what has no effect", ", or write all of it in the portable names (gpu-admission.io/gpu-mem)"),
        )


def _domain(name: str) -> str:
    return name.partition("/")[0]
