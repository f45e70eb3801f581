"""The number of pods among the inputs that use each ResourceClaim."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from . import discovery, kinds, replicas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

MARK = b"resourceClaimName"  # in every file with a pod that names a ResourceClaim
MOST = 100_000  # the most names that are counted; with more, all counts are unknown


class ClaimUsers:
    """The pods that name each ResourceClaim, by the claim's name and namespace (empty where a file leaves it out)."""

    __slots__ = ("_count", "_pods")

    def __init__(self, documents: Iterable[Any]) -> None:
        self._pods: dict[str, dict[str, int | None]] = {}
        self._count = 0
        for document in documents:
            for _, obj in discovery.objects(document):
                names = list(_named(obj))
                if names:
                    self._note(obj, names)

    def _note(self, obj: dict[str, Any], names: list[str]) -> None:
        group, kind = kinds.split_group(as_str(obj.get("apiVersion"))), as_str(obj.get("kind"))
        pods = replicas.most_pods_of(group, kind, obj)
        space = as_str(as_dict(obj.get("metadata")).get("namespace"))
        for name in names:
            self._count += 1
            spaces = self._pods.setdefault(name, {}) if self._count <= MOST else {}
            known = spaces.get(space, 0)
            spaces[space] = None if pods is None or known is None else known + pods

    def pods(self, name: str, namespace: str) -> int | None:
        """Return how many pods that name a claim may run at once; None where that is unknown."""
        spaces = self._pods.get(name, {})
        fitting = [count for space, count in spaces.items() if not namespace or space in {"", namespace}]
        if self._count > MOST or None in fitting:
            return None
        return sum(count for count in fitting if count is not None)


def _named(obj: dict[str, Any]) -> Iterator[str]:
    """Yield the ResourceClaims that pod specs anywhere in an object name, without recursion."""
    waiting: list[Any] = [obj]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for _, entry in iter_dicts(value.get("resourceClaims")):
                name = as_str(entry.get("resourceClaimName") or as_dict(entry.get("source")).get("resourceClaimName"))
                if name:
                    yield name
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
