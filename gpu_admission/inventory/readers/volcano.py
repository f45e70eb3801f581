"""Volcano's older GPU sharing: equal cards, and the pod names its card.

Source: volcano-sh/volcano pkg/scheduler/api/devices/nvidia/gpushare (device_info.go, share.go, type.go).

On nodes, in ``status``: ``volcano.sh/gpu-memory`` (MiB of all cards, times the plugin's factor) and
``volcano.sh/gpu-number``; the annotation ``volcano.sh/gpu-unhealthy-ids: "0,3"``. On pods the annotation
``volcano.sh/gpu-index: "1"``, or ``"0,1"`` where whole cards were requested: the memory of the pod counts on each.
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError, number, text
from gpu_admission.inventory.model import IN_MIB, Pool

from .base import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

MEMORY = "volcano.sh/gpu-memory"
NUMBER = "volcano.sh/gpu-number"
_INDEX = "volcano.sh/gpu-index"
_UNHEALTHY = "volcano.sh/gpu-unhealthy-ids"
_MOST_CARDS = 1024


class VolcanoReader(Reader):
    """Memory of equal cards in MiB times the factor, or whole cards."""

    backends = ("volcano",)
    node_annotations = (_UNHEALTHY,)
    pod_annotations = (_INDEX,)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return the node's cards; like the scheduler, only where both numbers are there."""
        memory, count = node.capacity.get(MEMORY, 0), node.capacity.get(NUMBER, 0)
        if not memory or not 0 < count <= _MOST_CARDS:
            return []
        size = memory // count * int(parameters.get("memoryFactor") or 1) * MIB
        pool = Pool("volcano", MEMORY, "memory", size * count, unit=IN_MIB, names=frozenset({MEMORY, NUMBER}))
        pool.size = size // (memory // count) if memory >= count else MIB
        unhealthy = _unhealthy(node, pool)
        pool.cards = [
            Card(str(index), index, memory=size, healthy=str(index) not in unhealthy) for index in range(count)
        ]
        return [pool]

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the pod to its cards."""
        value = text(pod.annotations, _INDEX)
        if value is None:
            self.unrecorded(pool, pod, f"no card is recorded on it ({_INDEX}): was it bound by nodeName?")
            return
        memory = self._memory(pool, pod)
        indices = [number(each, f"a card in {_INDEX}") for each in value.split(",")[:_MOST_CARDS]]
        for index in dict.fromkeys(indices):
            card = pool.card(str(index))
            note = "" if card else f"its record names card {index}, which the node does not have"
            (card.holdings if card else pool.loose).append(pod.holding(memory=memory, note=note))

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Count the pod's requests on an unknown card."""
        count = max(pod.limits(NUMBER), 1)
        pool.loose.append(pod.holding(memory=self._memory(pool, pod), count=count, note=note))

    @staticmethod
    def _memory(pool: Pool, pod: PodView) -> int | None:
        units = pod.limits(MEMORY)
        return units * (pool.size or MIB) if units else None


def _unhealthy(node: NodeView, pool: Pool) -> set[str]:
    try:
        value = text(node.annotations, _UNHEALTHY) or ""
        return {str(number(each, f"a card in {_UNHEALTHY}")) for each in value.split(",") if value}
    except UnreadableError as error:
        pool.problems.append(f"unreadable: {error}")
        return set()
