"""A node as the readers see it: the parts of its JSON that concern GPUs."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from .decoding import amount_or_zero
from .model import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class NodeView:
    """A node's name, labels, annotations and extended resources; ``devices`` are those of its Device object.

    ``capacity`` and ``allocatable`` hold only the extended resources.
    """

    __slots__ = ("allocatable", "annotations", "capacity", "devices", "labels", "name")

    def __init__(self, raw: Mapping[str, Any], devices: list[Any] | None) -> None:
        metadata, status = as_dict(raw.get("metadata")), as_dict(raw.get("status"))
        self.name = as_str(metadata.get("name"))
        self.labels = as_dict(metadata.get("labels"))
        self.annotations = as_dict(metadata.get("annotations"))
        self.capacity = _extended(status.get("capacity"))
        self.allocatable = _extended(status.get("allocatable"))
        self.devices = devices

    def label(self, key: str) -> str:
        """Return a label's text, empty where it is not set."""
        return as_str(self.labels.get(key))

    def number(self, key: str) -> int:
        """Return a label that is a number; 0 where it is not set or is anything else."""
        value = self.label(key)
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else 0


def node_of(raw: Mapping[str, Any]) -> Node:
    """Return a node without its pools."""
    metadata, spec, status = (as_dict(raw.get(key)) for key in ("metadata", "spec", "status"))
    node = Node(as_str(metadata.get("name")), _address(status))
    node.labels = {key: value for key, value in as_dict(metadata.get("labels")).items() if isinstance(value, str)}
    node.cordoned = spec.get("unschedulable") is True
    node.taints = tuple(
        (as_str(taint.get("key")), as_str(taint.get("value")), as_str(taint.get("effect")))
        for _, taint in iter_dicts(spec.get("taints"))
    )
    conditions = {as_str(each.get("type")): each.get("status") for _, each in iter_dicts(status.get("conditions"))}
    node.ready = conditions.get("Ready", "True") == "True"
    return node


def _address(status: Mapping[str, Any]) -> str:
    """Return the node's InternalIP."""
    for _, address in iter_dicts(status.get("addresses")):
        if address.get("type") == "InternalIP":
            return as_str(address.get("address")) or "unknown"
    return "unknown"


def _extended(resources: Any) -> dict[str, int]:
    return {name: amount_or_zero(value) for name, value in as_dict(resources).items() if "/" in name}
