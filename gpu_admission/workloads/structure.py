"""Objects with values of the wrong type, which Kubernetes cannot decode: ``spec`` a list, ``containers`` a mapping.

Rules treat such values as absent; GPU requests inside them are reported here. Only kinds of the table are checked, and
placeholders are accepted.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_str, format_value, is_placeholder, iter_dicts

from . import discovery, kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer

_OF_MAPPINGS = ("containers", "initContainers", "ephemeralContainers", "volumes", "tolerations")
_TEXTS_OF_TOLERATIONS = ("key", "operator", "value", "effect")
_TEXTS_OF_PODS = ("nodeName", "runtimeClassName", "schedulerName", "serviceAccountName")
_TEXTS_OF_CONTAINERS = ("name", "image", "restartPolicy")
_NAMES = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean"}


def find(document: Any) -> list[tuple[Pointer, str]]:
    """Return each place of a document with a value of the wrong type, and the type that Kubernetes expects."""
    return list(dict.fromkeys(_all(document)))


def _all(document: Any) -> Iterator[tuple[Pointer, str]]:
    if isinstance(document, dict) and document.get("apiVersion") and as_str(document.get("kind")).endswith("List"):
        yield from _list_of_mappings(document.get("items"), ("items",))
    for pointer, obj in discovery.objects(document):
        if "metadata" in obj:
            yield from _metadata(obj["metadata"], (*pointer, "metadata"))
        for place in kinds.places(as_str(obj.get("apiVersion")), as_str(obj.get("kind"))) or ():
            if place.what == "pod":
                yield from _along(obj, place.path, pointer)


def _metadata(value: Any, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    yield from _mapping(value, here)
    for field in ("labels", "annotations"):
        if isinstance(value, dict):
            yield from _mapping_of_texts(value.get(field), (*here, field))


def _along(value: Any, path: Pointer, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    """Check the values along a path of the table, down to the pod spec."""
    if value is None or is_placeholder(value):
        return
    if not path:
        yield from _pod_spec(value, here)
        return
    if path == ("spec",) and isinstance(value, dict) and here and here[-1] == "template":
        yield from _metadata(value.get("metadata"), (*here, "metadata"))
    token, rest = path[0], path[1:]
    if token == "*":
        if not isinstance(value, dict | list):
            yield here, _wrong(value, here, "a list or a mapping")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _along(item, rest, (*here, key))
    elif isinstance(value, dict):
        yield from _along(value.get(str(token)), rest, (*here, token))
    else:
        yield here, _wrong(value, here, "a mapping")


def _pod_spec(spec: Any, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    if not isinstance(spec, dict):
        yield here, _wrong(spec, here, "a mapping")
        return
    for field in _OF_MAPPINGS:
        yield from _list_of_mappings(spec.get(field), (*here, field))
    yield from _texts(spec, _TEXTS_OF_PODS, here)
    yield from _mapping_of_texts(spec.get("nodeSelector"), (*here, "nodeSelector"))
    for index, toleration in iter_dicts(spec.get("tolerations")):
        yield from _texts(toleration, _TEXTS_OF_TOLERATIONS, (*here, "tolerations", index))
    for field in ("containers", "initContainers"):
        items = spec.get(field)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                yield from _container(item, (*here, field, index))


def _container(container: dict[str, Any], here: Pointer) -> Iterator[tuple[Pointer, str]]:
    yield from _texts(container, _TEXTS_OF_CONTAINERS, here)
    for field in ("command", "args"):
        words = container.get(field)
        if isinstance(words, list) and not is_placeholder(words):
            yield from _texts(dict(enumerate(words)), range(len(words)), (*here, field))
    for field in ("env", "envFrom", "volumeMounts"):
        yield from _list_of_mappings(container.get(field), (*here, field))
    for index, variable in iter_dicts(container.get("env")):
        yield from _texts(variable, ("name", "value"), (*here, "env", index))
    resources = container.get("resources")
    yield from _mapping(resources, (*here, "resources"))
    for side in ("limits", "requests"):
        if isinstance(resources, dict):
            yield from _mapping(resources.get(side), (*here, "resources", side))


def _mapping(value: Any, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    if value is not None and not isinstance(value, dict) and not is_placeholder(value):
        yield here, _wrong(value, here, "a mapping")


def _list_of_mappings(value: Any, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    if value is None or is_placeholder(value):
        return
    if not isinstance(value, list):
        yield here, _wrong(value, here, "a list")
        return
    for index, item in enumerate(value):
        yield from _mapping(item, (*here, index))


def _mapping_of_texts(value: Any, here: Pointer) -> Iterator[tuple[Pointer, str]]:
    yield from _mapping(value, here)
    if isinstance(value, dict) and not is_placeholder(value):
        # Kyverno's chainsaw writes assertions as keys in parentheses: those are not objects.
        yield from _texts(value, [key for key in value if not key.startswith("(")], here)


def _texts(around: Mapping[Any, Any], fields: Iterable[str | int], here: Pointer) -> Iterator[tuple[Pointer, str]]:
    """Yield values that are not strings where Kubernetes expects them: ``true`` and ``8`` need quotes."""
    for field in fields:
        value = around.get(field)
        if value is not None and not isinstance(value, str) and not is_placeholder(value):
            hint = f'; write it in quotes: "{format_value(value)}"' if not isinstance(value, dict | list) else ""
            yield (*here, field), _wrong(value, (*here, field), "a string") + hint


def _wrong(value: Any, here: Pointer, wanted: str) -> str:
    what = f"item {here[-1]} of {here[-2]}" if isinstance(here[-1], int) else str(here[-1])
    found = _NAMES.get(type(value), "a number")
    return f"{what} is {found}, but Kubernetes expects {wanted} and cannot decode this object"
