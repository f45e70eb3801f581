"""The tables of ``inspect`` on a terminal: the same cells as in a file, with problems in colour."""

from __future__ import annotations

from rich.text import Text

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from gpu_admission.inventory.tables import Table

# The style of a cell by a text in it; the first match counts.
_STYLES = (
    ("unreadable", "bold red"),
    ("unhealthy", "red"),
    ("overcommitted", "bold red"),
    ("unavailable", "yellow"),
    ("would stay Pending forever", "red"),
    ("there is room", "yellow"),
)


def show(tables: Iterable[Table], console: Console) -> None:
    """Print tables."""
    shown = False
    for table in tables:
        shown = True
        rows = [[_styled(cell) for cell in row] for row in table.rows]
        console.print(terminal.table(table.columns, rows, title=table.title))
        for line in table.footer:
            console.print(Text(line))
    if not shown:
        console.print("No node offers a GPU, and no pod waits for one.")


def _styled(cell: str) -> Text:
    style = next((style for word, style in _STYLES if word in cell), None)
    if style is None:
        used, slash, total = cell.partition("/")
        if slash and used == total != "0":
            style = "magenta"  # a card, or a node, that is full
    return Text(cell, style or "")
