"""Koordinator: a Device object per node has its cards, and the scheduler writes each pod's share of them on the pod.

Sources: koordinator-sh/koordinator apis/scheduling/v1alpha1/device_types.go, apis/extension/device_share.go,
pkg/koordlet/statesinformer/impl/states_device_linux.go (what koordlet reports), pkg/scheduler/plugins/deviceshare.

A ``Device`` (scheduling.koordinator.sh/v1alpha1, named as the node) lists ``{type: gpu, id, minor, health, resources:
{koordinator.sh/gpu-core: 100, gpu-memory: 80Gi, gpu-memory-ratio: 100}}``. On pods the annotation
``scheduling.koordinator.sh/device-allocated: {"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-memory": "8Gi",
…}}]}``; whole ``nvidia.com/gpu`` on such a node are recorded the same way.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, format_value, is_one_of
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import INT32, UnreadableError, amount, decoded, named, text, whole
from gpu_admission.inventory.model import IN_GIB, Pool

from .base import Reader, cards_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

GROUP = "scheduling.koordinator.sh"  # of Device objects, v1alpha1
_ALLOCATED = "scheduling.koordinator.sh/device-allocated"
_MEMORY = "koordinator.sh/gpu-memory"
_CORE = "koordinator.sh/gpu-core"
_RATIO = "koordinator.sh/gpu-memory-ratio"
_OWN = frozenset({_MEMORY, _CORE, _RATIO, "koordinator.sh/gpu", "koordinator.sh/gpu.shared"})
_WHOLE = ("nvidia.com/gpu", "dcu.com/gpu", "amd.com/gpu")
_MOST_CARDS = 1024
_MOST_PERCENT = 100 * _MOST_CARDS


class KoordinatorReader(Reader):
    """Cards by minor number, with memory and compute."""

    backends = ("koordinator",)
    pod_annotations = (_ALLOCATED,)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return the cards of the node's Device object."""
        del parameters
        gpus = [each for each in node.devices or () if as_dict(each).get("type") == "gpu"]
        if not gpus:
            return []
        names = _OWN | {name for name in _WHOLE if name in node.allocatable}
        pool = Pool("koordinator", _MEMORY, "memory", 0, unit=IN_GIB, names=frozenset(names))
        pool.cards = cards_of(gpus[:_MOST_CARDS], _card)
        pool.total = sum([card.memory or 0 for card in pool.cards if card.usable])
        pool.model = node.label("node.koordinator.sh/gpu-model")
        return [pool]

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """The scheduler trusts the annotation and ignores the pod's requests."""
        return _ALLOCATED in pod.annotations or super().concerns(pool, pod)

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the pod's shares to their cards."""
        value = text(pod.annotations, _ALLOCATED)
        if value is None:
            self.unrecorded(pool, pod, f"no card is recorded on it ({_ALLOCATED}): was it bound by nodeName?")
            return
        found = decoded(value, _ALLOCATED)
        entries = as_dict(found).get("gpu") or []
        if not isinstance(found, dict) or not isinstance(entries, list) or len(entries) > _MOST_CARDS:
            raise UnreadableError(f"{_ALLOCATED} is {format_value(value)}, not allocations by kind of device")
        if not entries:
            self.empty(pool, pod, _ALLOCATED)
        shares = [(pool.card(str(minor)), minor, share) for minor, share in map(_share, entries)]
        amounts = [(_bytes(share, card), _percent(share, _CORE)) for card, _, share in shares]
        for (card, minor, _), (memory, cores) in zip(shares, amounts, strict=True):
            note = "" if card else f"its record names card {minor}, which the node does not have"
            (card.holdings if card else pool.loose).append(pod.holding(memory=memory, cores=cores, note=note))

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Count the pod's requests on unknown cards."""
        memory = pod.requests.get(_MEMORY, 0)
        count = 1 if memory else max([pod.requests.get(name, 0) for name in _WHOLE] + [1])
        pool.loose.append(pod.holding(memory=memory or None, count=count, note=note))


def reduced(device: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the node's name and the devices of a Device object, reduced to the fields that readers use."""
    devices = as_dict(device.get("spec")).get("devices")
    kept = [
        {key: each[key] for key in ("type", "id", "minor", "health", "resources") if key in each}
        for each in (devices if isinstance(devices, list) else ())
        if isinstance(each, dict) and is_one_of(each.get("type"), ("gpu",))
    ]
    return as_str(as_dict(device.get("metadata")).get("name")), kept


def _card(entry: Any, index: int) -> Card:
    del index
    minor = whole(entry.get("minor"), "the card's minor")
    resources = as_dict(entry.get("resources"))
    card = Card(
        str(minor),
        minor,
        memory=amount(resources.get(_MEMORY), f"the card's {_MEMORY}"),
        cores=amount(resources.get(_CORE, 100), f"the card's {_CORE}", _MOST_PERCENT),
        healthy=entry.get("health") is True,
    )
    card.uuid = named(entry["id"], "the card's id") if entry.get("id") else ""
    return card


def _share(entry: Any) -> tuple[int, Mapping[str, Any]]:
    if not isinstance(entry, dict):
        raise UnreadableError(f"{_ALLOCATED} has {format_value(entry)} where a card should be")
    return whole(entry.get("minor"), f"the minor in {_ALLOCATED}", INT32), as_dict(entry.get("resources"))


def _percent(share: Mapping[str, Any], name: str) -> int:
    return amount(share.get(name, 0), f"{name} in {_ALLOCATED}", _MOST_PERCENT)


def _bytes(share: Mapping[str, Any], card: Card | None) -> int | None:
    """Return a share's memory: in bytes, or as a percentage of its card's."""
    if _MEMORY in share:
        return amount(share[_MEMORY], f"{_MEMORY} in {_ALLOCATED}")
    if _RATIO in share and card is not None:
        return (card.memory or 0) * _percent(share, _RATIO) // 100
    return None
