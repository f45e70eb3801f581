"""The owner of an object: the top of the chain of ``ownerReferences``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .listed import Listed, OwnerReference

    Lookup = Callable[["Owner"], "OwnerReference | None"]

_LONGEST = 10  # length of a chain; the garbage collector does not forbid cycles


class Owner(NamedTuple):
    """The object at the top of a chain of owners, or the last one that can be found."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""

    @property
    def group(self) -> str:
        """Its API group."""
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Owners:
    """The owners of listed objects; ``look_up`` finds the owner of any other (None: it has none)."""

    def __init__(self, look_up: Lookup) -> None:
        self._above: dict[str, OwnerReference | None] = {}
        self._look_up = look_up

    def note(self, listed: Listed) -> None:
        """Store an object's owner, or that it has none."""
        if listed.metadata.uid:
            self._above[listed.metadata.uid] = listed.controller

    def top(self, listed: Listed, api_version: str, kind: str) -> Owner:
        """Return the object at the top of the chain, the object itself where it has no owner."""
        namespace = listed.metadata.namespace or ""
        found = Owner(api_version, kind, namespace, listed.metadata.name, listed.metadata.uid)
        reference = listed.controller
        seen = {found.uid}
        for _ in range(_LONGEST):
            if reference is None or reference.uid in seen or not (reference.kind and reference.name):
                break
            seen.add(reference.uid)
            found = Owner(reference.api_version, reference.kind, namespace, reference.name, reference.uid)
            reference = self._next(found)
        return found

    def _next(self, owner: Owner) -> OwnerReference | None:
        if owner.uid not in self._above:
            self._above[owner.uid] = self._look_up(owner)
        return self._above[owner.uid]
