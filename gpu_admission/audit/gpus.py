"""How many GPUs each node has and how many are taken, by card: one that two pods share is one, and not two.

What `inspect` reads of the sharing backends' own records, as numbers for metrics. A pod whose card nothing tells (bound
by nodeName, or its record is unreadable) counts as one that has a card of its own, so that ``free`` is never too much.
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
    """The GPUs of a node by one resource's name; ``measure`` is what is counted: cards, bytes, or shares of cards."""

    measure: str
    node: str
    resource: str
    allocatable: int
    allocated: int
    free: int


def counts(inventory: Inventory) -> list[GpuCount]:
    """Return what each node has, sorted; of pools that give out the same resource, the sum."""
    found: dict[tuple[str, str, str], GpuCount] = {}
    for node, pool in inventory.pools():
        for measure, *amounts in _measures(pool):
            key = (measure, node.name, pool.resource)
            before = found.get(key, GpuCount(*key, 0, 0, 0))
            found[key] = GpuCount(*key, *[one + more for one, more in zip(before[3:], amounts, strict=True)])
    return [found[key] for key in sorted(found)]


def _measures(pool: Pool) -> Iterator[tuple[str, int, int, int]]:
    """Yield what is counted of a pool, each with what there is, what is taken and what is free."""
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
