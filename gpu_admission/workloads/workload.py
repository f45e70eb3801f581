"""Views of objects and their pods with the pointer to each, the same for every kind of object.

``read`` finds every pod spec of a document: by the table of kinds, by the policy's ``workloads``, and, for a kind in
neither, by its shape. The views are thin: they hold the raw mappings and their pointers.
"""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import ObjectRef
from gpu_admission.core.raw import as_dict, as_str, escape

from . import discovery, kind_traits, kinds
from .claim_index import NO_CLAIMS
from .container import Container
from .kinds import PodSpecPath
from .pod import Pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.engine.rule import Scope
    from gpu_admission.policy.model import Policy

    from .claim_index import ClaimIndex
    from .container import GpuRequest, Role
    from .discovery import FoundObject

    Origin = Literal["file", "admission"]

_ROLES: tuple[tuple[str, Role], ...] = (
    ("initContainers", "init"),
    ("containers", "app"),
    ("ephemeralContainers", "ephemeral"),
)
# k8s.io/api core/v1 MirrorPodAnnotationKey: the API server lets no Pod gain or lose it, and rejects one that has it
# and no node name; kubelets do not run such a Pod, which represents a static one (kubernetes/kubernetes
# pkg/kubelet/types).
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
_NONE_SEEN: Mapping[tuple[int, Pointer], Container] = {}


class Workload:
    """A view of a Kubernetes object and the pods that are created from it.

    ``pointer`` is the object's place in the document (not the root for an item of a ``List``); pointers of all views
    are relative to ``document``. ``group`` is the API group, empty for the core group; ``is_pod`` is whether the object
    is itself a Pod; ``scope`` is what there is for rules to judge: a ``request`` for a GPU, at least a ``pod``, or only
    an ``object``. ``claim_index`` has the claims, templates and device classes among the inputs.
    """

    __slots__ = (
        "_names",
        "_ref",
        "_seen",
        "api_version",
        "cache",
        "claim_index",
        "document",
        "group",
        "is_pod",
        "kind",
        "object",
        "origin",
        "pods",
        "pointer",
        "policy",
        "scope",
    )

    def __init__(
        self,
        document: Any,
        obj: dict[str, Any],
        pointer: Pointer,
        policy: Policy,
        origin: Origin,
        seen: Mapping[tuple[int, Pointer], Container] = _NONE_SEEN,
        claim_index: ClaimIndex = NO_CLAIMS,
    ) -> None:
        self.document = document
        self.policy = policy
        self.claim_index = claim_index
        self.cache: dict[str, Any] = {}
        self._names: dict[Pointer, str] | None = None
        self._seen = seen
        self.object = obj
        self.pointer = pointer
        self.origin: Origin = origin
        self.api_version = as_str(obj.get("apiVersion"))
        self.kind = as_str(obj.get("kind"))
        self.group = kinds.split_group(self.api_version)
        self.is_pod = self.kind == "Pod" and self.api_version == "v1"
        self._ref: ObjectRef | None = None
        self.pods = tuple(_pods(self, policy))
        held = [pod.scope for pod in self.pods]
        own = (self.group, self.kind) in kind_traits.OWN_GPU_FIELDS
        self.scope: Scope = "request" if own else "object" if not held else "request" if "request" in held else "pod"

    def view(self, spec: Mapping[str, Any], pointer: Pointer, role: Role, policy: Policy) -> Container:
        """Return the view of a container: that of before the patch, where the patch did not change the container."""
        return self._seen.get((id(spec), pointer)) or Container(
            spec, pointer, role, policy, claim_index=self.claim_index
        )

    @property
    def ref(self) -> ObjectRef:
        """The reference to the object."""
        if self._ref is None:
            metadata = as_dict(self.object.get("metadata"))
            namespace, name = as_str(metadata.get("namespace")), as_str(metadata.get("name"))
            self._ref = ObjectRef(self.api_version, self.kind, namespace or None, name or None)
        return self._ref

    @property
    def namespace(self) -> str:
        """The namespace that the object names; empty where it names none."""
        return as_str(as_dict(self.object.get("metadata")).get("namespace"))

    @property
    def is_mirror(self) -> bool:
        """Whether this is the mirror of a static Pod, which runs in any case: denying the mirror has no effect.

        A Pod with the annotation but without a node name is an ordinary one: a Binding can set annotations unchecked.
        """
        if not self.is_pod or not self.pods:
            return False
        pod = self.pods[0]
        return MIRROR_ANNOTATION in as_dict(pod.metadata.get("annotations")) and bool(as_str(pod.spec.get("nodeName")))

    @property
    def defaulted(self) -> bool:
        """Whether this is a Pod after API server defaulting, which copies limits of GPUs to requests.

        A Pod inside another object has not been through it.
        """
        return self.origin == "admission" and self.is_pod and not self.pointer

    def containers(self) -> list[tuple[Pod, Container]]:
        """Return every container of every pod."""
        return [(pod, container) for pod in self.pods for container in pod.containers]

    def gpus(self) -> list[GpuRequest]:
        """Return every GPU resource of every container."""
        return [gpu for pod in self.pods for gpu in pod.gpus]

    def container_at(self, pointer: Pointer) -> str | None:
        """Return the name of the container that a pointer is inside of, or None."""
        if self._names is None:
            self._names = {}
            for _, container in self.containers():
                self._names.setdefault(container.pointer, container.name)
        return next((name for name in map(self._names.get, _around(pointer)) if name), None)


def _around(pointer: Pointer) -> Iterator[Pointer]:
    """Yield the pointer and those of the values around it, the outermost first."""
    return (pointer[:depth] for depth in range(len(pointer) + 1))


def read(
    document: Any,
    policy: Policy,
    origin: Origin = "file",
    before: Sequence[Workload] = (),
    claim_index: ClaimIndex = NO_CLAIMS,
) -> list[Workload]:
    """Return every Kubernetes object of a document: itself, the items of lists, objects inside objects.

    A document without ``apiVersion`` and ``kind`` gives none. ``before`` are views, under the same policy, of the
    document before a patch: views of containers that the patch did not change are reused.
    """
    seen = {(id(each.spec), each.pointer): each for view in before for pod in view.pods for each in pod.containers}
    if is_pod(document):  # fast path of the webhook: a Pod has no objects inside
        return [Workload(document, document, (), policy, origin, seen, claim_index)]
    found = discovery.objects(document)
    return [Workload(document, obj, pointer, policy, origin, seen, claim_index) for pointer, obj in found]


def is_pod(document: Any) -> bool:
    """Return whether a document is a Pod."""
    return isinstance(document, dict) and document.get("kind") == "Pod" and document.get("apiVersion") == "v1"


def _pods(workload: Workload, policy: Policy) -> list[Pod]:
    """Return the pods of an object: by the policy's paths, else the table's, else (or if those find none) by shape."""
    own = _own_places(workload, policy) if policy.workloads else None
    places = own if own is not None else kinds.places_in(workload.group, workload.kind)
    pods: list[Pod] = []
    inner = False
    for place in places or ():
        if place.what == "object":  # its pods belong to the object inside
            inner = True
            continue
        for path, value in pointers.expand(workload.object, place.path):
            if isinstance(value, dict):
                pods.append(_pod(workload, value, path, place, policy))
    known = inner or any([pod.containers for pod in pods])
    if not known and own is None and not kind_traits.never(workload.api_version, workload.kind):
        seen = {pod.pointer for pod in pods}
        for spot in discovery.by_shape(workload.object, policy.classify):
            if (*workload.pointer, *spot.path) not in seen:
                value = pointers.resolve(workload.object, spot.path)
                pods.append(_pod(workload, value, spot.path, spot, policy, certain=False))  # type: ignore[arg-type]
    return pods


def _own_places(workload: Workload, policy: Policy) -> tuple[PodSpecPath, ...] | None:
    for entry in policy.workloads:
        if (entry.get("apiVersion"), entry.get("kind")) == (workload.api_version, workload.kind):
            return tuple(PodSpecPath(path) for path in entry["podSpecs"])
    return None


def _pod(
    workload: Workload,
    spec: Mapping[str, Any],
    path: Pointer,
    place: PodSpecPath | FoundObject,
    policy: Policy,
    *,
    certain: bool = True,
) -> Pod:
    """Return the view of a place of an object: a pod spec, containers, or a container's resources."""
    pointer, extra = (*workload.pointer, *path), place.extra
    has_extra = any(name in spec for name in extra)
    merged = not workload.is_pod and kind_traits.is_merged(workload.group, workload.kind, path, has_extra=has_extra)
    is_spec = place.what == "pod"
    if not is_spec and place.what != "containers":
        views = _bare(workload, spec, path, place, policy)
        around = {} if place.what == "resources" else spec
        return Pod(around, pointer, None, views, workload, complete=False, merged=merged)
    containers = tuple(_containers(workload, spec, pointer, extra, policy))
    complete = certain and is_spec and not merged and (workload.origin == "admission" or _entire(containers))
    holder = pointer[:-1] if is_spec and _held(workload, pointer) else None
    return Pod(spec, pointer, holder, containers, workload, complete=complete, merged=merged)


def _bare(
    workload: Workload, spec: Mapping[str, Any], path: Pointer, place: PodSpecPath | FoundObject, policy: Policy
) -> tuple[Container, ...]:
    """Return the views of a mapping with ``resources`` of its own: of those alone, or if ``flat`` of containers too."""
    pointer, extra = (*workload.pointer, *path), place.extra
    is_flat = place.what == "flat"
    key = extra[0] if extra and not is_flat else "resources"
    known_as, index = _known_as(workload, path, spec), workload.claim_index
    main = Container(spec, pointer, "app", policy, key=key, whole=False, known_as=known_as, claim_index=index)
    return (main, *_containers(workload, spec, pointer, extra, policy)) if is_flat else (main,)


def _known_as(workload: Workload, path: Pointer, spec: Mapping[str, Any]) -> str:
    """Return the name in messages of a container outside of a list: the object and the key; empty if it has a name."""
    kind, name = escape(workload.kind[:63]), workload.ref.name
    known = f'{kind} "{escape(name[:63])}"' if name else f"the {kind}"
    if not path or path[-1] == "spec":
        return known
    if as_str(spec.get("name")) or not isinstance(path[-1], str):
        return ""
    return f'"{escape(path[-1][:63])}" of {known}'


def _held(workload: Workload, pointer: Pointer) -> bool:
    """Return whether the mapping around a pod spec has the metadata of its pods: it does if the key is ``spec``.

    Not so the ``spec`` of a custom kind itself (the metadata of a ServingRuntime is not that of its pods).
    """
    return pointer[-1] == "spec" and (workload.is_pod or len(pointer) > len(workload.pointer) + 1)


def _entire(containers: tuple[Container, ...]) -> bool:
    """Return whether this is a whole pod spec: a kustomize patch has no containers, or some without an image."""
    return bool(containers) and all(c.whole and c.name and c.spec.get("image") for c in containers if c.role == "app")


def _containers(
    workload: Workload, spec: Mapping[str, Any], pointer: Pointer, extra: tuple[str, ...], policy: Policy
) -> list[Container]:
    found = []
    for key, role in _ROLES:
        items = spec.get(key)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                sidecar = role == "init" and item.get("restartPolicy") == "Always"
                found.append(workload.view(item, (*pointer, key, index), "sidecar" if sidecar else role, policy))
    if extra:
        found += _extra_containers(workload, spec, pointer, extra, policy)
    return found


def _extra_containers(
    workload: Workload, spec: Mapping[str, Any], pointer: Pointer, extra: tuple[str, ...], policy: Policy
) -> Iterator[Container]:
    """Yield the views of containers under other keys than those of a PodSpec."""
    for name in extra:
        pattern = (*name.rstrip("*").split("/"), *(("*",) if name.endswith("*") else ()))
        for path, value in pointers.expand(spec, pattern):
            if isinstance(value, dict):
                whole, place, known_as = "image" in value, (*pointer, *path), _known_as(workload, path, value)
                index = workload.claim_index
                yield Container(value, place, "app", policy, whole=whole, known_as=known_as, claim_index=index)
