"""The CustomResourceDefinition of GPUPolicy, generated from the schema of policy files.

``kubectl explain gpupolicy.spec`` shows the descriptions, the API server prunes unknown fields (kubectl rejects them
before), and CEL rules reject what a schema cannot (`crd_rules`). Errors that only the loader finds are in the object's
status.
"""

from __future__ import annotations

from gpu_admission import rules
from gpu_admission.registration.policy_access import PLURAL

from . import crd_rules, schema
from .structural import structural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GROUP, _, VERSION = schema.API_VERSION.partition("/")
SINGULAR = "gpupolicy"
NAME = f"{PLURAL}.{GROUP}"
PATH = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
LONGEST_MESSAGE = 4096  # characters of a condition's message; the type in Kubernetes allows 32768
_DESCRIPTION = (
    "GPUPolicy sets which GPU rules are in force in which namespaces, and the actions on their findings. Of all "
    "GPUPolicy objects, in the order of their names, the first that is for a namespace (spec.match) judges there."
)
_COLUMNS = (
    ("Mode", "string", ".spec.mode", 0),
    ("Backend", "string", ".spec.backend.name", 0),
    ("Namespaces", "string", ".spec.match.namespaces", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)
_VALUES = "One of deny, warn, audit and off, or an object with action and fix."
_NAMED = {
    "rule": f"self.metadata.name.matches('{schema.POLICY_NAME}')",
    "message": "metadata.name must be at most 63 lower-case letters, digits and hyphens: paths and metrics use it",
}


_CONDITION: dict[str, Any] = {
    "type": "object",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": {"type": "string", "maxLength": 316, "description": "Ready: whether this generation is in force"},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "maxLength": 1024, "description": "one word for the state, in CamelCase"},
        "message": {"type": "string", "maxLength": 32768, "description": "the same in a sentence or more"},
        "observedGeneration": {
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "description": "the metadata.generation that the condition is about",
        },
        "lastTransitionTime": {"type": "string", "format": "date-time", "description": "when status changed last"},
    },
}
_STATUS: dict[str, Any] = {
    "type": "object",
    "description": "The state of the policy in the webhook's replicas. One of them writes it.",
    "properties": {
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        "activeGeneration": {
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "description": "the last valid metadata.generation, which is in force",
        },
    },
}


def definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": "gpu-admission"}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": schema.KIND,
                "listKind": f"{schema.KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": ["gpupol"],
                "categories": ["gpu-admission"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    columns = [
        {"name": name, "type": kind, "jsonPath": path, "priority": priority} for name, kind, path, priority in _COLUMNS
    ]
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _object()},
    }


def _object() -> dict[str, Any]:
    return {
        "type": "object",
        "description": _DESCRIPTION,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec(),
            "status": _STATUS,
        },
        "x-kubernetes-validations": [_NAMED],
    }


def spec() -> dict[str, Any]:
    """Return the structural schema of ``spec``."""
    made = schema.schema()
    found = structural(made["properties"]["spec"], made["$defs"])
    for rule in rules.ALL:
        of_rule = found["properties"]["rules"]["properties"][rule.id]
        of_rule["description"] = f"{rule.name}: {rule.summary}. {_VALUES}"
    parameters = found["properties"]["backend"]["properties"]
    for name, text in crd_rules.parameter_descriptions().items():
        parameters[name]["description"] = text
    for place, bound in crd_rules.BOUNDS.items():
        at = _at(found, place)
        at["maxItems" if at.get("type") == "array" else "maxLength"] = bound
    for place, pattern in crd_rules.PATTERNS.items():
        _at(found, place)["pattern"] = pattern
    for place, key in crd_rules.KEYED.items():
        _at(found, place).update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})
    for place, of_place in crd_rules.rules().items():
        _at(found, place)["x-kubernetes-validations"] = of_place
    return found


def _at(found: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    for token in place:
        found = found["items"] if token == crd_rules.ITEMS else found["properties"][token]
    return found
