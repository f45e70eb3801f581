"""The RBAC of the audit: it reads objects with pods, and only writes policy reports."""

from __future__ import annotations

from gpu_admission.workloads import kinds

from .webhook_configurations import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME, NAMESPACE = "gpu-admission-audit", "gpu-admission"
_LABELS = {"app.kubernetes.io/name": NAME}
_AGGREGATE = "gpu-admission.io/aggregate-to-audit"
_READ = ["get", "list"]
# openreports/reports-api and kubernetes-sigs/wg-policy-prototypes
_REPORTS = {
    "openreports.io": ["clusterreports", "reports"],
    "wgpolicyk8s.io": ["clusterpolicyreports", "policyreports"],
}


def access() -> list[dict[str, Any]]:
    """Return the ServiceAccount, its roles and their bindings.

    The role is an aggregated one: for custom kinds that are not in the table, a ClusterRole with the label extends it.
    """
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    to = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(namespace=NAMESPACE)}
    return [
        {**account, "automountServiceAccountToken": False},
        _role(NAME, aggregationRule={"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE: "true"}}]}, rules=[]),
        _role(f"{NAME}-read", labels={_AGGREGATE: "true"}, rules=_reading()),
        _role(f"{NAME}-reports", labels={_AGGREGATE: "true"}, rules=_reporting()),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _metadata(),
            "roleRef": to,
            "subjects": [subject],
        },
    ]


def _reading() -> list[dict[str, Any]]:
    """Return the rules for reading: the kinds of the table, quotas, claims, CRDs, nodes and devices."""
    groups: dict[str, set[str]] = {
        "": {"limitranges", "nodes", "resourcequotas"},
        "resource.k8s.io": {"deviceclasses", "resourceclaims", "resourceclaimtemplates", "resourceslices"},
        "scheduling.koordinator.sh": {"devices"},
    }
    for group, kind, _ in kinds.known():
        groups.setdefault(group, set()).add(plural(kind))
    groups["apiextensions.k8s.io"] = {"customresourcedefinitions"}
    return [_rule([group], sorted(names), _READ) for group, names in sorted(groups.items())]


def _reporting() -> list[dict[str, Any]]:
    """Return the rules for writing. A server-side apply is a patch that also creates."""
    return [_rule([group], names, ["get", "list", "create", "patch", "delete"]) for group, names in _REPORTS.items()]


def _role(name: str, *, labels: dict[str, str] | None = None, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {**_LABELS, **(labels or {})}}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, **rest}


def _metadata(**rest: str) -> dict[str, Any]:
    return {"name": NAME, **rest, "labels": dict(_LABELS)}


def _rule(groups: list[str], names: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": names, "verbs": list(verbs)}
