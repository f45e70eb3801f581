"""The RBAC of the audit: it reads objects with pods, and only writes policy reports."""

from __future__ import annotations

from . import custom_kinds, rbac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAME, NAMESPACE = "gpu-admission-audit", "gpu-admission"
_LABELS = {"app.kubernetes.io/name": NAME}
_AGGREGATE = "gpu-admission.io/aggregate-to-audit"
_OTHERS = {
    "": ("limitranges", "nodes", "resourcequotas"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "resource.k8s.io": ("deviceclasses", "resourceclaims", "resourceclaimtemplates", "resourceslices"),
    "scheduling.koordinator.sh": ("devices",),
}
# openreports/reports-api and kubernetes-sigs/wg-policy-prototypes
_REPORTS = {
    "openreports.io": ["clusterreports", "reports"],
    "wgpolicyk8s.io": ["clusterpolicyreports", "policyreports"],
}


def access() -> list[dict[str, Any]]:
    """Return the ServiceAccount, its roles and their bindings.

    The role is an aggregated one: for custom kinds that are not in the table, a ClusterRole with the label extends it.
    """
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": dict(_LABELS)}
    aggregated = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE: "true"}}]}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False},
        rbac.role(_metadata(NAME), [], aggregationRule=aggregated),
        rbac.role(_metadata(f"{NAME}-read", {_AGGREGATE: "true"}), _reading()),
        rbac.role(_metadata(f"{NAME}-reports", {_AGGREGATE: "true"}), _reporting()),
        rbac.binding(_metadata(NAME), NAME, NAMESPACE),
    ]


def _metadata(name: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"name": name, "labels": {**_LABELS, **(labels or {})}}


def _reading() -> list[dict[str, Any]]:
    """Return the rules for reading: the kinds of the table, quotas, claims, CRDs, nodes and devices."""
    groups = custom_kinds.of_table()
    for group, names in _OTHERS.items():
        groups.setdefault(group, set()).update(names)
    return [rbac.rule(group, sorted(names), ["get", "list"]) for group, names in sorted(groups.items())]


def _reporting() -> list[dict[str, Any]]:
    """Return the rules for writing. A server-side apply is a patch that also creates."""
    return [rbac.rule(group, names, ["get", "list", "create", "patch", "delete"]) for group, names in _REPORTS.items()]
