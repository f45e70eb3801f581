"""The last lines of the text formats: the numbers of findings, inputs and skipped inputs."""

from __future__ import annotations

from gpu_admission.core.finding import SEVERITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import Report
    from .style import Style


def tail(report: Report, style: Style, *, diagnostics: bool, quiet: bool) -> list[str]:
    """Return the lines after the findings."""
    lines = []
    if diagnostics:
        from .concise import diagnostic  # noqa: PLC0415 - an import cycle otherwise

        lines += [diagnostic(value, "error", style) for value in report.errors]
        lines += [diagnostic(value, "skipped", style) for value in report.skipped]
        lines += [diagnostic(value, "notice", style) for value in report.notices]
    return lines if quiet else [*lines, *counts(report, style)]


def counts(report: Report, style: Style) -> list[str]:
    """Return a line with the numbers of findings and inputs, and lines for what is not shown."""
    parts = [
        style.severity(severity, amount(report.count(severity), _NOUNS[severity]))
        for severity in SEVERITIES
        if report.count(severity)
    ]
    found = f"Found {', '.join(parts)}" if parts else style.good("No findings")
    looked = f"{amount(len(report.files), 'file')} ({amount(report.objects, 'Kubernetes object')})"
    lines = [f"{found} in {looked}{_fixable(report)}."]
    if report.repaired:
        lines.append(f"Admission would repair {report.repaired} of what was found.")
    if report.hidden:
        lines.append(f"{amount(report.hidden, 'finding')} of lower severity not shown (--min-severity info shows all).")
    if report.suppressed:
        lines.append(f"{amount(len(report.suppressed), 'finding')} suppressed.")
    if report.errors:
        lines.append(style.severity("error", f"{amount(len(_files(report)), 'input')} could not be read."))
    if report.skipped:
        lines.append(f"{amount(len(report.skipped), 'input')} skipped.")
    return lines


_NOUNS = {"error": "error", "warning": "warning", "info": "info finding"}


def amount(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where it needs one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _files(report: Report) -> set[str]:
    return {error.place.rendered_in or error.place.file for error in report.errors}


def _fixable(report: Report) -> str:
    remaining = [located.finding for located in report.findings if not located.finding.repaired]
    safe = sum(1 for finding in remaining if finding.fix == "safe")
    unsafe = sum(1 for finding in remaining if finding.fix == "unsafe")
    offers = []
    if safe:
        offers.append(f"{safe} fixable with --fix")
    if unsafe:
        offers.append(f"{unsafe} with --fix --unsafe-fixes")
    return f"; {', '.join(offers)}" if offers else ""
