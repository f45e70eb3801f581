"""KAI: a reservation pod takes a card from the device plugin, and pods that share it have its group's label.

Sources: kai-scheduler/KAI-Scheduler pkg/binder/binding/resourcereservation/resource_reservation.go (the reservation
pods, the labels), pkg/common/constants/constants.go, pkg/common/resources/gpu_sharing.go,
pkg/scheduler/api/node_info (node_info.go: a card's memory is ``nvidia.com/gpu.memory`` rounded down to 100 MiB).

A reservation pod is called ``gpu-reservation-…``, requests one ``nvidia.com/gpu``, has the label ``runai-gpu-group``
and, once it runs, the annotation ``run.ai/reserve_for_gpu_index: <UUID>``. A pod with a share of that card has the same
label, or ``runai-gpu-group/<group>: <group>`` for each where it has several.
"""

from __future__ import annotations

from gpu_admission.backends.native_request import KAI
from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_str
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError, text
from gpu_admission.inventory.requests import kai_share

from .counted import GPU, CountedReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.inventory.model import Pool
    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

GROUP = "runai-gpu-group"
_UUID = "run.ai/reserve_for_gpu_index"
_RESERVATION = "gpu-reservation"
_MOST_GROUPS = 64


class KaiReader(CountedReader):
    """Whole GPUs, some of which pods share in groups.

    A node's ``nvidia.com/gpu`` becomes KAI's with the first pod of a group; before, there is no difference.
    """

    backends = ("kai",)
    pod_annotations = (_UUID,)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return the node's whole NVIDIA GPUs, with the memory of each as KAI counts it."""
        if not node.capacity.get(GPU):
            return []
        found = [pool for pool in super().pools(node, parameters) if pool.resource == GPU]
        for pool in found:
            pool.names |= {KAI}  # pods that request by annotation find it by these
            pool.size = None if pool.size is None else pool.size - pool.size % (100 * MIB)
        return [pool for pool in found if pool.backend == "exclusive"]

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """Return whether the pod may hold any of it: one with a share requests no resource."""
        return super().concerns(pool, pod) or any(_groups(pod))

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Count a whole GPU; add a share to the card of its group, which its reservation names."""
        groups = list(dict.fromkeys(_groups(pod)))[:_MOST_GROUPS]
        if not groups:
            super().hold(pool, pod)
            return
        cards = [_of_group(pool, group) for group in groups]
        if pod.name.startswith(_RESERVATION) and pod.requests.get(GPU):
            cards[0].uuid = (text(pod.annotations, _UUID) or "")[:100]
            return
        share = kai_share(pod.raw)
        if share is None:
            raise UnreadableError("its annotations do not say how much of a card it requests")
        unknown = share.memory is None and pool.size is None
        note = f"how much that is in bytes is not known: the node has no label {GPU}.memory" if unknown else ""
        for card in cards:
            card.holdings.append(pod.holding(memory=share.of_card(pool.size or 0), note=note))

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Where the amount is unreadable, only the card is known."""
        for group in dict.fromkeys(_groups(pod)):
            _of_group(pool, group).holdings.append(pod.holding(memory=0, note=note))


def _groups(pod: PodView) -> Iterator[str]:
    for key, value in pod.labels.items():
        if (key == GROUP or key.startswith(f"{GROUP}/")) and (group := as_str(value)):
            yield group[:100]


def _of_group(pool: Pool, group: str) -> Card:
    card = pool.card(group)
    if card is None:
        pool.backend = "kai"
        card = Card(group, memory=pool.size)
        card.reserved = True
        pool.cards.append(card)
    return card
