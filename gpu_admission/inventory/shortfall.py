"""Why a pod waits for a GPU, in numbers: its needs, and what the cluster has.

What is free is computed once per pool (`Offer`), so that a need is compared with each pool and not with each card.
"""

from __future__ import annotations

from gpu_admission.backends.native_request import KAI
from gpu_admission.backends.portable import format_memory
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .card import Card
    from .model import Node, Pool
    from .requests import Need

_KAI = frozenset({KAI})
_ALL = 1 << 60  # bytes, to sort needs without a size


@record
class FreeCard:
    """What is free on one usable card."""

    card: Card
    memory: int
    cores: int


class Offer:
    """What is free in a node's pool: of memory ``largest`` is the largest piece, ``free`` the total.

    ``counts`` means that devices are counted: then ``free`` is their number.
    """

    __slots__ = ("cards", "counts", "free", "largest", "largest_card", "node", "pending", "pool")

    def __init__(self, node: Node, pool: Pool) -> None:
        self.node = node
        self.pool = pool
        self.counts = pool.measure == "count"
        self.pending = pool.pending
        self.cards = [FreeCard(card, card.free_memory, _free_cores(card)) for card in pool.cards if card.usable]
        self.largest = max([each.memory for each in self.cards], default=0)
        self.largest_card = max([each.card.memory or 0 for each in self.cards], default=0)
        self.free = pool.free if self.counts else sum([each.memory for each in self.cards])


def _free_cores(card: Card) -> int:
    return max((card.cores or 100) - card.used_cores, 0)


def reason(needs: Sequence[Need], offers: Sequence[Offer], excluded: int) -> str:
    """Return why these offers cannot satisfy the needs, or which one can.

    ``excluded`` is how many nodes with such pools do not accept the pod (nodeSelector, taints, cordoned).
    """
    beside = f" ({excluded} more {'node does' if excluded == 1 else 'nodes do'} not take the pod)" if excluded else ""
    for need in needs:
        if not any([_is_of(offer, need) for offer in offers]):
            what = "whole GPUs for KAI to share" if need.names == _KAI else " and ".join(sorted(need.names))
            return f"{'no other node' if excluded else 'no node'} offers {what}{beside}"
    for offer in offers:
        if all([_is_of(offer, need) for need in needs]) and fits(needs, offer):
            return f"{_room(offer)}: it waits for something else{beside}"
    return _largest_shortfall(needs, offers) + beside


def _is_of(offer: Offer, need: Need) -> bool:
    """Return whether a pool offers all names of a need: ``nvidia.com/gpu`` alone may belong to several backends."""
    return need.names <= offer.pool.names


def fits(needs: Sequence[Need], offer: Offer) -> bool:
    """Return whether one node's pool can satisfy all needs, the largest first."""
    if offer.counts:
        return _count_fits(needs, offer)
    if any([(need.memory or 0) > offer.largest for need in needs]):
        return False
    free = {each.card.key: each.memory for each in offer.cards}
    cores = {each.card.key: each.cores for each in offer.cards}
    for need in sorted(needs, key=lambda each: each.memory or _ALL, reverse=True):
        found = [
            each.card
            for each in offer.cards
            if _card_fits(each.card, need)
            and free[each.card.key] >= _bytes(each.card, need)
            and cores[each.card.key] >= need.cores
        ]
        if len(found) < need.count:
            return False
        for card in sorted(found, key=lambda each: free[each.key])[: need.count]:
            free[card.key] -= _bytes(card, need)
            cores[card.key] -= need.cores
    return sum(free.values()) >= offer.pending


def _count_fits(needs: Iterable[Need], offer: Offer) -> bool:
    count = 0
    for need in needs:
        shared = 0 if need.sizeless else sum([each.memory >= _bytes(each.card, need) > 0 for each in offer.cards])
        if shared < need.count:
            count += need.count
    return count <= offer.free


def _card_fits(card: Card, need: Need) -> bool:
    return not need.sizeless or not card.taken


def _bytes(card: Card, need: Need) -> int:
    return need.of_card(card.memory or 0)


def _room(offer: Offer) -> str:
    if offer.counts:
        return f"there is room: {offer.free} {offer.pool.resource} free on {offer.node.name}"
    return f"there is room: {format_memory(offer.largest)} free on one card of {offer.node.name}"


def _largest_shortfall(needs: Sequence[Need], offers: Sequence[Offer]) -> str:
    need = max(needs, key=lambda each: (each.memory or 0, each.count))
    mine = [offer for offer in offers if _is_of(offer, need)]
    counted = [offer for offer in mine if offer.counts]
    if need.names == _KAI:
        return _of_shared_cards(need, mine)
    if len(counted) == len(mine) or (counted and need.sizeless):
        names = frozenset().union(*[offer.pool.names for offer in counted])
        return _of_devices(counted, sum([each.count for each in needs if each.names <= names]))
    return _of_memory(need, [offer for offer in mine if not offer.counts], several=len(needs) > 1)


def _of_devices(offers: Sequence[Offer], count: int) -> str:
    best = max(offers, key=lambda each: each.free)
    largest = max([each.pool.total for each in offers])
    most = f"the most free on one node is {best.free} ({best.node.name})" if best.free else "none is free"
    if count > largest:
        most = f"the largest node has {largest}: it would stay Pending forever"
    in_all = sum([each.free for each in offers])
    rest = f"; {in_all} free in all" if in_all and len(offers) > 1 else ""
    return f"needs {count} {best.pool.resource} on one node; {most}{rest}"


def _of_shared_cards(need: Need, offers: Sequence[Offer]) -> str:
    piece = max([each.largest for each in offers])
    shared = (
        f"the largest free piece of a shared card is {format_memory(piece)}" if piece else "no shared card has any free"
    )
    whole = max([each.free for each in offers])
    return f"{_wanted(need)}; {shared}, and {whole} whole {'card is' if whole == 1 else 'cards are'} free on one node"


def _wanted(need: Need) -> str:
    return f"needs {need.amount} on {'one card' if need.count == 1 else f'each of {need.count} cards of one node'}"


def _of_memory(need: Need, offers: Sequence[Offer], *, several: bool) -> str:
    best = max(offers, key=lambda each: each.largest)
    largest, wanted = max([each.largest_card for each in offers]), _wanted(need)
    if not largest:
        return "none of the cards can be used: they are unhealthy, or their records cannot be read"
    if need.memory is not None and need.memory > largest:
        return f"{wanted}; the largest card has {format_memory(largest)}: it would stay Pending forever"
    fitting = [
        (each, offer.node)
        for offer in offers
        if (need.memory or 0) <= offer.largest
        for each in offer.cards
        if _card_fits(each.card, need) and each.memory >= _bytes(each.card, need)
    ]
    if fitting:
        return f"{wanted}{_beside_memory(need, fitting, several)}"
    in_all = format_memory(sum([each.free for each in offers]))
    if need.sizeless:
        return f"{wanted}; no card is free of other pods ({in_all} free in all)"
    card = max(best.cards, key=lambda each: each.memory)
    where = f" ({best.node.name}, {card.card.label})" if best.largest else ""
    return f"{wanted}; the largest free piece is {format_memory(best.largest)}{where}; {in_all} free in all"


def _beside_memory(need: Need, fitting: list[tuple[FreeCard, Node]], several: bool) -> str:
    """Return what is missing where single cards have the memory."""
    if need.count > 1:
        by_node: dict[str, int] = {}
        for _, node in fitting:
            by_node[node.name] = by_node.get(node.name, 0) + 1
        best = max(by_node, key=lambda name: by_node[name])
        return f"; the most on one node is {by_node[best]} ({best})"
    most = max([each.cores for each, _ in fitting])
    if need.cores > most:
        return f" with {need.cores} % of its compute; the most that is free beside the memory is {most} %"
    if several:
        return "; what its containers need together is free on no node"
    return f"; what {fitting[0][1].name} has free is held by pods whose card is not known"
