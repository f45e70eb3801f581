"""GitLab's Code Quality report: a JSON list of issues."""

from __future__ import annotations

import json

from . import fingerprints
from .report import sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .report import Diagnostic, Location, Report

_SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report) -> str:
    """Return the JSON text; encode it with ``backslashreplace``."""
    issues = [
        _issue(
            f"{located.finding.rule}: {sentences(located.finding)}",
            located.finding.name,
            fingerprint,
            "info" if located.finding.repaired else _SEVERITIES[located.finding.severity],
            located.place,
        )
        for located, fingerprint in zip(report.findings, fingerprints.fingerprints(report.findings), strict=True)
    ]
    issues += _diagnostics(report.errors, "unreadable-input", "blocker")
    issues += _diagnostics(report.skipped, "skipped-input", "info")
    return json.dumps(issues, ensure_ascii=False, indent=2) + "\n"


def _diagnostics(diagnostics: list[Diagnostic], name: str, severity: str) -> list[dict[str, Any]]:
    seen: dict[tuple[str, ...], int] = {}
    issues = []
    for diagnostic in diagnostics:
        key = (name, diagnostic.place.file, diagnostic.message)
        ordinal = seen[key] = seen.get(key, 0) + 1
        fingerprint = fingerprints.digest((*key, str(ordinal)))
        issues.append(_issue(diagnostic.message, name, fingerprint, severity, diagnostic.place))
    return issues


def _issue(description: str, name: str, fingerprint: str, severity: str, place: Location) -> dict[str, Any]:
    path = place.path_bytes.decode("utf-8", "backslashreplace")
    if place.rendered_in:
        description += f" (rendered from {place.file}: line {place.line} of {place.rendered_in})"
    return {
        "description": description,
        "check_name": name,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": place.region[0]}},
    }
