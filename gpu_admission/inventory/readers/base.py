"""The interface of the readers."""

from __future__ import annotations

from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from gpu_admission.inventory.model import Pool
    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView


class Reader:
    """Reads one backend's records.

    ``backends`` are the names of those whose records it reads. ``pod_annotations`` are the keys that the backend's
    components write on pods and trust, ``node_annotations`` those on nodes; in both one ``*`` matches any text.
    """

    backends: tuple[str, ...] = ()
    node_annotations: tuple[str, ...] = ()
    pod_annotations: tuple[str, ...] = ()

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return a node's pools of this backend; ``parameters`` are the policy's, if it is for this backend."""
        raise NotImplementedError

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """Return whether a pod on the pool's node may hold any of it."""
        return not pool.names.isdisjoint(pod.requests)

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the holdings of a pod on the pool's node to its cards.

        Raises UnreadableError where the record on the pod cannot be read: the caller uses `unrecorded` then.
        """
        raise NotImplementedError

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Add a pod without a readable record to the pool, by its requests."""
        pool.loose.append(pod.holding(count=max(pod.requests.get(pool.resource, 1), 1), note=note))

    def empty(self, pool: Pool, pod: PodView, annotation: str) -> None:
        """Count the pod's requests, where its record names no card: it has some all the same."""
        if any([pod.requests.get(name) for name in pool.names]):
            self.unrecorded(pool, pod, f"its record ({annotation}) names no card")

    def finish(self, pool: Pool) -> None:
        """Finish, after the last pod."""


def cards_of(entries: Iterable[Any], read: Callable[[Any, int], Card]) -> list[Card]:
    """Read one card of each entry; one that is unreadable or a duplicate becomes a problem, the others count."""
    found: list[Card] = []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        try:
            card = read(entry, index)
            if card.key in seen:
                raise UnreadableError(f"{card.key} is there twice")
        except UnreadableError as error:
            card = Card(f"#{index}", problem=str(error))
        seen.add(card.key)
        found.append(card)
    return found
