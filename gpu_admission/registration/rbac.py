"""RBAC as plain objects: rules, roles and their bindings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_GROUP = "rbac.authorization.k8s.io"


def rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> dict[str, Any]:
    """Return a rule on resources of an API group, where names are given only on objects of these names."""
    made = {"apiGroups": [group], "resources": list(resources), "resourceNames": list(names), "verbs": list(verbs)}
    return made if names else {key: value for key, value in made.items() if key != "resourceNames"}


def role(metadata: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], **rest: Any) -> dict[str, Any]:
    """Return a Role, without a namespace in the metadata a ClusterRole."""
    return _object("Role", metadata, **rest, rules=list(rules))


def binding(metadata: Mapping[str, Any], account: str, namespace: str) -> dict[str, Any]:
    """Return the binding of a ServiceAccount to the role of the same metadata."""
    kind = "Role" if "namespace" in metadata else "ClusterRole"
    return _object(
        "RoleBinding",
        metadata,
        roleRef={"apiGroup": _GROUP, "kind": kind, "name": metadata["name"]},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    )


def _object(kind: str, metadata: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    scope = "" if "namespace" in metadata else "Cluster"
    return {"apiVersion": f"{_GROUP}/v1", "kind": scope + kind, "metadata": dict(metadata), **rest}
