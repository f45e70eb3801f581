"""Whether objects of a CustomResourceDefinition can hold pod specs, by its schema.

Listing every custom object of a cluster to look for pods in it would read a hundred thousand endpoints and events of
network plugins. A schema in which nothing has the shape of a pod spec (``containers`` with an ``image``) or of a
container's ``resources`` (``limits``), and which allows no arbitrary content, cannot hold any.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPEN = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_DEEPEST = 64
_MOST = 200_000  # nodes of a schema; those of large operators have 20,000


def may_hold_pods(schema: Any) -> bool:
    """Return whether an ``openAPIV3Schema`` allows a pod spec or GPU resources inside ``spec`` or beside it.

    A schema that is missing or too large allows everything.
    """
    if not isinstance(schema, dict) or schema.get(_OPEN) is True:
        return True
    properties = as_dict(schema.get("properties"))
    waiting: list[tuple[Any, int]] = [
        (value, 0) for key, value in properties.items() if key not in {"metadata", "status"}
    ]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict) or depth > _DEEPEST:
            continue
        seen += 1
        properties = as_dict(node.get("properties"))
        if seen > _MOST or _is_open(node) or _has_shape(properties):
            return True
        waiting += [(value, depth + 1) for value in properties.values()]
        waiting += [(node.get(key), depth + 1) for key in ("items", "additionalProperties")]
    return False


def _is_open(node: dict[str, Any]) -> bool:
    return node.get(_OPEN) is True or node.get(_EMBEDDED) is True


def _has_shape(properties: Any) -> bool:
    containers = as_dict(as_dict(as_dict(properties.get("containers")).get("items")).get("properties"))
    resources = as_dict(as_dict(properties.get("resources")).get("properties"))
    return "image" in containers or "limits" in resources
