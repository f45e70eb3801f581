"""An inventory as data, for JSON and YAML: memory in bytes, compute in percent of a card."""

from __future__ import annotations

from .sections import sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .card import Card, Holding
    from .model import Inventory, Node, Pool, UncountedPod, WaitingPod
    from .sections import Section

VERSION = 1


def as_data(inventory: Inventory) -> dict[str, Any]:
    """Return the report; fields are added to it, never changed."""
    return {
        "version": VERSION,
        "summary": [_section(each) for each in sections(inventory)],
        "nodes": [_node(each) for each in inventory.nodes],
        "waiting": [_waiting(each) for each in inventory.waiting],
        "uncounted": [_uncounted(each) for each in inventory.uncounted],
        "incomplete": inventory.incomplete,
    }


def _section(section: Section) -> dict[str, Any]:
    piece, node = section.largest
    return {
        "backend": section.backend,
        "resource": section.resource,
        "measure": section.measure,
        "nodes": len(section.places),
        "total": section.total,
        "allocated": section.allocated,
        "unplaced": section.pending,
        "free": section.free,
        "largestFreePiece": {"amount": piece, "node": node},
        "cards": len(section.cards),
        "unusedCards": sum([card.is_free for card in section.cards]),
        "fragmentation": section.fragmentation,
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": node.address,
        "ready": node.ready,
        "cordoned": node.cordoned,
        "pools": [_pool(pool) for pool in node.pools],
    }


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "backend": pool.backend,
        "resource": pool.resource,
        "measure": pool.measure,
        "model": pool.model,
        "total": pool.total,
        "allocated": pool.allocated,
        "free": pool.free,
        "unavailable": pool.unavailable,
        "sharesPerCard": pool.per_card,
        "cards": [_card(card) for card in pool.cards],
        "unplaced": [_holding(each) for each in pool.loose],
        "problems": pool.problems,
    }


def _card(card: Card) -> dict[str, Any]:
    return {
        "key": card.key,
        "index": card.index,
        "uuid": card.uuid or None,
        "model": card.model,
        "healthy": card.healthy,
        "unreadable": card.problem or None,
        "memory": card.memory,
        "usedMemory": card.used_memory,
        "freeMemory": card.free_memory,
        "cores": card.cores,
        "usedCores": card.used_cores,
        "slots": card.slots,
        "usedSlots": card.used_slots,
        "overcommitted": card.overcommitted,
        "holders": [_holding(each) for each in card.holdings],
    }


def _holding(held: Holding) -> dict[str, Any]:
    return {
        "namespace": held.namespace,
        "pods": list(held.pods),
        "claim": held.claim or None,
        "count": held.count,
        "memory": held.memory,
        "cores": held.cores,
        "terminating": held.terminating,
        "note": held.note,
    }


def _waiting(pod: WaitingPod) -> dict[str, Any]:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "needs": pod.needs,
        "reason": pod.reason,
        "scheduler": pod.scheduler,
    }


def _uncounted(pod: UncountedPod) -> dict[str, Any]:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "node": pod.node,
        "rule": pod.rule,
        "reason": pod.reason,
        "certain": pod.certain,
        "system": pod.system or None,
    }
