"""Pools of one kind over all nodes, with their totals and the fragmentation of what is free."""

from __future__ import annotations

from gpu_admission.core.quantity import GIB, MIB

from .model import DEVICES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .card import Card
    from .model import Inventory, Measure, Node, Pool, Unit


_TITLES = {
    "exclusive": "whole devices",
    "dra": "dynamic resource allocation",
}


def compact(count: int) -> str:
    """Return a number of bytes as a cell of a table shows it: ``0``, ``512Mi``, ``59.8Gi``."""
    if count < GIB:
        return f"{-(-count // MIB)}Mi" if count else "0"
    return f"{count // GIB}Gi" if count % GIB == 0 else f"{count / GIB:.1f}Gi"


class Section:
    """Pools of the same backend, resource and unit."""

    __slots__ = ("backend", "measure", "places", "resource", "unit")

    def __init__(self, pool: Pool) -> None:
        self.backend = pool.backend
        self.resource = pool.resource
        self.measure: Measure = pool.measure
        self.unit: Unit = pool.unit
        self.places: list[tuple[Node, Pool]] = []

    @property
    def title(self) -> str:
        """The name of the way of sharing."""
        return _TITLES.get(self.backend, self.backend)

    @property
    def total(self) -> int:
        """The total of all pools."""
        return sum([pool.total for _, pool in self.places])

    @property
    def allocated(self) -> int:
        """How much of it is allocated."""
        return sum([pool.allocated for _, pool in self.places])

    @property
    def pending(self) -> int:
        """How much is allocated on unknown cards."""
        return sum([pool.pending for _, pool in self.places])

    @property
    def free(self) -> int:
        """How much is free."""
        return sum([pool.free for _, pool in self.places])

    @property
    def largest(self) -> tuple[int, str]:
        """The largest free piece (of a card, or for devices of a node), and where it is."""
        found = max(self.places, key=lambda each: each[1].largest_piece)
        return found[1].largest_piece, found[0].name

    @property
    def cards(self) -> list[Card]:
        """The individually known, usable cards."""
        return [card for _, pool in self.places for card in pool.cards if card.usable]

    @property
    def fragmentation(self) -> float:
        """Which part of what is free one pod cannot use: 0 where it is in one piece, near 1 where it is fragmented."""
        free = self.free
        return round(1 - min(self.largest[0], free) / free, 3) if free else 0.0

    def shown(self, amount: int) -> str:
        """Return an amount in the section's unit, with one decimal where it is not whole."""
        if amount % self.unit.size == 0 or self.unit.size == DEVICES.size:
            return str(amount // self.unit.size)
        return f"{amount / self.unit.size:.1f}"


def sections(inventory: Inventory) -> list[Section]:
    """Return the sections of an inventory, sorted by backend and resource."""
    found: dict[tuple[str, str, str], Section] = {}
    for node, pool in inventory.pools():
        key = (pool.backend, pool.resource, f"{pool.measure} {pool.unit.name}")
        if key not in found:
            found[key] = Section(pool)
        found[key].places.append((node, pool))
    return [found[key] for key in sorted(found)]
