"""A card, and what pods hold of it: memory in bytes, compute in percent of the card."""

from __future__ import annotations

from gpu_admission.core.record import record


@record
class Holding:
    """What pods hold of one card, or of one pool where the card is unknown.

    ``memory`` None is all of the card's; ``count`` 0 is access that reserves nothing. ``pods`` are several only where
    they share a resource claim, and none where a claim is allocated that no pod uses. ``note`` is a problem of the
    record that it was read from.
    """

    namespace: str
    pods: tuple[str, ...]
    count: int = 1
    memory: int | None = None
    cores: int = 0
    claim: str = ""
    terminating: bool = False
    note: str = ""

    @property
    def label(self) -> str:
        """The holder as tables show it: ``team-a/train-0``."""
        names = ",".join(self.pods) or f"claim {self.claim}"
        return f"{self.namespace}/{names}"


class Card:
    """One card: its capacity and its holders.

    ``key`` is its name in the backend's records. ``memory`` None is unknown, ``slots`` how many containers may share it
    (None: any number). ``shareable`` means that it is allocated in parts; otherwise any holder takes all of it.
    ``problem`` is why its record cannot be read: the card is not counted then. ``reserved`` means that it cannot be
    allocated whole, even if no part is held yet. ``uuid`` is the vendor's name for it, where that is known and not the
    key.
    """

    __slots__ = (
        "cores", "healthy", "holdings", "index", "key", "memory", "model", "problem", "reserved", "shareable", "slots",
        "uuid",
    )  # fmt: skip

    def __init__(
        self,
        key: str,
        index: int | None = None,
        *,
        memory: int | None = None,
        cores: int | None = None,
        slots: int | None = None,
        model: str = "",
        healthy: bool = True,
        shareable: bool = True,
        problem: str = "",
    ) -> None:
        self.key = key
        self.index = index
        self.memory = memory
        self.cores = cores
        self.slots = slots
        self.model = model
        self.healthy = healthy
        self.shareable = shareable
        self.problem = problem
        self.reserved = False
        self.uuid = ""
        self.holdings: list[Holding] = []

    @property
    def label(self) -> str:
        """Its name in reports: ``GPU0``, else the key of its records."""
        return self.key if self.index is None else f"GPU{self.index}"

    @property
    def usable(self) -> bool:
        """Whether anything can be placed on it."""
        return self.healthy and not self.problem

    @property
    def taken(self) -> bool:
        """Whether any of it is held; admin access (a holding of none) does not count."""
        return self.reserved or any([each.count for each in self.holdings])

    @property
    def used_memory(self) -> int:
        """Allocated bytes."""
        if not self.shareable:
            return (self.memory or 0) if self.taken else 0
        return sum([(self.memory or 0) if each.memory is None else each.memory for each in self.holdings])

    @property
    def used_cores(self) -> int:
        """Allocated percent of its compute."""
        return sum([each.cores for each in self.holdings])

    @property
    def used_slots(self) -> int:
        """The number of holders that share it."""
        return sum([each.count for each in self.holdings])

    @property
    def free_memory(self) -> int:
        """Free bytes: none where the card has no free slot or cannot be used."""
        full = self.slots is not None and self.used_slots >= self.slots
        if not self.usable or full or (self.taken and not self.shareable):
            return 0
        return max((self.memory or 0) - self.used_memory, 0)

    @property
    def is_free(self) -> bool:
        """Whether none of it is held."""
        return self.usable and not self.taken

    @property
    def overcommitted(self) -> bool:
        """Whether more is allocated than it has."""
        return self.memory is not None and self.used_memory > self.memory
