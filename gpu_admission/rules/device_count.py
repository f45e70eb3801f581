"""The number of devices of containers, pods and nodes (for GPU009)."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod
from gpu_admission.core.raw import as_str

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.pod import Pod


def count(gpu: GpuRequest) -> int:
    """Return the requested whole number; 0 where it is not one (other rules find that)."""
    amount = gpu.quantity()
    return amount.ceil() if amount is not None and amount.is_integer else 0


def needed(pod: Pod, counts: Callable[[GpuRequest], bool]) -> int:
    """Return the scheduler's count: app and sidecar containers together, or an init container if it needs more.

    While an init container runs, so do the sidecars before it.
    [kubernetes/component-helpers resource/helpers.go, AggregateContainerRequests]
    """
    running = sidecars = starting = 0
    for container in pod.containers:
        amount = sum(count(gpu) for gpu in container.gpus if counts(gpu))
        if container.role == "init":
            starting = max(starting, sidecars + amount)
            continue
        running += amount
        sidecars += amount if container.role == "sidecar" else 0
    return max(running, starting)


def vendor(gpu: GpuRequest, policy: Policy) -> str:
    """Return the vendor of the cards that serve a request."""
    vendor = gpu.resource.vendor
    return common.backend_vendor(policy) if vendor == "any" else vendor


def largest_node(policy: Policy, of: str = "nvidia") -> int:
    """Return how many cards of a vendor the largest node has; 0 where a card of the policy has no ``perNode``.

    The models of the table are all NVIDIA's; the vendor of others is unknown.
    """
    sizes = [card.get("perNode") or 0 for card in policy.cards if of == "nvidia" or not _is_nvidia(card)]
    return max(sizes) if sizes and all(sizes) else 0


def _is_nvidia(card: Mapping[str, Any]) -> bool:
    from gpu_admission.backends import cards  # noqa: PLC0415 - start-up time: needed only for other vendors' cards

    return cards.known(as_str(card.get("model")))


def takes_cards(gpu: GpuRequest, policy: Policy) -> bool:
    """Return whether each device requested takes a card of its own, under the policy's way of sharing."""
    if gpu.resource.sharing != "exclusive":
        return False
    if per_pod.is_per_pod(policy):
        return not any(each.resource.system in known.SHARES_CARDS for each in gpu.container.gpus)
    return policy.backend.name in known.GPU_IS_CARD or gpu.resource.vendor not in {"nvidia", "any"}
