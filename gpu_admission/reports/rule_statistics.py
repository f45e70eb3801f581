"""The number of findings of each rule."""

from __future__ import annotations

from .report import RANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import Report
    from .style import Style


def render(report: Report, style: Style) -> str:
    """Return a table, the most frequent rule first: count, ID, severity, fix, name."""
    counts: dict[str, int] = {}
    highest: dict[str, str] = {}
    for located in report.findings:
        rule, severity = located.finding.rule, located.finding.severity
        counts[rule] = counts.get(rule, 0) + 1
        highest[rule] = min(highest.get(rule, severity), severity, key=lambda level: RANK[level])
    rules = {rule.id: rule for rule in report.rules}
    width = len(f"{max(counts.values(), default=0):,}")
    return "".join(
        f"{count:>{width},}  {style.bold(rule)}  {style.severity(highest[rule], f'{highest[rule]:<7}')}  "
        f"{rules[rule].fix or '-':<6}  {rules[rule].name}\n"
        for rule, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
