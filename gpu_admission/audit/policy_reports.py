"""The audit as reports in the cluster, where the viewers of other policy engines show them.

Two API groups carry the same fields (openreports/reports-api: apis/openreports.io/v1alpha1/report_types.go;
kubernetes-sigs/wg-policy-prototypes: policy-report/crd, v1alpha2): the older one has neither ``critical`` nor ``info``
as severities, so that neither is used. There is a report per namespace, and one for objects without a namespace.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission.core.raw import escape
from gpu_admission.reports.report import sentences

from .judge import AUDIT, DENY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_admission.cluster.discovery import ServedKind

    from .owners import Owner
    from .result import AuditResult, Row

NAME = "gpu-admission-audit"
SOURCE = "gpu-admission"
MANAGED_BY = "app.kubernetes.io/managed-by"
LABELS = {MANAGED_BY: SOURCE, "app.kubernetes.io/name": SOURCE, "app.kubernetes.io/component": "audit"}
_MOST_BYTES = 700_000  # of the results of one report: an object in etcd has at most 1.5 MB
_LONGEST_MESSAGE = 1024
_SEVERITY = {"error": "high", "warning": "medium", "info": "low"}


class ReportApi(NamedTuple):
    """One of the two API groups."""

    api_version: str
    namespaced: str
    cluster: str


OPEN_REPORTS = ReportApi("openreports.io/v1alpha1", "Report", "ClusterReport")
WG_POLICY = ReportApi("wgpolicyk8s.io/v1alpha2", "PolicyReport", "ClusterPolicyReport")
APIS = (OPEN_REPORTS, WG_POLICY)  # the newer first


def served_api(kinds: Mapping[tuple[str, str], ServedKind]) -> ReportApi | None:
    """Return the API that the cluster serves, the newer of two."""
    return next((api for api in APIS if (api.api_version.partition("/")[0], api.namespaced) in kinds), None)


def reports(result: AuditResult, api: ReportApi, seconds: int, *, only_denied: bool = False) -> list[dict[str, Any]]:
    """Return the reports of an audit; ``seconds`` is its time, since 1970."""
    by_namespace: dict[str, list[Row]] = {}
    for row in result.rows(only_denied=only_denied):
        by_namespace.setdefault(row.owner.namespace, []).append(row)
    found = []
    for namespace, rows in sorted(by_namespace.items()):
        parts = _parts([_result(row, result.policy, seconds) for row in rows])
        for number, results in enumerate(parts, 1):
            name = NAME if number == 1 else f"{NAME}-{number}"
            found.append(_report(api, namespace, name, results))
    return found


def _report(api: ReportApi, namespace: str, name: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": api.api_version,
        "kind": api.namespaced if namespace else api.cluster,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(LABELS)},
        **({"source": SOURCE} if api is OPEN_REPORTS else {}),
        "summary": _summary(results),
        "results": results,
    }


def _parts(results: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the results in parts that fit into an object each."""
    part: list[dict[str, Any]] = []
    size = 0
    for result in results:
        length = len(json.dumps(result))
        if part and size + length > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(result)
        size += length
    if part:
        yield part


def _result(row: Row, policy: str, seconds: int) -> dict[str, Any]:
    finding = row.findings[0]
    message = escape(sentences(finding))
    return {
        "source": SOURCE,
        "policy": policy,
        "rule": row.rule,
        "category": "GPU",
        "severity": _SEVERITY[row.severity],
        "result": "fail" if row.consequence == DENY else "pass" if row.consequence == AUDIT else "warn",
        "scored": row.consequence == DENY,
        "message": message if len(message) <= _LONGEST_MESSAGE else f"{message[: _LONGEST_MESSAGE - 1]}…",
        "resources": [_resource(row.owner)],
        "timestamp": {"seconds": seconds, "nanos": 0},
        "properties": {
            "name": finding.name,
            "admission": row.consequence,
            "pods": str(row.pods),
            **({"container": finding.container} if finding.container else {}),
        },
    }


def _resource(owner: Owner) -> dict[str, str]:
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "namespace": owner.namespace,
        "name": owner.name,
        "uid": owner.uid,
    }
    return {key: text for key, text in reference.items() if text}


def _summary(results: list[dict[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(("pass", "fail", "warn", "error", "skip"), 0)
    for result in results:
        counts[result["result"]] += 1
    return counts
