"""How many GPUs each node has and how many are allocated, by card: a card that two pods share counts once.

The numbers of `inspect`, from the sharing backends' own records, for metrics. A pod on an unknown card (bound by
nodeName, or with an unreadable record) counts as one with a card of its own, so that ``free`` is never too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpu_admission.inventory.model import SHARES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.inventory.model import Inventory, Pool

STATES = ("allocatable", "allocated", "free")
CARDS, MEMORY, REPLICAS = "gpus", "gpu_memory_bytes", "gpu_shares"


class GpuCount(NamedTuple):
    """The GPUs of a node by one resource's name; ``measure`` is the unit: cards, bytes, or shares of cards."""

    measure: str
    node: str
    resource: str
    allocatable: int
    allocated: int
    free: int


def counts(inventory: Inventory) -> list[GpuCount]:
    """Return the GPUs of each node, sorted; pools of the same resource are added up."""
    found: dict[tuple[str, str, str], GpuCount] = {}
    for node, pool in inventory.pools():
        for measure, *amounts in _measures(pool):
            key = (measure, node.name, pool.resource)
            before = found.get(key, GpuCount(*key, 0, 0, 0))
            found[key] = GpuCount(*key, *[one + more for one, more in zip(before[3:], amounts, strict=True)])
    return [found[key] for key in sorted(found)]


def _measures(pool: Pool) -> Iterator[tuple[str, int, int, int]]:
    """Yield each measure of a pool with its total and its allocated and free amounts."""
    if pool.measure == "memory":
        yield MEMORY, pool.total, pool.allocated, pool.free
        if pool.cards:
            yield _cards(pool)
    elif pool.unit == SHARES:
        yield REPLICAS, pool.total, pool.allocated, pool.free
        if pool.physical:
            # NVIDIA's plugin puts a share onto the card with the fewest: k8s-device-plugin internal/rm/allocate.go,
            # distributedAlloc. A card is taken by its first share.
            taken = min(pool.allocated, pool.physical)
            yield CARDS, pool.physical, taken, pool.physical - taken
    else:
        yield CARDS, pool.total, pool.allocated, pool.free


def _cards(pool: Pool) -> tuple[str, int, int, int]:
    usable = [card for card in pool.cards if card.usable]
    unknown = sum([each.count for each in pool.loose])
    free = max(sum([card.is_free for card in usable]) - unknown, 0)
    return CARDS, len(usable), len(usable) - free, free
