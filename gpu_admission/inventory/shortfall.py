"""Why a pod waits for a GPU, as arithmetic: what it needs, and what there is of it."""

from __future__ import annotations

from gpu_admission.backends.portable import in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .model import Card, Node, Pool
    from .requests import Need

    Places = Sequence[tuple[Node, Pool]]

_KAI = frozenset({"kai"})
_KAI_SERVES = frozenset({"nvidia.com/gpu"})


def offers(pool: Pool, need: Need) -> bool:
    """Tell whether a pool is of what is needed; KAI's shares are of whole GPUs."""
    return not pool.names.isdisjoint(_KAI_SERVES if need.names == _KAI else need.names)


def reason(needs: Sequence[Need], places: Places, excluded: int) -> str:
    """Return why needs cannot be met by these pools, or where they can.

    ``excluded`` is how many nodes with such pools do not take the pod at all (nodeSelector, taints, cordoned).
    """
    beside = f" ({excluded} more {'node does' if excluded == 1 else 'nodes do'} not take the pod)" if excluded else ""
    for need in needs:
        if not any([offers(pool, need) for _, pool in places]):
            where = "no other node" if excluded else "no node"
            return f"{where} offers {' and '.join(sorted(need.names))}{beside}"
    for node, pool in places:
        mine = [need for need in needs if offers(pool, need)]
        if len(mine) == len(needs) and fits(mine, pool):
            return f"{_room(node, pool)}: it waits for something else{beside}"
    return _largest_shortfall(needs, places) + beside


def fits(needs: Iterable[Need], pool: Pool) -> bool:
    """Tell whether all needs can be met by one node's pool, the largest first."""
    if pool.measure == "count":
        return _count_fits(needs, pool)
    free = {card.key: card.free_memory for card in pool.cards}
    cores = {card.key: _free_cores(card) for card in pool.cards}
    for need in sorted(needs, key=lambda each: each.memory or 1 << 60, reverse=True):
        found = [
            card
            for card in pool.cards
            if _card_fits(card, need) and free[card.key] >= _bytes(card, need) and cores[card.key] >= need.cores
        ]
        if len(found) < need.count:
            return False
        for card in sorted(found, key=lambda each: free[each.key])[: need.count]:
            free[card.key] -= _bytes(card, need)
            cores[card.key] -= need.cores
    return sum(free.values()) >= pool.pending


def _count_fits(needs: Iterable[Need], pool: Pool) -> bool:
    count = 0
    for need in needs:
        shared = [
            card for card in pool.cards if card.shareable and card.free_memory >= need.of_card(card.memory or 0) > 0
        ]
        if need.sizeless or len(shared) < need.count:
            count += need.count
    return count <= pool.free


def _card_fits(card: Card, need: Need) -> bool:
    return card.usable and (not need.sizeless or not card.taken)


def _bytes(card: Card, need: Need) -> int:
    return need.of_card(card.memory or 0)


def _room(node: Node, pool: Pool) -> str:
    if pool.measure == "count":
        return f"there is room: {pool.free} {pool.resource} free on {node.name}"
    return f"there is room: {in_words(pool.largest_piece)} free on one card of {node.name}"


def _largest_shortfall(needs: Sequence[Need], places: Places) -> str:
    need = max(needs, key=lambda each: (each.memory or 0, each.count))
    pools = [(node, pool) for node, pool in places if offers(pool, need)]
    counted = [(node, pool) for node, pool in pools if pool.measure == "count"]
    if need.names == _KAI:
        return _of_shared_cards(need, pools)
    if len(counted) == len(pools) or (counted and need.sizeless):
        together = sum([each.count for each in needs if any([offers(pool, each) for _, pool in counted])])
        return _of_devices(counted, together)
    return _of_memory(need, [(node, pool) for node, pool in pools if pool.measure == "memory"], several=len(needs) > 1)


def _of_devices(places: Places, count: int) -> str:
    node, pool = max(places, key=lambda each: each[1].free)
    largest = max([each.total for _, each in places])
    most = f"the most free on one node is {pool.free} ({node.name})" if pool.free else "none is free"
    if count > largest:
        most = f"the largest node has {largest}: it would wait for ever"
    in_all = sum([each.free for _, each in places])
    rest = f"; {in_all} free in all" if in_all and len(places) > 1 else ""
    return f"needs {count} {pool.resource} on one node; {most}{rest}"


def _of_shared_cards(need: Need, places: Places) -> str:
    piece = max([card.free_memory for _, pool in places for card in pool.cards], default=0)
    shared = f"the largest free piece of a shared card is {in_words(piece)}" if piece else "no shared card has any free"
    whole = max([pool.free for _, pool in places])
    return f"{_wanted(need)}; {shared}, and {whole} whole {'card is' if whole == 1 else 'cards are'} free on one node"


def _wanted(need: Need) -> str:
    return f"needs {need.amount} on {'one card' if need.count == 1 else f'each of {need.count} cards of one node'}"


def _of_memory(need: Need, places: Places, *, several: bool) -> str:
    cards = [(card, node) for node, pool in places for card in pool.cards if card.usable]
    if not cards:
        return "none of the cards can be used: they are unhealthy, or their records cannot be read"
    free, node = max(((card, at) for card, at in cards), key=lambda each: each[0].free_memory)
    largest = max([card.memory or 0 for card, _ in cards])
    wanted = _wanted(need)
    if need.memory is not None and need.memory > largest:
        return f"{wanted}; the largest card has {in_words(largest)}: it would wait for ever"
    fitting = [(card, at) for card, at in cards if _card_fits(card, need) and card.free_memory >= _bytes(card, need)]
    in_all = in_words(sum([card.free_memory for card, _ in cards]))
    if not fitting:
        if need.sizeless:
            return f"{wanted}; no card is free of other pods ({in_all} free in all)"
        where = f" ({node.name}, {free.label})" if free.free_memory else ""
        return f"{wanted}; the largest free piece is {in_words(free.free_memory)}{where}; {in_all} free in all"
    return f"{wanted}{_beside_memory(need, fitting, several)}"


def _beside_memory(need: Need, fitting: list[tuple[Card, Node]], several: bool) -> str:
    """Say what is missing where single cards have the memory."""
    if need.count > 1:
        by_node: dict[str, int] = {}
        for _, node in fitting:
            by_node[node.name] = by_node.get(node.name, 0) + 1
        best = max(by_node, key=lambda name: by_node[name])
        return f"; the most on one node is {by_node[best]} ({best})"
    if need.cores and not any([_free_cores(card) >= need.cores for card, _ in fitting]):
        most = max([_free_cores(card) for card, _ in fitting])
        return f" with {need.cores} % of its compute; the most that is free beside the memory is {most} %"
    if several:
        return "; what its containers need together is free on no node"
    return f"; what {fitting[0][1].name} has free is held by pods whose card is not known"


def _free_cores(card: Card) -> int:
    return max((card.cores or 100) - card.used_cores, 0)
