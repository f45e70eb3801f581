"""Progress of an audit: what is being listed, what was found so far, and the first denials."""

from __future__ import annotations

from gpu_admission.audit import table
from gpu_admission.audit.judge import DENY, REPAIR, WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.audit.result import AuditResult, Row

    from .cluster_progress import ProgressLine

_FIRST = 5  # findings that are shown before all are known
_VERBS = ((DENY, "deny"), (REPAIR, "repair"), (WARN, "warn of"))


def show(line: ProgressLine, what: str, result: AuditResult, remaining: int) -> None:
    """Show the progress of an audit; ``what`` is being listed, ``remaining`` objects of it are to come."""
    line.update(lambda: _lines(what, result, remaining))


def _lines(what: str, result: AuditResult, remaining: int) -> Iterator[str]:
    coming = f", {remaining:,} to come" if remaining else ""
    counts = [f"{verb} {count:,}" for key, verb in _VERBS if (count := result.owners(key))]
    found = f"would {', '.join(counts)} so far" if counts else "no findings so far"
    yield f"{what}: {result.objects:,} objects{coming}; {found}"
    yield from map(_finding, result.first(DENY, _FIRST))


def _finding(row: Row) -> str:
    namespace, owner, _, consequence, rule, text = table.cells(row)
    return f"  {consequence}  {namespace}  {owner}  {rule}: {text}"
