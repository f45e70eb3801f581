"""Aliyun's gpushare: the node has an amount of memory and a number of equal cards, and the pod names its card.

Sources: AliyunContainerService/gpushare-scheduler-extender pkg/utils (const.go, node.go, pod.go), pkg/cache;
AliyunContainerService/gpushare-device-plugin cmd/inspect (nodeinfo.go: the card, the unit, what is pending).

On nodes, in ``status``: ``aliyun.com/gpu-mem`` (units of all cards together) and ``aliyun.com/gpu-count``. On pods, the
annotation ``ALIYUN_COM_GPU_MEM_IDX: "1"`` (the card; ``-1`` where none was found yet), or of newer ones
``scheduler.framework.gpushare.allocation: {"0": {"1": 8}}`` (container: card: units). Only the limits of app
containers count.
"""

from __future__ import annotations

from gpu_admission.core.raw import format_value
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError, decoded, number, text, whole
from gpu_admission.inventory.model import IN_GIB, IN_MIB, Pool

from .base import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

MEMORY = "aliyun.com/gpu-mem"
COUNT = "aliyun.com/gpu-count"
_INDEX = "ALIYUN_COM_GPU_MEM_IDX"
_ALLOCATION = "scheduler.framework.gpushare.allocation"
_NO_CARD_HAS_MORE = 100  # GiB: a card with more units than that counts in MiB
_MOST_CARDS = 1024


class GpushareReader(Reader):
    """Memory of equal cards, in the plugin's unit."""

    backends = ("gpushare",)
    pod_annotations = (_INDEX, _ALLOCATION)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return the node's shared memory; without a number of cards (the plugin just started) there is none yet."""
        total, count = node.allocatable.get(MEMORY, 0), node.allocatable.get(COUNT, 0)
        if not total:
            return []
        each = total // count if 0 < count <= _MOST_CARDS else 0
        unit = _unit(each or total, parameters.get("unit"))
        names = frozenset({MEMORY, COUNT})
        pool = Pool("gpushare", MEMORY, "memory", total * unit.size, unit=unit, names=names)
        pool.model = node.label("aliyun.accelerator/nvidia_name")
        if each:
            pool.cards = [Card(str(index), index, memory=each * unit.size, model=pool.model) for index in range(count)]
        else:
            pool.problems.append(f"{COUNT} is {count}: which card has how much is not known")
        return [pool]

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """Only pods with a limit count, as in the scheduler."""
        del pool
        return pod.app_limits(MEMORY) > 0

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the pod to its card; without one it is pending."""
        shares = _shares(pod)
        if not shares:
            index = text(pod.annotations, _INDEX)
            if index is None or index == "-1":
                self.unrecorded(pool, pod, "no card is recorded on it yet" if index is None else "")
                return
            shares = {number(index, _INDEX): pod.app_limits(MEMORY)}
        for index_, units in shares.items():
            card = pool.card(str(index_))
            note = "" if card else f"its record names card {index_}, which the node does not have"
            (card.holdings if card else pool.loose).append(pod.holding(memory=units * pool.unit.size, note=note))

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """A pod without a card is pending."""
        pool.loose.append(pod.holding(memory=pod.app_limits(MEMORY) * pool.unit.size, note=note))


def _unit(units: int, configured: object) -> Any:
    """Return the plugin's unit: the policy's, else a guess by the size of a card, as its own tool makes."""
    if configured in {"GiB", "MiB"}:
        return IN_GIB if configured == "GiB" else IN_MIB
    return IN_MIB if units > _NO_CARD_HAS_MORE else IN_GIB


def _shares(pod: PodView) -> dict[int, int]:
    """Return the units on each card by the newer record, empty where there is none."""
    value = text(pod.annotations, _ALLOCATION)
    found: dict[int, int] = {}
    if value is None:
        return found
    containers = decoded(value, _ALLOCATION)
    if not isinstance(containers, dict) or not all([isinstance(each, dict) for each in containers.values()]):
        raise UnreadableError(f"{_ALLOCATION} is {format_value(value)}, not units by container and card")
    for card, units in [pair for each in containers.values() for pair in each.items()]:
        index = number(card, f"a card in {_ALLOCATION}")
        found[index] = found.get(index, 0) + whole(units, f"the units in {_ALLOCATION}")
    return found
