"""How many GPUs each node offers and how many are taken, as Kubernetes' own scheduler counts: by resource.

A pod's request of a resource is the larger of what its containers and sidecars take together, and of what any init
container takes beside the sidecars started before it (k8s.io/component-helpers: resource/helpers.go, PodRequests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gpu_admission.core import quantity
from gpu_admission.core.raw import as_dict
from gpu_admission.workloads import resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .listed import Listed

STATES = ("allocatable", "allocated", "free")


class _Requests(msgspec.Struct):
    requests: Any = None


class _Container(msgspec.Struct, rename="camel"):
    resources: _Requests | None = None
    restart_policy: Any = None


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


_decode_spec = msgspec.json.Decoder(_Spec).decode


class GpuCount(NamedTuple):
    """The GPUs of a node by one resource's name."""

    node: str
    resource: str
    allocatable: int
    allocated: int

    @property
    def free(self) -> int:
        """What is left for pods; nothing where more is taken than there is."""
        return max(self.allocatable - self.allocated, 0)


class GpuTally:
    """Counts pods and nodes as they are listed, in any order."""

    def __init__(self) -> None:
        self._allocatable: dict[str, dict[str, int]] = {}
        self._allocated: dict[tuple[str, str], int] = {}

    def add_node(self, node: Mapping[str, Any]) -> None:
        """Count what a Node offers."""
        name = as_dict(node.get("metadata")).get("name")
        amounts = _gpus(as_dict(as_dict(node.get("status")).get("allocatable")))
        if amounts and isinstance(name, str):
            self._allocatable[name] = amounts

    def add_pod(self, listed: Listed) -> None:
        """Count what a Pod takes that is bound to a node and has not ended."""
        try:
            spec = _decode_spec(listed.spec)
        except (ValueError, RecursionError):
            return
        if spec.node_name and not listed.has_ended("Pod"):
            for name, amount in pod_requests(spec).items():
                key = (spec.node_name, name)
                self._allocated[key] = self._allocated.get(key, 0) + amount

    def counts(self) -> Iterator[GpuCount]:
        """Yield what each node has, sorted."""
        for node, amounts in sorted(self._allocatable.items()):
            for name, amount in sorted(amounts.items()):
                yield GpuCount(node, name, amount, self._allocated.get((node, name), 0))


def pod_requests(spec: _Spec) -> dict[str, int]:
    """Return what a pod takes of each accelerator's resource."""
    running: dict[str, int] = {}
    largest: dict[str, int] = {}
    for container in spec.init_containers or ():
        own = _of(container)
        if container.restart_policy == "Always":
            running = _sum(running, own)
            own = {}
        largest = _most(largest, _sum(running, own))
    for container in spec.containers or ():
        running = _sum(running, _of(container))
    return _most(largest, running)


def _of(container: _Container) -> dict[str, int]:
    return _gpus(as_dict(container.resources.requests)) if container.resources is not None else {}


def _gpus(amounts: Mapping[str, Any]) -> dict[str, int]:
    found = {}
    for name, raw in amounts.items():
        if resources.classify(name) is not None:
            try:
                amount = quantity.parse(raw).ceil()
            except quantity.QuantityError:
                continue
            if 0 <= amount < 1 << 62:
                found[name] = amount
    return found


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _most(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}
