"""Claims, claim templates and device classes among the inputs of a run, by kind, namespace and name.

A pod names a ResourceClaimTemplate, which names a DeviceClass: three objects that may be in one file, in several or in
none. The index is built at the first look-up, so that a run over inputs without claims has no cost.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str

from . import discovery, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .claim_users import ClaimUsers
    from .claims import ClaimSpec
    from .resources import Resource

    Source = Callable[[], Iterable[tuple[int, Any]]]
    Named = dict[str, list["Entry"]]  # by namespace
    Table = dict[tuple[str, str], Named]
    Key = tuple[str, str, str]

GROUP = "resource.k8s.io"
CLAIM, TEMPLATE, DEVICE_CLASS = "ResourceClaim", "ResourceClaimTemplate", "DeviceClass"
COMPUTE_DOMAIN = "ComputeDomain"
NVIDIA_GROUP = "resource.nvidia.com"
KINDS: dict[tuple[str, str], str] = {
    **{(GROUP, kind): kind for kind in (CLAIM, TEMPLATE, DEVICE_CLASS)},
    (NVIDIA_GROUP, COMPUTE_DOMAIN): COMPUTE_DOMAIN,
    ("", "Namespace"): "Namespace",
}
# One of these is in every file that the index has to read.
MARKS = (b"resource.k8s.io", b"resource.nvidia.com", b"resource.kubernetes.io/admin-access")
EXTENDED_NAME = b"extendedResourceName"  # in every file with a class that has a resource name
MOST_OBJECTS, MOST_BYTES = 20_000, 64 << 20  # limits of the index of a run; the rest is ignored
_CLUSTER_WIDE = frozenset({DEVICE_CLASS, "Namespace"})


class Entry:
    """An object of the index. ``namespace`` is empty where the file has none."""

    __slots__ = ("_spec", "kind", "name", "namespace", "object")

    def __init__(self, kind: str, namespace: str, name: str, obj: dict[str, Any]) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.object = obj
        self._spec: ClaimSpec | None = None

    @property
    def spec(self) -> ClaimSpec:
        """The spec of a ResourceClaim, or of the claims of a ResourceClaimTemplate; read at the first use."""
        if self._spec is None:
            from .claims import read_spec  # noqa: PLC0415 - start-up time: needed only for claims

            self._spec = read_spec(self.object)
        return self._spec


class ClaimIndex:
    """An index of claims in one run: of the present documents first, then of the whole run.

    ``run`` yields the parsed documents of the run that may contain claims, each with its size in bytes; it is called
    once, at the first look-up that fails in the present documents. ``users`` yields the documents of the run in which
    pods may name ResourceClaims, by default only those of the present input.
    """

    __slots__ = (
        "_channels",
        "_extended",
        "_extended_of_run",
        "_found",
        "_found_here",
        "_here",
        "_ids_here",
        "_left",
        "_of_kind",
        "_present",
        "_run",
        "_table",
        "_users",
        "_users_source",
    )

    def __init__(self, run: Source | None = None, users: Callable[[], Iterable[Any]] | None = None) -> None:
        self._run = run
        self._users_source = users
        self._users: ClaimUsers | None = None
        self._table: Table | None = None
        self._present: Sequence[Any] = ()
        self._here: Table | None = None
        self._left = [MOST_OBJECTS, MOST_BYTES]
        self._found: dict[Key, Entry | None] = {}
        self._found_here: dict[Key, Entry | None] = {}
        self._channels: dict[str, dict[str, str]] = {}
        self._extended: dict[str, Entry] | None = None  # of the present input
        self._extended_of_run: dict[str, Entry | None] | None = None
        self._ids_here: frozenset[int] = frozenset()
        self._of_kind: dict[str, list[Entry]] = {}  # of the run

    def enter(self, documents: Sequence[Any]) -> None:
        """Set the parsed documents of the input that is judged next: they take precedence over other inputs."""
        self._present = documents
        self._here = None
        self._found_here = {}
        self._channels = {}
        self._extended = None
        if self._users_source is None:
            self._users = None

    def find(self, kind: str, name: str, namespace: str = "") -> Entry | None:
        """Return the object of a kind and name in a namespace; None where there is none, or several.

        Without a namespace, in the look-up or in the object, the name decides. Of two in one input the first one
        counts, which an API server would keep, because claims are immutable.
        """
        if self._run is None and not self._present:
            return None
        key = (kind, name, namespace)
        if key not in self._found_here:
            self._found_here[key] = next(iter(_fitting(self._of_input(), *key)), None)
        here = self._found_here[key]
        if here is not None or self._run is None:
            return here
        if key not in self._found:
            found = _fitting(self._of_run(), *key)
            same = bool(found) and all(each.object == found[0].object for each in found[1:])
            self._found[key] = found[0] if same else None
        return self._found[key]

    def claim(self, kind: str, name: str, namespace: str = "") -> ClaimSpec | None:
        """Return the spec of a ResourceClaim or ResourceClaimTemplate, None where it is not found."""
        found = self.find(kind, name, namespace)
        return None if found is None else found.spec

    def pods_naming(self, name: str, namespace: str = "") -> int | None:
        """Return how many pods of the inputs that name a ResourceClaim may run at once; None where that is unknown."""
        if self._users is None:
            from .claim_users import ClaimUsers  # noqa: PLC0415 - start-up time: needed only for shareable claims

            self._users = ClaimUsers(self._present if self._users_source is None else self._users_source())
        return self._users.pods(name, namespace)

    def first_here(self, kind: str, name: str, namespace: str = "") -> Entry | None:
        """Return the first object of exactly this kind, name and namespace in the present input."""
        if not self._present:
            return None
        named = self._of_input().get((kind, name), {})
        return next(iter(named.get("" if kind in _CLUSTER_WIDE else namespace, ())), None)

    def holds_here(self, obj: object) -> bool:
        """Return whether an object is one of the present input, as it was read."""
        self._of_input()
        return id(obj) in self._ids_here

    def resource(self, name: str) -> Resource | None:
        """Return what a resource name means by the device classes of the inputs; None where it is not a GPU.

        A class may have any name as ``extendedResourceName``. Of several classes in one input with the same one the
        last counts, as the newest does for the scheduler; in other inputs they must all be of the same device, because
        the order of their creation is unknown.
        """
        from . import device_classes  # noqa: PLC0415 - start-up time: needed only for unknown names

        class_name = name.removeprefix(device_classes.EXTENDED_PREFIX)
        found = self.find(DEVICE_CLASS, class_name) if class_name != name else self._standing_for(name)
        facts = None if found is None else device_classes.of_object(found.object)
        return None if facts is None else device_classes.resource(facts, name)

    def resources(self) -> list[str]:
        """Return the resource names of the device classes of GPUs in the run."""
        return [name for name, _ in _extended(self._of_run()) if self.resource(name) is not None]

    def _standing_for(self, name: str) -> Entry | None:
        """Return a DeviceClass whose ``extendedResourceName`` is a name."""
        if self._present:
            if self._extended is None:
                self._extended = dict(_extended(self._of_input()))
            if name in self._extended:
                return self._extended[name]
        if self._run is None:
            return None
        if self._extended_of_run is None:
            found: dict[str, list[Entry]] = {}
            for extended, each in _extended(self._of_run()):
                found.setdefault(extended, []).append(each)
            self._extended_of_run = {extended: _agreed(entries) for extended, entries in found.items()}
        return self._extended_of_run.get(name)

    def channels(self, namespace: str = "") -> dict[str, str]:
        """Return the claim templates of ComputeDomains, each with the name of its ComputeDomain."""
        if namespace not in self._channels:
            found = self.all(COMPUTE_DOMAIN) if self._run is not None or self._present else []
            own = [each for each in found if not namespace or each.namespace in {"", namespace}]
            self._channels[namespace] = {name: each.name for each in own if (name := _channel(each.object))}
        return self._channels[namespace]

    def all(self, kind: str) -> list[Entry]:
        """Return the objects of a kind in the present input and then in the run."""
        if kind not in self._of_kind:
            self._of_kind[kind] = _all(self._of_run(), kind)
        return [*_all(self._of_input(), kind), *self._of_kind[kind]]

    def _of_input(self) -> Table:
        if self._here is None:
            self._here = {}
            budget = [MOST_OBJECTS, MOST_BYTES]
            for document in self._present:
                _note(document, 0, self._here, budget)
            entries = [each for named in self._here.values() for found in named.values() for each in found]
            self._ids_here = frozenset([id(each.object) for each in entries])
        return self._here

    def _of_run(self) -> Table:
        if self._table is None:
            self._table = {}
            for size, document in self._run() if self._run is not None else ():
                if not _note(document, size, self._table, self._left):
                    break
        return self._table


NO_CLAIMS = ClaimIndex()
"""The empty index of admission, where each object comes alone. It is shared, and ``enter`` is never called."""


def _note(document: Any, size: int, table: Table, budget: list[int]) -> bool:
    """Add the relevant objects of a document; return whether there is room for more."""
    for _, obj in discovery.objects(document):
        kind = KINDS.get((kinds.split_group(as_str(obj.get("apiVersion"))), as_str(obj.get("kind"))))
        if kind is None:
            continue
        metadata = as_dict(obj.get("metadata"))
        name = as_str(metadata.get("name"))
        budget[0] -= 1
        budget[1] -= size
        if min(budget) < 0:
            return False
        if name:
            namespace = "" if kind in _CLUSTER_WIDE else as_str(metadata.get("namespace"))
            named = table.setdefault((kind, name), {})
            named.setdefault(namespace, []).append(Entry(kind, namespace, name, obj))
    return True


def _channel(obj: dict[str, Any]) -> str:
    """Return the name of the claim template of a ComputeDomain; empty where it has none."""
    channel = as_dict(as_dict(obj.get("spec")).get("channel"))
    return as_str(as_dict(channel.get("resourceClaimTemplate")).get("name"))


def _extended(table: Table) -> Iterator[tuple[str, Entry]]:
    """Yield the resource names of device classes."""
    for each in _all(table, DEVICE_CLASS):
        extended = as_str(as_dict(each.object.get("spec")).get("extendedResourceName"))
        if extended:
            yield extended, each


def _agreed(classes: Sequence[Entry]) -> Entry | None:
    """Return one of the classes if all of them give the same devices, as far as is known; else None."""
    from . import device_classes  # noqa: PLC0415 - start-up time: needed only for unknown names

    facts = [device_classes.of_object(each.object) for each in classes]
    known = {None if each is None else (each.is_gpu, each.vendor, each.sharing) for each in facts}
    return classes[0] if len(known) == 1 else None


def _all(table: Table, kind: str) -> list[Entry]:
    return [each for (of, _), named in table.items() if of == kind for entries in named.values() for each in entries]


def _fitting(table: Table, kind: str, name: str, namespace: str) -> list[Entry]:
    """Return the objects of a name in a namespace: those with this namespace, else those without one."""
    named = table.get((kind, name))
    if named is None:
        return []
    if namespace and kind not in _CLUSTER_WIDE:
        return named.get(namespace) or named.get("") or []
    return [each for entries in named.values() for each in entries]
