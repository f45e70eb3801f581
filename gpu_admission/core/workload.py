"""Pods and containers as the rules see them, with the pointer to each: one view for every kind of object.

``read`` finds every pod spec of a document: by the table of kinds, by the policy's ``workloads``, and, for a
kind that neither knows, by its shape. The views are thin: they hold the raw mappings and where they stand.
"""

from __future__ import annotations

from . import discovery, kinds, quantity
from . import pointer as pointers
from .finding import ObjectRef
from .shape import mapping, mappings, printable, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Literal

    from .kinds import Place
    from .pointer import Pointer
    from .policy import Policy
    from .quantity import Quantity
    from .resources import Resource

    Role = Literal["init", "sidecar", "app", "ephemeral"]
    Origin = Literal["file", "admission"]

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING", "__slots__": ()})()


class GpuRequest:
    """One GPU resource of a container: what its limits and its requests say, raw.

    ``limit`` and ``request`` are MISSING where the key is absent.
    """

    __slots__ = ("_quantities", "container", "limit", "request", "resource")

    def __init__(self, container: Container, resource: Resource, limit: Any, request: Any) -> None:
        self.container = container
        self.resource = resource
        self.limit = limit
        self.request = request
        self._quantities: dict[str, Quantity | None] = {}

    @property
    def name(self) -> str:
        """The resource's name."""
        return self.resource.name

    @property
    def value(self) -> Any:
        """What is asked: the limit, or the request where there is no limit."""
        return self.request if self.limit is MISSING else self.limit

    @property
    def side(self) -> Literal["limits", "requests"]:
        """Where ``value`` stands."""
        return "requests" if self.limit is MISSING else "limits"

    def sides(self) -> Iterator[tuple[Literal["limits", "requests"], Any]]:
        """Yield each side that is given, with its raw value."""
        if self.limit is not MISSING:
            yield "limits", self.limit
        if self.request is not MISSING:
            yield "requests", self.request

    def quantity(self, side: Literal["limits", "requests"] | None = None) -> Quantity | None:
        """Return the amount on a side (by default of ``value``), or None where it is missing or does not parse."""
        side = side or self.side
        if side not in self._quantities:
            raw = self.limit if side == "limits" else self.request
            self._quantities[side] = None if raw is MISSING else _parsed(raw)
        return self._quantities[side]

    def pointer(self, side: Literal["limits", "requests"] | None = None) -> Pointer:
        """Return where the resource's key stands (or would stand) on a side."""
        return (*self.container.resources_pointer, side or self.side, self.resource.name)

    @property
    def asks(self) -> bool:
        """Whether more than zero is asked; an amount that does not parse is taken for a request."""
        amount = self.quantity()
        return amount is None or not (amount.is_zero or amount.is_negative)


def _parsed(raw: Any) -> Quantity | None:
    try:
        return quantity.parse(raw).in_thousandths()  # as the API server compares and counts it
    except quantity.QuantityError:
        return None


class Container:
    """A container of a pod, or a place that has a container's ``resources`` and little else.

    ``whole`` is False for the latter (KServe's ``model``, NIMService): only its resources can be judged.
    """

    __slots__ = ("gpus", "key", "pointer", "role", "spec", "whole")

    def __init__(
        self,
        spec: Mapping[str, Any],
        pointer: Pointer,
        role: Role,
        policy: Policy,
        *,
        key: str = "resources",
        whole: bool = True,
    ) -> None:
        self.spec = spec
        self.pointer = pointer
        self.role: Role = role
        self.key = key
        self.whole = whole
        self.gpus = self._gpus(policy)

    @property
    def name(self) -> str:
        """The container's name, or the empty text."""
        return text(self.spec.get("name"))

    @property
    def label(self) -> str:
        """How messages name it: ``container "train"``, ``init container "setup"``, ``"model"``."""
        kind = {"app": "container", "init": "init container", "sidecar": "sidecar container"}.get(
            self.role, "ephemeral container"
        )
        if self.name:
            return f'{kind} "{printable(self.name[:63])}"'
        last = self.pointer[-1] if self.pointer else ""
        return f"{kind} number {last + 1}" if isinstance(last, int) else f'"{printable(last[:63])}"'

    @property
    def resources_pointer(self) -> Pointer:
        """Where the mapping with limits and requests stands."""
        return (*self.pointer, self.key)

    @property
    def resources(self) -> Mapping[str, Any]:
        """The mapping with limits and requests; empty where there is none."""
        return mapping(self.spec.get(self.key))

    @property
    def limits(self) -> Mapping[str, Any]:
        """The limits; empty where there are none."""
        return mapping(self.resources.get("limits"))

    @property
    def requests(self) -> Mapping[str, Any]:
        """The requests; empty where there are none."""
        return mapping(self.resources.get("requests"))

    @property
    def served(self) -> bool:
        """Whether the container asks for any GPU (an explicit zero asks for none)."""
        return any(gpu.asks for gpu in self.gpus)

    def env(self) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
        """Yield the entries of ``env`` that are mappings, with their pointers."""
        for index, entry in mappings(self.spec.get("env")):
            yield (*self.pointer, "env", index), entry

    def _gpus(self, policy: Policy) -> tuple[GpuRequest, ...]:
        resources = self.spec.get(self.key)
        if not isinstance(resources, dict):
            return ()
        limits, requests = mapping(resources.get("limits")), mapping(resources.get("requests"))
        found = []
        for name in (*limits, *(name for name in requests if name not in limits)):
            resource = policy.classify(name) if "/" in name else None
            if resource is not None:
                found.append(GpuRequest(self, resource, limits.get(name, MISSING), requests.get(name, MISSING)))
        return tuple(found)


class Pod:
    """A pod spec and what belongs to it.

    ``pointer`` names the pod spec; ``holder`` the mapping that carries the pods' ``metadata`` (the Pod
    itself, or the template), None where the kind has none. ``complete`` is False for fragments, for
    resources without a container around them, and for kinds found by shape: there only what stands in a
    container can be judged, nothing about placement. ``memo`` keeps what several rules work out of the pod:
    a view is made for one policy and never changed, so nothing in it grows stale.
    """

    __slots__ = ("complete", "containers", "holder", "memo", "pointer", "spec")

    def __init__(
        self,
        spec: Mapping[str, Any],
        pointer: Pointer,
        holder: Pointer | None,
        containers: tuple[Container, ...],
        *,
        complete: bool,
    ) -> None:
        self.spec = spec
        self.pointer = pointer
        self.holder = holder
        self.containers = containers
        self.complete = complete
        self.memo: dict[str, Any] = {}

    @property
    def gpus(self) -> Iterator[GpuRequest]:
        """Every GPU resource of every container."""
        return (gpu for container in self.containers for gpu in container.gpus)

    @property
    def served(self) -> bool:
        """Whether any container asks for a GPU."""
        return any(container.served for container in self.containers)


class Workload:
    """One Kubernetes object and the pods that will come of it.

    ``pointer`` is where the object stands in the document (not the root for an item of a ``List``);
    ``document`` is the whole, to which every pointer of every view is relative.
    """

    __slots__ = ("api_version", "document", "kind", "object", "origin", "pods", "pointer", "ref")

    def __init__(self, document: Any, obj: dict[str, Any], pointer: Pointer, policy: Policy, origin: Origin) -> None:
        self.document = document
        self.object = obj
        self.pointer = pointer
        self.origin: Origin = origin
        self.api_version = text(obj.get("apiVersion"))
        self.kind = text(obj.get("kind"))
        metadata = mapping(obj.get("metadata"))
        self.ref = ObjectRef(
            self.api_version,
            self.kind,
            text(metadata.get("namespace")) or None,
            text(metadata.get("name")) or None,
        )
        self.pods = tuple(_pods(self, policy))

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return kinds.split_group(self.api_version)

    @property
    def is_pod(self) -> bool:
        """Whether the object is itself a Pod."""
        return self.kind == "Pod" and self.api_version == "v1"

    @property
    def built_in(self) -> bool:
        """Whether Kubernetes itself checks the pod specs of this kind when it is created."""
        return self.group in kinds.BUILT_IN_GROUPS

    def metadata(self, pod: Pod) -> Mapping[str, Any]:
        """Return the metadata that the pods will carry."""
        if pod.holder is None:
            return {}
        return mapping(mapping(pointers.resolve(self.document, pod.holder)).get("metadata"))

    def containers(self) -> Iterator[tuple[Pod, Container]]:
        """Yield every container of every pod."""
        for pod in self.pods:
            for container in pod.containers:
                yield pod, container

    def gpus(self) -> Iterator[GpuRequest]:
        """Yield every GPU resource of every container."""
        for pod in self.pods:
            yield from pod.gpus

    def container_at(self, pointer: Pointer) -> str | None:
        """Return the name of the container that a pointer lies in, or None."""
        for _, container in self.containers():
            if pointers.starts_with(pointer, container.pointer):
                return container.name or None
        return None


def read(document: Any, policy: Policy, origin: Origin = "file") -> list[Workload]:
    """Return every Kubernetes object of a document: itself, the items of lists, objects inside objects.

    A document that is no Kubernetes object (no ``apiVersion`` and ``kind``) gives none.
    """
    return [Workload(document, obj, pointer, policy, origin) for pointer, obj in discovery.objects(document)]


def _pods(workload: Workload, policy: Policy) -> Iterator[Pod]:
    """Yield the pods of an object: from the policy's paths, else the table's, else (or where those miss) by shape."""
    own = _own_places(workload, policy)
    places = own if own is not None else kinds.places(workload.api_version, workload.kind)
    found = False
    for place in places or ():
        if place.what == "object":  # its pods belong to the object inside
            found = True
            continue
        for path, value in pointers.expand(workload.object, place.path):
            if isinstance(value, dict):
                found = True
                yield _pod(workload, path, place.what, place.extra, policy, certain=True)
    if not found and own is None and not kinds.never(workload.api_version, workload.kind):
        for spot in discovery.by_shape(workload.object, policy.classify):
            yield _pod(workload, spot.path, spot.what, (), policy, certain=False)


def _own_places(workload: Workload, policy: Policy) -> tuple[Place, ...] | None:
    for entry in policy.workloads:
        if (entry.get("apiVersion"), entry.get("kind")) == (workload.api_version, workload.kind):
            return tuple(kinds.Place(path) for path in entry["podSpecs"])
    return None


def _pod(workload: Workload, path: Pointer, what: str, extra: tuple[str, ...], policy: Policy, *, certain: bool) -> Pod:
    pointer = (*workload.pointer, *path)
    spec: Mapping[str, Any] = pointers.resolve(workload.object, path)  # type: ignore[assignment]
    if what == "resources":
        key = extra[0] if extra else "resources"
        only = Container(spec, pointer, "app", policy, key=key, whole=False)
        return Pod({}, pointer, None, (only,), complete=False)
    containers = tuple(_containers(spec, pointer, extra, policy))
    complete = certain and what == "pod" and (workload.origin == "admission" or _entire(containers))
    holder = pointer[:-1] if what == "pod" and _held(workload, pointer) else None
    return Pod(spec, pointer, holder, containers, complete=complete)


def _held(workload: Workload, pointer: Pointer) -> bool:
    """Tell whether the mapping around a pod spec carries the metadata of its pods: it does under ``spec``.

    The ``spec`` of a custom kind is no pod spec's own (a ServingRuntime's metadata is not its pods').
    """
    return pointer[-1] == "spec" and (workload.is_pod or len(pointer) > len(workload.pointer) + 1)


def _entire(containers: tuple[Container, ...]) -> bool:
    """Tell whether this is a whole pod spec: a kustomize patch has no containers, or some without an image."""
    return bool(containers) and all(c.whole and c.name and c.spec.get("image") for c in containers if c.role == "app")


def _containers(
    spec: Mapping[str, Any], pointer: Pointer, extra: tuple[str, ...], policy: Policy
) -> Iterator[Container]:
    for index, item in mappings(spec.get("initContainers")):
        role: Role = "sidecar" if item.get("restartPolicy") == "Always" else "init"
        yield Container(item, (*pointer, "initContainers", index), role, policy)
    for index, item in mappings(spec.get("containers")):
        yield Container(item, (*pointer, "containers", index), "app", policy)
    for index, item in mappings(spec.get("ephemeralContainers")):
        yield Container(item, (*pointer, "ephemeralContainers", index), "ephemeral", policy)
    for name in extra:
        pattern = (*name.rstrip("*").split("/"), *(("*",) if name.endswith("*") else ()))
        for path, value in pointers.expand(spec, pattern):
            if isinstance(value, dict):
                yield Container(value, (*pointer, *path), "app", policy, whole="image" in value)
