"""The audit as data: the JSON document (and the same as YAML), and the reports that linters and CI share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from gpu_admission import __version__, rules
from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Finding, ObjectRef
from gpu_admission.core.raw import escape
from gpu_admission.reports import junit, sarif
from gpu_admission.reports.report import Diagnostic, LocatedFinding, Location, Report

from .judge import CONSEQUENCES, REPAIR

if TYPE_CHECKING:
    from .result import AuditResult, Row

VERSION = 1
TOOL = "gpu-admission audit"


def document(result: AuditResult, *, only_denied: bool = False) -> dict[str, Any]:
    """Return the audit as one document of JSON's types."""
    return {
        "version": VERSION,
        "tool": {"name": TOOL, "version": __version__},
        "cluster": result.cluster,
        "namespace": result.namespace,
        "policy": result.policy,
        "mode": result.mode,
        "findings": [_row(row) for row in result.rows(only_denied=only_denied)],
        "errors": [problem._asdict() for problem in result.errors],
        "notices": [problem._asdict() for problem in result.notices],
        "summary": {
            "objects": result.objects,
            "pods": result.pods,
            "kinds": dict(sorted(result.kinds.items())),
            "ended": result.ended,
            "exempt": result.exempt,
            "owners": {consequence: result.owners(consequence) for consequence in CONSEQUENCES},
        },
    }


def _row(row: Row) -> dict[str, Any]:
    first = row.findings[0]
    return {
        "rule": row.rule,
        "name": first.name,
        "admission": row.consequence,
        "severity": row.severity,
        "object": {
            "apiVersion": row.owner.api_version,
            "kind": row.owner.kind,
            "namespace": row.owner.namespace or None,
            "name": row.owner.name,
            "uid": row.owner.uid or None,
        },
        "found": dict(sorted(row.kinds.items())),
        "registered": row.registered,
        "details": [_detail(finding) for finding in row.findings],
    }


def _detail(finding: Finding) -> dict[str, Any]:
    return {
        "container": finding.container,
        "kind": finding.object.kind,
        "pointer": pointers.to_text(finding.pointer),
        "message": finding.message,
        "advice": finding.advice,
        "fix": finding.fix,
        "repaired": finding.repaired,
    }


def to_json(result: AuditResult, *, only_denied: bool = False) -> str:
    """Return the document as JSON; encode it with ``backslashreplace``."""
    return json.dumps(document(result, only_denied=only_denied), ensure_ascii=False, indent=2) + "\n"


def to_yaml(result: AuditResult, *, only_denied: bool = False) -> str:
    """Return the document as YAML."""
    return dump_yaml([document(result, only_denied=only_denied)])


def dump_yaml(objects: list[dict[str, Any]]) -> str:
    """Return objects as one YAML stream, in the order of their keys."""
    several = len(objects) != 1
    return yaml.safe_dump_all(objects, sort_keys=False, width=1 << 30, allow_unicode=True, explicit_start=several)


def to_junit(result: AuditResult, *, only_denied: bool = False) -> str:
    """Return the audit as JUnit: a suite per owner, and one for every namespace without findings."""
    return junit.render(_report(result, only_denied=only_denied))


def to_sarif(result: AuditResult, *, only_denied: bool = False) -> str:
    """Return the audit as SARIF; an object's place is ``NAMESPACE/KIND/NAME``."""
    return sarif.render(_report(result, only_denied=only_denied))


def _report(result: AuditResult, *, only_denied: bool) -> Report:
    report = Report(policy=result.policy, version=__version__, rules=rules.ALL, tool=TOOL)
    rows = result.rows(only_denied=only_denied)
    report.findings = [located for row in rows for located in _located(row)]
    report.errors = [Diagnostic(Location(problem.subject), problem.message) for problem in result.errors]
    report.notices = [Diagnostic(Location(problem.subject), problem.message) for problem in result.notices]
    report.files = sorted(result.namespaces - {row.owner.namespace for row in rows})
    report.objects = report.documents = result.objects
    report.sort()
    return report


def _located(row: Row) -> list[LocatedFinding]:
    owner = row.owner
    ref = ObjectRef(owner.api_version, owner.kind, owner.namespace or None, owner.name)
    path = "/".join(filter(None, (owner.namespace, owner.kind, escape(owner.name))))
    pods = f" (in {row.pods:,} Pod{'' if row.pods == 1 else 's'})" if row.pods else ""
    return [LocatedFinding(_about(finding, ref, row, pods), Location(path)) for finding in row.findings]


def _about(finding: Finding, ref: ObjectRef, row: Row, pods: str) -> Finding:
    """Return a finding on one of an owner's objects as one on the owner."""
    return Finding(
        rule=finding.rule,
        name=finding.name,
        severity=finding.severity,
        action=finding.action,
        message=f"{finding.message}{pods}",
        advice=finding.advice,
        pointer=finding.pointer,
        container=finding.container,
        ref=ref,
        fix=finding.fix,
        repaired=row.consequence == REPAIR,
        evidence=finding.evidence,
    )
