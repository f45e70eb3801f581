"""One line per finding: ``PATH:LINE:COLUMN: GPU001 error: what is wrong``."""

from __future__ import annotations

from gpu_admission.core.raw import escape

from . import summary
from .style import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import Diagnostic, LocatedFinding, Location, Report

_PLAIN = Style()


def render(report: Report, style: Style = _PLAIN, *, diagnostics: bool = False, quiet: bool = False) -> str:
    """Return the findings, and the summary unless ``quiet``.

    ``diagnostics`` adds a line for each input that could not be read or was skipped, for a report in a file.
    """
    lines = [headline(located, style) for located in report.findings]
    lines += summary.tail(report, style, diagnostics=diagnostics, quiet=quiet)
    return "".join(f"{line}\n" for line in lines)


def headline(located: LocatedFinding, style: Style = _PLAIN) -> str:
    """Return the line with place, rule, severity and message."""
    finding = located.finding
    level = style.faint("repaired") if finding.repaired else style.severity(finding.severity, finding.severity)
    rule = style.bold(finding.rule)
    return f"{where(located.place, style)} {rule} {level}: {escape(finding.message)} [{finding.name}]"


def where(place: Location, style: Style = _PLAIN) -> str:
    """Return ``PATH:LINE:COLUMN:`` with as much of it as is known."""
    colon = style.faint(":")
    spot = "" if place.line is None else f"{colon}{place.line}{colon}{place.column or 1}"
    return f"{style.bold(escape(place.file))}{spot}{colon}"


def diagnostic(value: Diagnostic, level: str, style: Style = _PLAIN) -> str:
    """Return the line of a diagnostic."""
    return f"{where(value.place, style)} {style.severity(level, level)}: {escape(value.message)}"
