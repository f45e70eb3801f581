"""The report as one JSON document: a stable interface for scripts."""

from __future__ import annotations

import json

from gpu_admission.core import pointer as pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.core.finding import ObjectRef

    from .report import Diagnostic, LocatedFinding, Location, Report

VERSION = 1


def render(report: Report) -> str:
    """Return the JSON text. It may contain lone surrogates: encode with ``backslashreplace``."""
    document: dict[str, Any] = {
        "version": VERSION,
        "tool": {"name": "gpu-lint", "version": report.version},
        "policy": report.policy,
        "findings": [_finding(located) for located in report.findings],
        "errors": [_error(error) for error in report.errors],
        "skipped": [{"file": skipped.place.file, "reason": skipped.reason} for skipped in report.skipped],
        "summary": report.summary(),
    }
    if report.notices:
        document["notices"] = [_error(notice) for notice in report.notices]
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _finding(located: LocatedFinding) -> dict[str, Any]:
    finding, place = located.finding, located.place
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity,
        "action": finding.action,
        "repaired": finding.repaired,
        "fix": finding.fix,
        "message": finding.message,
        "advice": finding.advice,
        **_place(place),
        "document": place.document,
        "line": place.line,
        "column": place.column,
        "pointer": pointers.to_text(finding.pointer),
        "container": finding.container,
        "object": _object(finding.object),
    }


def _object(ref: ObjectRef) -> dict[str, Any]:
    return {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _place(place: Location) -> dict[str, Any]:
    if place.rendered_in:
        return {"file": place.file, "rendered_in": place.rendered_in}
    return {"file": place.file}


def _error(error: Diagnostic) -> dict[str, Any]:
    place = error.place
    return {**_place(place), "line": place.line, "column": place.column, "message": error.message}
