"""Devices that are only counted: whole GPUs of any vendor, time-sliced and MPS replicas, MIG devices.

Sources: NVIDIA/k8s-device-plugin internal/lm/resource.go (labels), api/config/v1 (sharing). The kubelet's device
manager does not publish which container has which device, so the API does not show the card.

On nodes, in ``status``, the extended resource; the labels ``nvidia.com/gpu.product`` (with ``-SHARED``,
``-MIG-1g.5gb``), ``.count``, ``.replicas``, ``.sharing-strategy`` (none, time-slicing, mps), ``.memory`` (MiB), and the
same for each MIG profile, ``nvidia.com/mig-1g.5gb.count``.
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.inventory.model import DEVICES, SHARES, Pool
from gpu_admission.workloads.resources import classify, mig_name

from .base import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

GPU = "nvidia.com/gpu"
_SHARED = ".shared"
_STRATEGIES = {"time-slicing": "time-slicing", "mps": "mps"}
_MIG_PRODUCT = "-MIG-"


class CountedReader(Reader):
    """Devices of any vendor, by the name of their resource."""

    backends: tuple[str, ...] = ("exclusive", "time-slicing", "mps", "mig")

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return a pool for each GPU resource that the node offers; extra ones are in ``parameters``."""
        extra = parameters.get("extra") or ()
        offered = {**node.capacity, **node.allocatable}
        return [_pool(node, name) for name in sorted(offered) if _is_counted(name, extra) and node.capacity.get(name)]

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Count what the pod requests."""
        count = pod.requests.get(pool.resource, 0)
        if count:
            pool.loose.append(pod.holding(count=count))


def _is_counted(name: str, extra: Any) -> bool:
    known = classify(name)
    return name in extra or (known is not None and known.unit != "other")


def _pool(node: NodeView, name: str) -> Pool:
    base = name.removesuffix(_SHARED)
    backend = _backend(node, name, base)
    shared = backend in _STRATEGIES.values()
    pool = Pool(backend, name, "count", node.allocatable.get(name, 0), unit=SHARES if shared else DEVICES)
    pool.unavailable = max(node.capacity.get(name, 0) - pool.total, 0)
    pool.model = node.label(f"{base}.product") or (node.label(f"{GPU}.product") if mig_name(base) else "")
    pool.physical = node.number(f"{base}.count")
    pool.per_card = max(node.number(f"{base}.replicas"), 1) if shared else 1
    memory = node.number(f"{base}.memory") * MIB
    if memory:
        pool.size = memory // pool.per_card if backend == "mps" else memory
    return pool


def _backend(node: NodeView, name: str, base: str) -> str:
    """Return how the devices of a resource are shared, by the labels of its name."""
    strategy = _STRATEGIES.get(node.label(f"{base}.sharing-strategy"))
    if strategy is None and name.endswith(_SHARED):
        strategy = "time-slicing"
    if strategy is not None:
        return strategy
    if mig_name(base) or (base == GPU and _MIG_PRODUCT in node.label(f"{GPU}.product")):
        return "mig"
    known = classify(name)
    return "exclusive" if known is None or known.unit == "device" else known.system
