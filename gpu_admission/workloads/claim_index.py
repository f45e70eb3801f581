"""The objects of one run that tell what claims give: claims, templates, device classes, by kind, namespace and name.

A pod names a ResourceClaimTemplate, which names a DeviceClass: three objects that may stand in one file, in several or
nowhere. The index is empty until somebody looks something up, so that a run over inputs without claims pays nothing.
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
# One of these stands in every file that the index has to read.
MARKS = (b"resource.k8s.io", b"resource.nvidia.com", b"resource.kubernetes.io/admin-access")
EXTENDED_NAME = b"extendedResourceName"  # stands in every file with a class that stands for a resource name
MOST_OBJECTS, MOST_BYTES = 20_000, 64 << 20  # what is kept of a run; the rest counts as not seen
_CLUSTER_WIDE = frozenset({DEVICE_CLASS, "Namespace"})


class Entry:
    """An object of the index. ``namespace`` is empty where the file leaves it to whoever applies it."""

    __slots__ = ("_spec", "kind", "name", "namespace", "object")

    def __init__(self, kind: str, namespace: str, name: str, obj: dict[str, Any]) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.object = obj
        self._spec: ClaimSpec | None = None

    @property
    def spec(self) -> ClaimSpec:
        """The claim that a ResourceClaim is or that a ResourceClaimTemplate makes; read at the first use."""
        if self._spec is None:
            from .claims import read_spec  # noqa: PLC0415 - only where there are claims

            self._spec = read_spec(self.object)
        return self._spec


class ClaimIndex:
    """What is seen of claims in one run: the documents judged now first, then those of the whole run.

    ``run`` yields the parsed documents of the run that may hold claims, each with the bytes that it took; it is asked
    once, at the first look-up that the present documents do not answer. ``users`` yields the documents of the run in
    which pods may name ResourceClaims; without it those of the present input are all.
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
        """Take the parsed documents of the input that is judged next: they come before those of other inputs."""
        self._present = documents
        self._here = None
        self._found_here = {}
        self._channels = {}
        self._extended = None
        if self._users_source is None:
            self._users = None

    def find(self, kind: str, name: str, namespace: str = "") -> Entry | None:
        """Return the object of a kind and name that a namespace would have; None where none is seen, or several are.

        A file may leave the namespace out, of what is looked up as well as of what is found: then the name decides.
        Of two in one input the first is what an API server would keep, because claims cannot be changed.
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
        """Return what a ResourceClaim or ResourceClaimTemplate requests, None where it is not seen."""
        found = self.find(kind, name, namespace)
        return None if found is None else found.spec

    def pods_naming(self, name: str, namespace: str = "") -> int | None:
        """Return how many pods that are seen name a ResourceClaim, and may run at once; None where nobody knows."""
        if self._users is None:
            from .claim_users import ClaimUsers  # noqa: PLC0415 - only for claims that pods could share

            self._users = ClaimUsers(self._present if self._users_source is None else self._users_source())
        return self._users.pods(name, namespace)

    def first_here(self, kind: str, name: str, namespace: str = "") -> Entry | None:
        """Return the first object of a kind, name and just that namespace in the present input."""
        if not self._present:
            return None
        named = self._of_input().get((kind, name), {})
        return next(iter(named.get("" if kind in _CLUSTER_WIDE else namespace, ())), None)

    def holds_here(self, obj: object) -> bool:
        """Tell whether an object is one of the present input, as it was read."""
        self._of_input()
        return id(obj) in self._ids_here

    def resource(self, name: str) -> Resource | None:
        """Return what a resource name stands for by the device classes that are seen; None where that is no GPU.

        A class may stand for any name (``extendedResourceName``). Of several classes in one input that stand for a name
        the last counts, as the newest does for the scheduler; where only other inputs have them, they must all be of
        the same device, because nobody knows in which order they are created.
        """
        from . import device_classes  # noqa: PLC0415 - only where names are met that nobody knows

        class_name = name.removeprefix(device_classes.EXTENDED_PREFIX)
        found = self.find(DEVICE_CLASS, class_name) if class_name != name else self._standing_for(name)
        facts = None if found is None else device_classes.of_object(found.object)
        return None if facts is None else device_classes.resource(facts, name)

    def resources(self) -> list[str]:
        """Return the names that device classes of GPUs in the run stand for."""
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
        """Return the templates that ComputeDomains make, each with the name of its ComputeDomain."""
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
"""Nothing is seen: what admission has, where each object comes alone. It is shared, and never entered."""


def _note(document: Any, size: int, table: Table, budget: list[int]) -> bool:
    """Add the objects of a document that matter; tell whether there is room for more."""
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
    """Return the name of the template that a ComputeDomain makes; empty where it names none."""
    channel = as_dict(as_dict(obj.get("spec")).get("channel"))
    return as_str(as_dict(channel.get("resourceClaimTemplate")).get("name"))


def _extended(table: Table) -> Iterator[tuple[str, Entry]]:
    """Yield the resource names that device classes stand for."""
    for each in _all(table, DEVICE_CLASS):
        extended = as_str(as_dict(each.object.get("spec")).get("extendedResourceName"))
        if extended:
            yield extended, each


def _agreed(classes: Sequence[Entry]) -> Entry | None:
    """Return one of the classes where all of them give the same devices, as far as is known; None where they do not."""
    from . import device_classes  # noqa: PLC0415 - as above

    facts = [device_classes.of_object(each.object) for each in classes]
    known = {None if each is None else (each.is_gpu, each.vendor, each.sharing) for each in facts}
    return classes[0] if len(known) == 1 else None


def _all(table: Table, kind: str) -> list[Entry]:
    return [each for (of, _), named in table.items() if of == kind for entries in named.values() for each in entries]


def _fitting(table: Table, kind: str, name: str, namespace: str) -> list[Entry]:
    """Return the objects of a name that a namespace may hold: those of just that one, else those of none."""
    named = table.get((kind, name))
    if named is None:
        return []
    if namespace and kind not in _CLUSTER_WIDE:
        return named.get(namespace) or named.get("") or []
    return [each for entries in named.values() for each in entries]
