"""Finding Kubernetes objects inside documents, and pod specs inside objects of unknown kinds."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_str, iter_dicts

from . import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from gpu_admission.core.pointer import Pointer

    from .kinds import What
    from .resources import Resource

_DEEPEST = 100  # the reader's limit; objects from the API server are shallower
_NESTED = 8  # nested lists, AppWrappers in Lists


class FoundObject:
    """A place that has the shape of a pod spec, or of a container's resources."""

    __slots__ = ("extra", "path", "what")

    def __init__(self, path: Pointer, what: What) -> None:
        self.path = path
        self.what: What = what
        self.extra: tuple[str, ...] = ()


def objects(document: Any, base: Pointer = (), level: int = 0) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    """Yield every Kubernetes object of a document with its pointer, an enclosing object before the inner ones."""
    if not isinstance(document, dict) or level > _NESTED:
        return
    api_version, kind = as_str(document.get("apiVersion")), as_str(document.get("kind"))
    if not api_version or not kind:
        return
    if kind.endswith("List") and isinstance(document.get("items"), list):
        for index, item in iter_dicts(document["items"]):
            yield from objects(_typed(item, api_version, kind), (*base, "items", index), level + 1)
        return
    yield base, document
    for place in kinds.places(api_version, kind) or ():
        if place.what == "object":
            for path, value in pointers.expand(document, place.path):
                yield from objects(value, (*base, *path), level + 1)


def _typed(item: dict[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """Return an item of a list with the type that a typed list (``PodList``) omits from its items."""
    if kind == "List" or item.get("kind"):
        return item
    return {"apiVersion": api_version, "kind": kind.removesuffix("List"), **item}


def by_shape(obj: dict[str, Any], classify: Callable[[str], Resource | None]) -> Iterator[FoundObject]:
    """Yield the places of an object of unknown kind that have the shape of a pod spec or of GPU resources.

    A pod spec is a mapping whose ``containers`` are mappings with ``name`` and ``image``; other mappings are yielded if
    their ``resources`` have a GPU resource, or a name like one, in limits or requests.
    """
    waiting: list[tuple[Pointer, Any]] = [
        ((key,), value) for key, value in reversed(obj.items()) if key not in {"metadata", "status"}
    ]
    while waiting:
        path, value = waiting.pop()
        if len(path) > _DEEPEST:
            continue
        if isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in reversed(list(enumerate(value))))
        elif isinstance(value, dict):
            if _is_pod_spec(value):
                yield FoundObject(path, "pod")
                continue
            if _has_gpu_resources(value, classify):
                yield FoundObject(path, "resources")
            waiting.extend(((*path, key), item) for key, item in reversed(value.items()))


def _is_pod_spec(value: dict[str, Any]) -> bool:
    containers = value.get("containers")
    if not isinstance(containers, list) or not containers:
        return False
    return all(isinstance(c, dict) and as_str(c.get("name")) and as_str(c.get("image")) for c in containers)


def _looks_like_one(name: str) -> bool:
    return "gpu" in name or "nvidia" in name


def _has_gpu_resources(value: dict[str, Any], classify: Callable[[str], Resource | None]) -> bool:
    resources = value.get("resources")
    if not isinstance(resources, dict):
        return False
    return any(
        isinstance(name, str) and "/" in name and (classify(name) is not None or _looks_like_one(name.lower()))
        for side in ("limits", "requests")
        if isinstance(resources.get(side), dict)
        for name in resources[side]
    )
