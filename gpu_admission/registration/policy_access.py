"""The objects of a server with GPUPolicy objects: RBAC, and a Lease for the replica that writes their status.

The Lease is created here, empty, so that the server needs no right to create Leases. It may read all objects of the
kind (a list and a watch have no name), patch the status of policies, and update one Lease by name.
"""

from __future__ import annotations

from . import rbac
from .webhook_configurations import DOMAIN, LABELS, RegistrationOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

PLURAL: Final = "gpupolicies"


def lease_name(service: str) -> str:
    """Return the name of the Lease of the replicas behind a Service, in the Service's namespace."""
    return f"{service}-policies"


def access(options: RegistrationOptions) -> list[dict[str, Any]]:
    """Return the RBAC and the Lease."""
    lease = {"name": lease_name(options.service), "labels": dict(LABELS), "namespace": options.namespace}
    metadata = {"name": f"{options.name}-policies", "labels": dict(LABELS)}
    namespaced = {**metadata, "namespace": options.namespace}
    account = (options.service, options.namespace)
    of_policies = [
        rbac.rule(DOMAIN, [PLURAL], ["list", "watch"]),
        rbac.rule(DOMAIN, [f"{PLURAL}/status"], ["patch"]),
    ]
    return [
        rbac.role(metadata, of_policies),
        rbac.binding(metadata, *account),
        rbac.role(namespaced, [rbac.rule("coordination.k8s.io", ["leases"], ["get", "update"], [str(lease["name"])])]),
        rbac.binding(namespaced, *account),
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": lease},
    ]
