"""The inventory of a running cluster: its objects, page by page, into a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from gpu_admission.inventory.collector import Collector
from gpu_admission.inventory.readers import koordinator

from . import lists
from .discovery import ServedKind, discover
from .errors import ForbiddenError, NotServedError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from gpu_admission.inventory.model import Inventory
    from gpu_admission.policy.model import Policy

    from .connection import Connection

    Progress = Callable[[str, int, int], None]  # what is listed, how many were read, how many remain
    Add = Callable[[dict[str, Any]], None]

_NODES = ServedKind("", "v1", "nodes", "Node", namespaced=False)
_PODS = ServedKind("", "v1", "pods", "Pod", namespaced=True)
_DRA = "resource.k8s.io"


class _Step(NamedTuple):
    """A kind to list, and the receiver of its objects; ``lost`` is what is unknown where it cannot be listed."""

    group: str
    kind: str
    add: Add
    lost: str


def collect(
    connection: Connection,
    policy: Policy | None = None,
    names: Collection[str] = (),
    progress: Progress | None = None,
) -> Inventory:
    """Return the inventory of a cluster, or of the nodes of these names (and then no waiting pods).

    Kinds that may not be listed, or fail after all retries, are among the inventory's ``incomplete``. Raises
    ConnectError, CredentialsError, ForbiddenError and ServerError where nodes cannot be listed at all.
    """
    collection = GpuCollection(connection, policy, names, progress)
    found = discover(connection)
    collection.incomplete += found.problems
    collection.list_before_pods(found.kinds)
    collection.list_pods()
    return collection.finish()


class GpuCollection:
    """An inventory in progress: `list_before_pods`, then the pods by `list_pods` or one by one, then `finish`."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy | None = None,
        names: Collection[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self._connection = connection
        self._names = tuple(dict.fromkeys(names))
        self._progress = progress or _ignore
        self._collector = Collector(policy)
        self.incomplete: list[str] = []
        self.add_pod = self._collector.add_pod

    def list_before_pods(self, kinds: Mapping[tuple[str, str], ServedKind]) -> None:
        """List the kinds that are needed before the first pod. Raises as `collect` does."""
        collector = self._collector
        before = [
            _Step(_DRA, "DeviceClass", collector.add_class, "which classes give GPUs"),
            _Step(_DRA, "ResourceSlice", collector.add_slice, "what dynamic resource allocation offers"),
            _Step(koordinator.GROUP, "Device", collector.add_device, "Koordinator's cards"),
        ]
        listed = self._list_all(before, kinds)
        self._list_nodes()
        if listed:  # without the devices, their holders are of no use
            self._list_all([_Step(_DRA, "ResourceClaim", collector.add_claim, "who holds devices by claims")], kinds)

    def finish(self) -> Inventory:
        """Return the inventory."""
        inventory = self._collector.finish()
        inventory.incomplete[:0] = self.incomplete
        if self._names:
            inventory.nodes = [node for node in inventory.nodes if node.name in self._names]
            inventory.waiting = []
        return inventory

    def _list_all(self, steps: list[_Step], kinds: Mapping[tuple[str, str], ServedKind]) -> bool:
        """List the kinds that are served; return whether all of those could be listed."""
        served = [(kinds[step.group, step.kind], step) for step in steps if (step.group, step.kind) in kinds]
        return all([self._attempt(kind, step.add, step.lost) for kind, step in served])

    def _list_nodes(self) -> None:
        """List the nodes, or read the named ones; nothing works without them."""
        if not self._names:
            self._list(_NODES, self._collector.add_node)
        for name in self._names:
            try:
                self._collector.add_node(self._connection.read(f"{_NODES.path()}/{quote(name, safe='')}"))
            except NotServedError:
                self.incomplete.append(f"node {name}: there is no node of that name")

    def list_pods(self) -> None:
        """List the pods of the named nodes, or all."""
        queries: list[dict[str, str] | None] = [{"fieldSelector": f"spec.nodeName={name}"} for name in self._names]
        for query in queries or [None]:
            self._attempt(_PODS, self._collector.add_pod, "who holds the GPUs", query)

    def _attempt(self, kind: ServedKind, add: Add, lost: str, query: Mapping[str, str] | None = None) -> bool:
        """List a kind that is not required; return whether that succeeded."""
        try:
            self._list(kind, add, query)
        except NotServedError:
            pass  # its definition was removed meanwhile, and with it all objects
        except (ForbiddenError, ServerError) as error:
            line = f"{error} ({lost} is not known)"
            if line not in self.incomplete:
                self.incomplete.append(line)
            return False
        return True

    def _list(self, kind: ServedKind, add: Add, query: Mapping[str, str] | None = None) -> None:
        seen = 0
        for page in lists.pages(self._connection, kind.path(), query):
            for item in page.items:
                try:
                    add(lists.decode(item, kind))
                except (msgspec.DecodeError, RecursionError):
                    self.incomplete.append(f"{kind}: an object that cannot be read was passed over")
            seen += len(page.items)
            self._progress(str(kind), seen, page.remaining)


def _ignore(_: str, __: int, ___: int) -> None:
    """Show no progress."""
