"""SARIF 2.1.0 for GitHub code scanning.

Requirements beyond the standard: "SARIF support for code scanning" on docs.github.com.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from gpu_admission.core import pointer as pointers

from . import fingerprints, links
from .report import by_severity, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gpu_admission.engine.rule import Rule

    from .report import Diagnostic, LocatedFinding, Location, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5000  # results that GitHub keeps of a run
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEM = {"error": "error", "warning": "warning", "info": "recommendation"}


def render(report: Report) -> str:
    """Return the JSON text; encode it with ``backslashreplace``."""
    index = {rule.id: number for number, rule in enumerate(report.rules)}
    findings = sorted([*report.findings, *report.suppressed], key=lambda located: located.sort_key())
    marks = dict(zip(map(id, findings), fingerprints.fingerprints(findings), strict=True))
    kept = by_severity(findings)[:MOST]
    run = {
        "tool": {
            "driver": {
                "name": report.tool,
                "version": report.version,
                "semanticVersion": report.version,
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, len(findings) - len(kept))],
        "results": [_result(located, index, marks[id(located)]) for located in kept],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.id}: {rule.summary}"},
        "fullDescription": {"text": _prose(rule.rationale)},
        "help": {"text": _help(rule), "markdown": _help_markdown(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["kubernetes", "gpu"],
            "precision": "high",
            "problem.severity": _PROBLEM[rule.severity],
        },
    }
    address = next(filter(None, map(links.url, rule.references)), None)
    if address:
        value["helpUri"] = address
    return value


def _prose(text: str) -> str:
    return " ".join(text.split())


def _help(rule: Rule) -> str:
    sources = "\n".join(rule.references)
    return f"{rule.summary}\n\n{rule.rationale}\n\nWrong:\n{rule.bad}\nRight:\n{rule.good}\nSee:\n{sources}\n"


def _help_markdown(rule: Rule) -> str:
    sources = "\n".join(f"- {links.markdown(reference)}" for reference in rule.references)
    return (
        f"**{rule.id} {rule.name}**: {rule.summary}\n\n{rule.rationale}\n\n"
        f"Wrong:\n\n```yaml\n{rule.bad.rstrip()}\n```\n\nRight:\n\n```yaml\n{rule.good.rstrip()}\n```\n\n"
        f"See:\n\n{sources}\n"
    )


def _result(located: LocatedFinding, index: dict[str, int], fingerprint: str) -> dict[str, Any]:
    finding, place = located.finding, located.place
    text = sentences(finding)
    if place.rendered_in:
        text += f" (Rendered from {place.file}: line {place.line} of {place.rendered_in}.)"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": "note" if finding.repaired else _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(place), "logicalLocations": [_logical(located)]}],
        "partialFingerprints": {"gpuLint/v1": fingerprint},
        "properties": {
            "pointer": pointers.to_text(finding.pointer),
            "container": finding.container,
            "action": finding.action,
            "fix": finding.fix,
            "repaired": finding.repaired,
        },
    }
    if located.suppressed is not None:
        result["suppressions"] = [_suppression(located.suppressed)]
    return result


def _suppression(reason: str) -> dict[str, str]:
    return {"kind": "inSource", "justification": reason} if reason else {"kind": "inSource"}


def _physical(place: Location) -> dict[str, Any]:
    line, column, end = place.region
    return {
        "artifactLocation": {"uri": uri(place.path_bytes)},
        "region": {"startLine": line, "startColumn": column, "endLine": line, "endColumn": end},
    }


def uri(path: bytes) -> str:
    """Return a relative path as a URI reference, percent-encoded."""
    encoded = quote(path, safe="/-._~!$&'()*+,;=@")
    # Two slashes at the start would begin a host (a colon is encoded: it would end a scheme).
    return f".{encoded}" if encoded.startswith("//") else encoded


def _logical(located: LocatedFinding) -> dict[str, Any]:
    ref = located.finding.object
    name = "/".join(part for part in (ref.kind, ref.namespace, ref.name) if part)
    return {"name": ref.name or ref.kind, "fullyQualifiedName": name, "kind": "object"}


def _invocation(report: Report, cut: int) -> dict[str, Any]:
    notes = [*_notes(report.errors, "error"), *_notes(report.skipped, "warning"), *_notes(report.notices, "note")]
    if cut:
        notes.append({"level": "warning", "message": {"text": f"{cut} findings of least severity were left out."}})
    return {"executionSuccessful": not report.errors, "toolExecutionNotifications": notes}


def _notes(diagnostics: Iterable[Diagnostic], level: str) -> list[dict[str, Any]]:
    return [
        {
            "level": level,
            "message": {"text": value.message},
            "locations": [{"physicalLocation": _physical(value.place)}],
        }
        for value in diagnostics
    ]
