"""A pod as the readers see it."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from .card import Holding
from .decoding import amount_or_zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_ENDED = frozenset({"Succeeded", "Failed"})


class PodView:
    """A pod: ``requests`` are its extended resources, as the scheduler and the kubelet count them."""

    __slots__ = ("annotations", "ended", "labels", "name", "namespace", "node", "raw", "requests", "spec")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.ended = as_dict(raw.get("status")).get("phase") in _ENDED
        metadata = as_dict(raw.get("metadata"))
        self.spec = as_dict(raw.get("spec"))
        self.name = as_str(metadata.get("name"))
        self.namespace = as_str(metadata.get("namespace"))
        self.node = as_str(self.spec.get("nodeName"))
        self.annotations = as_dict(metadata.get("annotations"))
        self.labels = as_dict(metadata.get("labels"))
        self.requests = {} if self.ended else self._effective()

    @property
    def terminating(self) -> bool:
        """Whether it is being deleted; it keeps its devices until it no longer exists."""
        return bool(as_dict(self.raw.get("metadata")).get("deletionTimestamp"))

    @property
    def initialized(self) -> bool:
        """Whether its init containers have ended."""
        conditions = as_dict(self.raw.get("status")).get("conditions")
        return any(
            [each.get("type") == "Initialized" and each.get("status") == "True" for _, each in iter_dicts(conditions)]
        )

    def holding(self, **fields: Any) -> Holding:
        """Return a holding of this pod."""
        return Holding(self.namespace, (self.name,), terminating=self.terminating, **fields)

    def containers(self, kind: str = "containers") -> Iterator[Mapping[str, Any]]:
        """Yield its containers of a kind."""
        for _, container in iter_dicts(self.spec.get(kind)):
            yield container

    def app_limits(self, name: str) -> int:
        """Return the limits of a resource over its app containers, for schedulers that count no others."""
        return sum([_limits(container).get(name, 0) for container in self.containers()])

    def limits(self, name: str) -> int:
        """Return the sum of its app containers, or the largest of its init containers."""
        first = max([_limits(container).get(name, 0) for container in self.containers("initContainers")], default=0)
        return max(first, self.app_limits(name))

    def _effective(self) -> dict[str, int]:
        """Return its extended resources, by Kubernetes' formula.

        App containers and sidecars together, or the largest init container with the sidecars that run beside it:
        k8s.io/component-helpers resource/helpers.go.
        """
        total: dict[str, int] = {}
        for container in self.containers():
            _add(total, _amounts(container))
        if self.spec.get("initContainers"):
            self._count_init(total)
        return total

    def _count_init(self, total: dict[str, int]) -> None:
        sidecars: dict[str, int] = {}
        peak: dict[str, int] = {}
        for container in self.containers("initContainers"):
            amounts = _amounts(container)
            if container.get("restartPolicy") == "Always":
                _add(sidecars, amounts)
                _add(total, amounts)
                amounts = {}
            for name in {*amounts, *sidecars}:
                peak[name] = max(peak.get(name, 0), amounts.get(name, 0) + sidecars.get(name, 0))
        for name, value in peak.items():
            total[name] = max(total.get(name, 0), value)


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _limits(container: Mapping[str, Any]) -> dict[str, int]:
    return _extended(as_dict(container.get("resources")).get("limits"))


def _amounts(container: Mapping[str, Any]) -> dict[str, int]:
    """Return a container's extended resources: requests equal limits, and a stored pod has both."""
    resources = as_dict(container.get("resources"))
    return {**_extended(resources.get("limits")), **_extended(resources.get("requests"))}


def _extended(amounts: Any) -> dict[str, int]:
    return {name: amount_or_zero(value) for name, value in as_dict(amounts).items() if "/" in name}
