"""A cluster's GPU facts as far as a policy needs them: pure, from objects as the API lists them.

Labels of nodes are those of GPU Feature Discovery (NVIDIA/gpu-feature-discovery, now NVIDIA/k8s-device-plugin:
internal/lm): ``nvidia.com/gpu.product``, ``.memory`` (MiB of a card), ``.count`` (cards), ``.replicas``,
``.sharing-strategy`` (none, mps, time-slicing) and ``nvidia.com/mig.strategy``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission.core import quantity
from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.workloads import resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWN_TAINTS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "ToBeDeletedByClusterAutoscaler")
_LARGEST = 10**12
# Annotations in which a scheduler's device plugin registers cards identify that scheduler.
# Project-HAMi/HAMi: pkg/device/nvidia/device.go; volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/vgpu/type.go
REGISTERS = {"hami.io/node-nvidia-register": "hami", "volcano.sh/node-vgpu-register": "volcano-vgpu"}


class Taint(NamedTuple):
    """A taint of a node with GPUs."""

    key: str
    value: str
    effect: str


class GpuNode(NamedTuple):
    """A node that offers accelerators."""

    name: str
    amounts: Mapping[str, int]  # of each accelerator's resource, as allocatable
    vendors: frozenset[str]
    product: str
    memory: int  # MiB of a card; 0 where unknown
    cards: int  # 0 where unknown
    replicas: int
    sharing: str
    mig: str
    taints: tuple[Taint, ...]
    registers: frozenset[str]  # backends whose register is on the node


class Program(NamedTuple):
    """A workload of an administrator that runs one image."""

    where: str  # DaemonSet kube-system/gpushare-device-plugin-ds
    namespace: str
    image: str


class Observation(NamedTuple):
    """All facts that a policy is derived from; ``problems`` has a line for everything that could not be read."""

    nodes: tuple[GpuNode, ...]
    namespaces: frozenset[str]
    programs: tuple[Program, ...]
    device_classes: tuple[str, ...]
    queues: Mapping[str, tuple[str, ...]]  # by backend
    webhooks: tuple[str, ...]
    problems: tuple[str, ...]


def gpu_node(node: Mapping[str, Any]) -> GpuNode | None:
    """Return the GPU facts of a Node; None where it has no GPUs."""
    metadata = as_dict(node.get("metadata"))
    labels, annotations = as_dict(metadata.get("labels")), as_dict(metadata.get("annotations"))
    amounts = _amounts(as_dict(as_dict(node.get("status")).get("allocatable")))
    registers = frozenset(backend for key, backend in REGISTERS.items() if key in annotations)
    known = [resource for resource in map(resources.classify, amounts) if resource is not None]
    if not known and not registers:
        return None
    return GpuNode(
        name=as_str(metadata.get("name")),
        amounts=amounts,
        vendors=frozenset(resource.vendor for resource in known),
        product=as_str(labels.get("nvidia.com/gpu.product")),
        memory=_number(labels.get("nvidia.com/gpu.memory")),
        cards=_number(labels.get("nvidia.com/gpu.count")),
        replicas=_number(labels.get("nvidia.com/gpu.replicas")) or 1,
        sharing=as_str(labels.get("nvidia.com/gpu.sharing-strategy")),
        mig=as_str(labels.get("nvidia.com/mig.strategy")),
        taints=tuple(_taints(as_dict(node.get("spec")).get("taints"))),
        registers=registers,
    )


def programs(obj: Mapping[str, Any]) -> Iterator[Program]:
    """Yield the programs of a workload."""
    metadata = as_dict(obj.get("metadata"))
    namespace, name = as_str(metadata.get("namespace")), as_str(metadata.get("name"))
    spec = as_dict(as_dict(as_dict(obj.get("spec")).get("template")).get("spec"))
    for field in ("initContainers", "containers"):
        for _, container in iter_dicts(spec.get(field)):
            image = as_str(container.get("image"))
            if image:
                yield Program(f"{as_str(obj.get('kind'))} {namespace}/{name}", namespace, image)


def _amounts(allocatable: Mapping[str, Any]) -> dict[str, int]:
    found = {}
    for name, raw in allocatable.items():
        if resources.classify(name) is None:
            continue
        try:
            amount = quantity.parse(raw).ceil()
        except quantity.QuantityError:
            continue
        if 0 < amount <= _LARGEST:
            found[name] = amount
    return found


def _number(raw: object) -> int:
    text = as_str(raw)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _taints(raw: object) -> Iterator[Taint]:
    for _, taint in iter_dicts(raw):
        key = as_str(taint.get("key"))
        if key and not key.startswith(_OWN_TAINTS):
            yield Taint(key, as_str(taint.get("value")), as_str(taint.get("effect")))
