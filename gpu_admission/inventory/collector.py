"""Collects an inventory from pages of objects and keeps of each only what the inventory needs.

The order is: device classes, slices, Device objects, nodes, claims, pods. Memory grows with the GPUs and with the pods
that hold or request some, not with the pods of the cluster.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, escape, iter_dicts
from gpu_admission.core.record import record
from gpu_admission.policy.model import Policy
from gpu_admission.workloads.share_annotations import may_request_share

from . import shortfall
from .decoding import UnreadableError
from .model import Inventory, Node, WaitingPod
from .node_view import NodeView, node_of
from .pod_view import PodView
from .readers import koordinator, registry
from .readers.dra import Slices
from .readers.dra_claims import Claims
from .requests import Requests, described
from .uncounted import UncountedPods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .model import Pool, UncountedPod
    from .readers.base import Reader
    from .readers.dra import Device, Place
    from .requests import Need

_MOST_REASONS = 200  # different ones; each is compared with every pool
_TOO_MANY = f"not worked out: more than {_MOST_REASONS} different requests wait"
_LONGEST = 400  # characters of a scheduler's message that are shown


@record
class _Waiting:
    """A pod without a node, reduced to the fields of the arithmetic."""

    namespace: str
    name: str
    needs: tuple[Need, ...]
    missing: tuple[str, ...]
    gates: tuple[str, ...]
    selector: tuple[tuple[str, str], ...]
    tolerations: tuple[tuple[str, str, str, str], ...]
    message: str


class Collector:
    """Takes raw objects, one method per kind, in the order above; `finish` returns the inventory.

    ``policy`` has further GPU resources and the parameters of its backend (the units of its amounts).
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or Policy("inventory")
        self._parameters = {self._policy.backend.name: self._policy.backend.parameters}
        self._slices = Slices()
        self._dra_pools: dict[str, list[Pool]] = {}
        self._places: dict[Place, Device] | None = None
        self._classes: list[Mapping[str, Any]] = []
        self._claims: Claims | None = None
        self._devices: dict[str, list[Any]] = {}
        self._nodes: dict[str, Node] = {}
        self._waiting: list[_Waiting] = []
        self._uncounted: list[UncountedPod] = []
        self._look = UncountedPods()
        self._requests: Requests | None = None
        self._problems: list[str] = []

    def add_class(self, raw: Mapping[str, Any]) -> None:
        """Take a DeviceClass."""
        self._classes.append(raw)

    def add_slice(self, raw: Mapping[str, Any]) -> None:
        """Take a ResourceSlice."""
        self._slices.add(raw)

    def add_device(self, raw: Mapping[str, Any]) -> None:
        """Take a Device object of Koordinator."""
        name, devices = koordinator.reduced(raw)
        if devices:
            self._devices[name] = devices

    def add_node(self, raw: Mapping[str, Any]) -> None:
        """Take a Node; one without GPUs is not kept."""
        claims = self._ready()
        node = node_of(raw)
        if not node.name:
            return
        view = NodeView(raw, self._devices.pop(node.name, None))
        taken: set[str] = set()
        for reader in registry.ALL:
            for pool in reader.pools(view, self._of(reader)):
                if pool.names.isdisjoint(taken):
                    taken |= pool.names
                    pool.reader = reader
                    node.pools.append(pool)
        for pool in self._dra_pools.pop(node.name, ()):
            pool.names |= claims.resources_of(pool.resource)
            node.pools.append(pool)
        if node.pools:
            self._nodes[node.name] = node

    def add_claim(self, raw: Mapping[str, Any]) -> None:
        """Take a ResourceClaim."""
        self._ready().add(raw)

    def add_pod(self, raw: Mapping[str, Any]) -> None:
        """Take a Pod; one that has ended, or has nothing to do with GPUs, is not kept."""
        pod = PodView(raw)
        if pod.ended or not pod.name:
            return
        node = self._nodes.get(pod.node) if pod.node else None
        if node is not None:
            self._place(pod, node)
        elif not pod.node:
            self._wait(pod)
        elif wanted := self._beside(pod):
            reason = f"requests {', '.join(wanted[:4])} on a node that offers no GPU: was it bound by nodeName?"
            self._uncounted.append(self._look.pod(pod, "GPU203", reason))

    def finish(self) -> Inventory:
        """Return what was collected."""
        self._ready()
        for name, pools in self._dra_pools.items():  # devices shared by nodes, or of a deleted node
            self._nodes[name] = Node(name)
            self._nodes[name].pools = pools
        nodes = sorted(self._nodes.values(), key=lambda node: node.name)
        reasons = _Reasons(nodes)
        waiting = [reasons.of(pod) for pod in self._waiting]
        problems = [*self._problems, *self._slices.problems, *(self._claims.problems if self._claims else ())]
        waiting.sort(key=lambda each: (each.namespace, each.name))
        self._uncounted.sort(key=lambda each: (not each.certain, each.namespace, each.name, each.rule))
        return Inventory(nodes, waiting, self._uncounted, problems)

    def _ready(self) -> Claims:
        """Make the pools of all slices, after the last slice and class."""
        if self._claims is None:
            self._dra_pools, places = self._slices.pools()
            self._claims = Claims(places)
            for each in self._classes:
                self._claims.add_class(each)
            self._classes.clear()
        return self._claims

    def _of(self, reader: Reader) -> Mapping[str, Any]:
        for backend in reader.backends:
            if backend in self._parameters:
                return {**self._parameters[backend], "extra": self._policy.extra}
        return {"extra": self._policy.extra}

    def _place(self, pod: PodView, node: Node) -> None:
        for pool in node.pools:
            reader = pool.reader
            if not reader.concerns(pool, pod):
                continue
            before = len(pool.loose)
            try:
                reader.hold(pool, pod)
            except UnreadableError as error:
                reader.unrecorded(pool, pod, f"unreadable: {error}")
            for held in pool.loose[before:]:
                if held.note:
                    self._uncounted.append(self._look.pod(pod, "GPU203", held.note))
        self._uncounted += self._look.of(pod, node)

    def _beside(self, pod: PodView) -> list[str]:
        """Return the GPU resources that a pod requests on a node without any; a claim may replace them (KEP-5004)."""
        if as_dict(pod.raw.get("status")).get("extendedResourceClaimStatus"):
            return []
        return [name for name, count in pod.requests.items() if count and self._policy.classify(name)]

    def _wait(self, pod: PodView) -> None:
        """Keep a pod that has no node yet and requests a GPU."""
        asks = any([self._policy.classify(name) for name, count in pod.requests.items() if count])
        claimed = bool(pod.spec.get("resourceClaims"))
        if not asks and not claimed and not may_request_share(pod.annotations):
            return
        needs: list[Need] = []
        missing: list[str] = []
        if claimed:
            needs, missing = self._ready().needs_of(pod.raw)
        needs += self._asked().of_pod(pod.raw, kai=self._has_kai())
        if needs or missing:
            self._waiting.append(_reduced(pod, needs, missing))

    def _asked(self) -> Requests:
        if self._requests is None:
            units = {
                pool.unit.name for node in self._nodes.values() for pool in node.pools if pool.backend == "gpushare"
            }
            parameters = {"gpushare": {"unit": min(units)}} if units else {}
            self._requests = Requests(self._policy, {**parameters, **self._parameters})
        return self._requests

    def _has_kai(self) -> bool:
        return self._policy.backend.name == "kai"


class _Reasons:
    """Explains why pods wait, once for all pods with the same needs."""

    def __init__(self, nodes: list[Node]) -> None:
        self._offers: dict[str, list[shortfall.Offer]] = {}
        self._known: dict[Any, str] = {}
        for node in nodes:
            for pool in node.pools:
                offer = shortfall.Offer(node, pool)
                for name in pool.names:
                    self._offers.setdefault(name, []).append(offer)

    def of(self, pod: _Waiting) -> WaitingPod:
        key = (tuple([each.key for each in pod.needs]), pod.selector, pod.tolerations)
        reason = self._known.get(key)
        if reason is None:
            reason = self._reason(pod) if len(self._known) < _MOST_REASONS else _TOO_MANY
            self._known[key] = reason
        if pod.missing:
            reason = f"{' and '.join(pod.missing)} does not exist" + (f"; {reason}" if pod.needs else "")
        if pod.gates:
            reason = f"held back by the scheduling gate {', '.join(pod.gates)}; {reason}"
        return WaitingPod(pod.namespace, pod.name, described(pod.needs), reason, pod.message)

    def _reason(self, pod: _Waiting) -> str:
        if not pod.needs:
            return ""
        found = {id(offer): offer for need in pod.needs for offer in self._offers.get(min(need.names), ())}.values()
        wanted = [offer for offer in found if any([need.names <= offer.pool.names for need in pod.needs])]
        takes = {offer.node.name: _takes(offer.node, pod) for offer in wanted}
        offers = [offer for offer in wanted if takes[offer.node.name]]
        return shortfall.reason(pod.needs, offers, len(takes) - sum(takes.values()))


def _takes(node: Node, pod: _Waiting) -> bool:
    """Return whether a node accepts a pod: ready, not cordoned, nodeSelector matches, taints tolerated."""
    if node.cordoned or not node.ready or any([node.labels.get(key) != value for key, value in pod.selector]):
        return False
    return all(
        [effect == "PreferNoSchedule" or _tolerates(pod, key, value, effect) for key, value, effect in node.taints]
    )


def _tolerates(pod: _Waiting, key: str, value: str, effect: str) -> bool:
    for wanted, operator, expected, only in pod.tolerations:
        named = wanted == key or (not wanted and operator == "Exists")
        if named and only in {"", effect} and (operator == "Exists" or expected == value):
            return True
    return False


def _reduced(pod: PodView, needs: list[Need], missing: list[str]) -> _Waiting:
    selector = as_dict(pod.spec.get("nodeSelector")).items()
    return _Waiting(
        pod.namespace,
        pod.name,
        tuple(needs),
        tuple(missing),
        tuple([as_str(gate.get("name")) for _, gate in iter_dicts(pod.spec.get("schedulingGates"))][:4]),
        tuple(sorted([(key, value) for key, value in selector if isinstance(value, str)])),
        tuple([_toleration(each) for _, each in iter_dicts(pod.spec.get("tolerations"))]),
        _message(pod.raw),
    )


def _toleration(raw: Mapping[str, Any]) -> tuple[str, str, str, str]:
    operator = as_str(raw.get("operator")) or "Equal"
    return as_str(raw.get("key")), operator, as_str(raw.get("value")), as_str(raw.get("effect"))


def _message(raw: Mapping[str, Any]) -> str:
    """Return the scheduler's message about why the pod waits."""
    for _, condition in iter_dicts(as_dict(raw.get("status")).get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return escape(as_str(condition.get("message"))[:_LONGEST])
    return ""
