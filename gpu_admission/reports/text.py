"""The format ``text``: each finding with its source line, a caret and the advice."""

from __future__ import annotations

from gpu_admission.core.raw import escape

from . import summary
from .style import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import LocatedFinding, Location, Report

_PLAIN = Style()
_WIDEST = 160  # a manifest may be one line of a megabyte
_CONTEXT = 60


def render(report: Report, style: Style = _PLAIN, *, diagnostics: bool = False, quiet: bool = False) -> str:
    """Return the findings with their context, and the summary unless ``quiet``.

    ``diagnostics`` adds what could not be read and what was skipped, for a report in a file.
    """
    blocks = [_block(located, style) for located in report.findings]
    lines = [line for block in blocks for line in (*block, "")]
    lines += summary.tail(report, style, diagnostics=diagnostics, quiet=quiet)
    return "".join(f"{line}\n" for line in lines)


def _block(located: LocatedFinding, style: Style) -> list[str]:
    place, finding = located.place, located.finding
    number = str(place.line or 1)
    gutter = " " * len(number)
    bar = style.faint("|")
    shown, before, length = excerpt(place)
    from .concise import headline  # noqa: PLC0415 - start-up time: needed only with findings

    lines = [headline(located, style)]
    if shown:
        mark = style.severity(finding.severity, "^" * length)
        lines += [f"{gutter} {bar}", f"{style.faint(number)} {bar} {shown}", f"{gutter} {bar} {before}{mark}"]
    equals = style.faint("=")
    if finding.repaired:
        lines.append(f"{gutter} {equals} admission repairs this")
    lines.append(f"{gutter} {equals} {style.bold('help')}: {escape(finding.advice)}{_offer(located)}")
    if place.rendered_in:
        lines.append(f"{gutter} {equals} line {place.line} of what was rendered, in {escape(place.rendered_in)}")
    return lines


def _offer(located: LocatedFinding) -> str:
    finding = located.finding
    if finding.fix is None or finding.repaired:
        return ""
    return " (--fix does it)" if finding.fix == "safe" else " (--fix --unsafe-fixes does it)"


def excerpt(place: Location) -> tuple[str, str, int]:
    """Return the source line for a terminal, the space before the caret, and the caret's length."""
    line, column = place.text, (place.column or 1) - place.text_column
    if not line.strip():
        return "", "", 0
    length = max((place.end_column or 0) - (place.column or 1), 1)
    start = max(0, column - _CONTEXT) if len(line) > _WIDEST else 0
    end = start + _WIDEST
    cut = "…" if start else ""
    before = cut + _safe(line[start:column])
    marked = _safe(line[column : min(column + length, end)])
    right = "…" if end < len(line) else ""
    rest = _safe(line[min(column + length, end) : end]) + right
    return f"{before}{marked}{rest}".rstrip(), " " * _width(before), max(_width(marked), 1)


def _safe(text: str) -> str:
    return text if text.isprintable() else escape(text.replace("\t", "    "))


def _width(text: str) -> int:
    """Return the number of a terminal's columns that a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - start-up time: rarely needed

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
