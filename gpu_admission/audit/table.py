"""The audit as a table: a line for every owner and rule, then what to do about each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_admission.core.raw import escape
from gpu_admission.reports.style import Style
from gpu_admission.reports.summary import amount

from .judge import AUDIT, DENY, REPAIR, WARN
from .result import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .result import AuditResult, Row

HEAD = ("NAMESPACE", "OWNER", "PODS", "ADMISSION", "RULE", "FINDING")
_SEVERITY = {DENY: "error", WARN: "warning", REPAIR: "info", AUDIT: "info"}
_ADVICE_RULES = 30
_PLAIN = Style()


def render(result: AuditResult, style: Style = _PLAIN, *, only_denied: bool = False) -> str:
    """Return the table, what to do about each rule, and the totals, for a file or a pipe."""
    rows = result.rows(only_denied=only_denied)
    lines = _table(rows, style) if rows else []
    lines += advice(rows, style)
    lines += summary(result, style)
    return "".join(f"{line}\n" for line in lines)


def _table(rows: Sequence[Row], style: Style) -> list[str]:
    body = [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in [HEAD, *body]) for column in range(len(HEAD) - 1)]
    lines = [style.bold(_line(HEAD, widths))]
    for row, line in zip(rows, body, strict=True):
        text = _line(line, widths)
        start = sum(widths[:3]) + 2 * 3
        end = start + widths[3]
        lines.append(text[:start] + style.severity(_SEVERITY[row.consequence], text[start:end]) + text[end:])
    return [*lines, ""]


def cells(row: Row) -> tuple[str, ...]:
    """Return the lines below `HEAD`, with control characters escaped."""
    finding = row.findings[0]
    more = len(row.findings) - 1
    text = f"{finding.message}{f' (and {more} more)' if more else ''}"
    return (
        escape(row.owner.namespace or "-"),
        escape(str(row.owner)),
        f"{row.pods:,}" if row.pods else "-",
        row.consequence,
        f"{row.rule} {finding.name}",
        escape(text),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*[cell.ljust(size) for cell, size in zip(cells, widths, strict=False)], cells[-1]])


def advice(rows: Sequence[Row], style: Style) -> list[str]:
    """Return what to write instead, rule by rule, from the first finding of each."""
    first = {row.rule: row.findings[0] for row in reversed(rows)}
    lines = [f"  {style.bold(rule)}  {escape(first[rule].advice)}" for rule in sorted(first)[:_ADVICE_RULES]]
    return [style.bold("What to write instead (details: gpu-lint --explain RULE):"), *lines, ""] if lines else []


def summary(result: AuditResult, style: Style = _PLAIN) -> list[str]:
    """Return the totals, and their limitations."""
    parts = [
        style.severity(_SEVERITY[consequence], f"{verb} {amount(count, 'owner')}")
        for consequence, verb in ((DENY, "deny"), (REPAIR, "repair"), (WARN, "warn of"), (AUDIT, "log"))
        if (count := result.owners(consequence))
    ]
    found = f"Policy {result.policy} would {', '.join(parts)}" if parts else style.good("No findings")
    looked = f"{amount(result.objects, 'object')} ({amount(result.pods, 'Pod')}) of {amount(len(result.kinds), 'kind')}"
    lines = [f"{found} in {place(result.namespace)}: {looked} looked at."]
    exempt = [f"{result.exempt:,} in namespaces that the policy does not judge"] if result.exempt else []
    ended = [f"{result.ended:,} that have ended"] if result.ended else []
    if exempt or ended:
        lines.append(f"Not judged: {', '.join(exempt + ended)}.")
    if result.mode != "enforce":
        lines.append(f"The policy's mode is {result.mode}: nothing is denied before it is enforce.")
    if result.errors:
        lines.append(style.severity("error", f"{amount(len(result.errors), 'problem')}: the audit is incomplete."))
    return lines
