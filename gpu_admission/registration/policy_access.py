"""The objects of a server with GPUPolicy objects: RBAC, and a Lease for the replica that writes their status.

The Lease is created here, empty, so that the server needs no right to create Leases. It may read all objects of the
kind (a list and a watch have no name), patch the status of policies, and update one Lease by name.
"""

from __future__ import annotations

from .webhook_configurations import DOMAIN, LABELS, RegistrationOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

PLURAL: Final = "gpupolicies"
_RBAC: Final = "rbac.authorization.k8s.io"


def lease_name(service: str) -> str:
    """Return the name of the Lease of the replicas behind a Service, in the Service's namespace."""
    return f"{service}-policies"


def access(options: RegistrationOptions) -> list[dict[str, Any]]:
    """Return the RBAC and the Lease."""
    name, namespace = f"{options.name}-policies", options.namespace
    lease = lease_name(options.service)
    subject = [{"kind": "ServiceAccount", "name": options.service, "namespace": namespace}]
    of_policies = [
        {"apiGroups": [DOMAIN], "resources": [PLURAL], "verbs": ["list", "watch"]},
        {"apiGroups": [DOMAIN], "resources": [f"{PLURAL}/status"], "verbs": ["patch"]},
    ]
    of_lease = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [lease],
        "verbs": ["get", "update"],
    }
    return [
        _object(f"{_RBAC}/v1", "ClusterRole", name, rules=of_policies),
        _object(f"{_RBAC}/v1", "ClusterRoleBinding", name, roleRef=_role("ClusterRole", name), subjects=subject),
        _object(f"{_RBAC}/v1", "Role", name, namespace, rules=[of_lease]),
        _object(f"{_RBAC}/v1", "RoleBinding", name, namespace, roleRef=_role("Role", name), subjects=subject),
        _object("coordination.k8s.io/v1", "Lease", lease, namespace),
    ]


def _object(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": dict(LABELS)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _role(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}
