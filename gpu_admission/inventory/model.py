"""An inventory: nodes, and the pools of cards on each.

Memory is counted in bytes, compute in percent of a card, devices and shares by number.
"""

from __future__ import annotations

from gpu_admission.core.quantity import GIB, MIB
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from .card import Card, Holding

    Measure = Literal["memory", "count"]


@record
class Unit:
    """The unit in which amounts of a pool are shown: its name, and its size in bytes (or devices)."""

    name: str
    size: int


IN_GIB = Unit("GiB", GIB)
IN_MIB = Unit("MiB", MIB)
DEVICES = Unit("devices", 1)
SHARES = Unit("shares", 1)


class Pool:
    """The cards of one node that one backend allocates.

    ``measure`` is what it counts, ``names`` the extended resources by which pods request it, ``total`` the devices or
    bytes that it has. ``cards`` are those that are known one by one: all of them where memory is counted; where devices
    are counted, those that several pods share, or none. ``loose`` are holdings whose card is unknown. ``per_card`` is
    how many equal shares a card has, and ``physical`` how many cards that is. ``size`` is the bytes of one unit of the
    resource, and ``word`` the backend's name for the cards' vendor, where its reader needs them. ``unavailable`` are
    devices that the node has and does not offer (unhealthy ones).
    """

    __slots__ = (
        "_by_key",
        "_indexed",
        "backend",
        "cards",
        "loose",
        "measure",
        "model",
        "names",
        "per_card",
        "physical",
        "problems",
        "reader",
        "resource",
        "size",
        "total",
        "unavailable",
        "unit",
        "word",
    )  # fmt: skip

    def __init__(
        self,
        backend: str,
        resource: str,
        measure: Measure,
        total: int,
        *,
        unit: Unit = DEVICES,
        names: frozenset[str] = frozenset(),
        model: str = "",
    ) -> None:
        self.backend = backend
        self.resource = resource
        self.measure: Measure = measure
        self.total = total
        self.unit = unit
        self.names = names or frozenset({resource})
        self.model = model
        self.size: int | None = None
        self.per_card = 1
        self.physical = 0
        self.unavailable = 0
        self.cards: list[Card] = []
        self._by_key: dict[str, Card] = {}
        self._indexed = 0
        self.loose: list[Holding] = []
        self.problems: list[str] = []
        self.reader: Any = None
        self.word = ""

    @property
    def pending(self) -> int:
        """How much is allocated on an unknown card (bytes or devices)."""
        if self.measure == "count":
            return sum([each.count for each in self.loose])
        whole = self.total // len(self.cards) if self.cards else 0
        return sum([whole * each.count if each.memory is None else each.memory * each.count for each in self.loose])

    @property
    def allocated(self) -> int:
        """How much is allocated in total."""
        if self.measure == "count":
            return self.pending + sum([card.taken for card in self.cards])
        return self.pending + sum([card.used_memory for card in self.cards])

    @property
    def free(self) -> int:
        """How much is free in total; holdings without a card count as allocated."""
        if self.measure == "count":
            return max(self.total - self.pending - sum([card.taken for card in self.cards if card.usable]), 0)
        return max(sum([card.free_memory for card in self.cards]) - self.pending, 0)

    @property
    def largest_piece(self) -> int:
        """The most that is free on one card; for devices, how many are free on the node."""
        if self.measure == "count":
            return self.free
        return max([card.free_memory for card in self.cards], default=0)

    def card(self, key: str) -> Card | None:
        """Return the card of that key, None where the node has no such card."""
        if self._indexed != len(self.cards):
            self._by_key = {card.key: card for card in reversed(self.cards) if not card.problem}
            self._indexed = len(self.cards)
        return self._by_key.get(key)

    def holdings(self) -> Iterator[tuple[Card | None, Holding]]:
        """Yield every holding with its card, those without a card last."""
        for card in self.cards:
            for each in card.holdings:
                yield card, each
        for each in self.loose:
            yield None, each


class Node:
    """A node with GPUs: ``cordoned`` means that it takes no new pods."""

    __slots__ = ("address", "cordoned", "labels", "name", "pools", "ready", "taints")

    def __init__(self, name: str, address: str = "unknown") -> None:
        self.name = name
        self.address = address
        self.labels: dict[str, str] = {}
        self.taints: tuple[tuple[str, str, str], ...] = ()  # key, value, effect
        self.cordoned = False
        self.ready = True
        self.pools: list[Pool] = []


@record
class WaitingPod:
    """A pod that requests a GPU and has no node: its needs, the computed reason, and its scheduler's message."""

    namespace: str
    name: str
    needs: str
    reason: str
    scheduler: str


@record
class UncountedPod:
    """A pod that holds, or can reach, GPUs without a request for them.

    ``certain`` is False where it only can reach them (it is privileged); ``system`` names the component whose purpose
    that is.
    """

    namespace: str
    name: str
    node: str
    rule: str
    reason: str
    certain: bool
    system: str


class Inventory:
    """The nodes and pods found. ``incomplete`` has a line for everything that could not be read."""

    __slots__ = ("incomplete", "nodes", "uncounted", "waiting")

    def __init__(
        self,
        nodes: list[Node],
        waiting: list[WaitingPod] | None = None,
        uncounted: list[UncountedPod] | None = None,
        incomplete: list[str] | None = None,
    ) -> None:
        self.nodes = nodes
        self.waiting = waiting or []
        self.uncounted = uncounted or []
        self.incomplete = incomplete or []

    def pools(self) -> Iterator[tuple[Node, Pool]]:
        """Yield every pool with its node."""
        for node in self.nodes:
            for pool in node.pools:
                yield node, pool
