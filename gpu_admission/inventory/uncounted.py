"""Running pods that hold, or can reach, GPUs without a request: found by the rules."""

from __future__ import annotations

from gpu_admission import rules
from gpu_admission.backends import components, registry
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy

from .model import UncountedPod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Finding

    from .model import Node
    from .pod_view import PodView

# What gives a container cards beside the device plugin, and what only lets it reach them.
HOLDS = frozenset({"GPU301", "GPU304", "GPU305", "GPU306"})
REACHES = frozenset({"GPU303", "GPU507"})
_ITSELF = {"kube-system": "Kubernetes itself", "kai-resource-reservation": "KAI"}


class UncountedPods:
    """Checks pods on nodes with GPUs; what a backend's own components write is not reported."""

    __slots__ = ("_engines", "_system")

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._system = {
            namespace: part.name for part in components.every(registry.ALL) for namespace in part.namespaces
        } | _ITSELF

    def of(self, pod: PodView, node: Node) -> Iterator[UncountedPod]:
        """Yield each rule's first finding on a pod."""
        backend = next((pool.backend for pool in node.pools if pool.backend in registry.NAMES), "exclusive")
        seen = set()
        raw = {**pod.raw, "apiVersion": "v1", "kind": "Pod"}
        for finding in self._engine(backend).validate(raw, "admission"):
            if finding.rule not in seen and self._counts(finding):
                seen.add(finding.rule)
                yield self.pod(pod, finding.rule, finding.message)

    def pod(self, pod: PodView, rule: str, reason: str) -> UncountedPod:
        """Return the finding on one pod."""
        system = self._system.get(pod.namespace, "")
        return UncountedPod(pod.namespace, pod.name, pod.node, rule, reason, rule not in REACHES, system)

    @staticmethod
    def _counts(finding: Finding) -> bool:
        """Return whether a finding is not common practice (as the parent of a device's path is)."""
        return finding.severity != "info" or finding.rule in REACHES

    def _engine(self, backend: str) -> Engine:
        if backend not in self._engines:
            policy = Policy("inventory", {"backend": {"name": backend}}, selected=HOLDS | REACHES)
            self._engines[backend] = Engine(rules.ALL, policy)
        return self._engines[backend]
