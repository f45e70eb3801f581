"""The audit on a terminal: the same cells as in a file, coloured by what admission would do."""

from __future__ import annotations

from rich.text import Text

from gpu_admission.audit import table
from gpu_admission.audit.judge import DENY, REPAIR, WARN
from gpu_admission.reports.style import Style

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

    from gpu_admission.audit.result import AuditResult

_COLOURS = {DENY: "bold red", WARN: "bold yellow", REPAIR: "cyan"}


def show(result: AuditResult, console: Console, *, only_denied: bool = False) -> None:
    """Print the table, what to do about each rule, and the totals."""
    rows = result.rows(only_denied=only_denied)
    if rows:
        cells = [_styled(table.cells(row), row.consequence) for row in rows]
        console.print(terminal.table(table.HEAD, cells, sentences=True))
    style = Style(colour=not console.no_color and console.color_system is not None)
    for line in [*table.advice(rows, style), *table.summary(result, style)]:
        console.print(Text.from_ansi(line))


def _styled(cells: tuple[str, ...], consequence: str) -> list[Text]:
    at = table.HEAD.index("ADMISSION")
    colour = _COLOURS.get(consequence, "")
    return [Text(cell, colour if number == at else "") for number, cell in enumerate(cells)]
