"""The tables of ``inspect`` on a terminal: fitted to its width, coloured by what calls for a look."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.inventory.tables import Table

# How a cell looks by what stands in it, the first that does.
_STYLES = (
    ("unreadable", "bold red"),
    ("unhealthy", "red"),
    ("overcommitted", "bold red"),
    ("unavailable", "yellow"),
    ("would stay Pending forever", "red"),
    ("there is room", "yellow"),
)


def show(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print tables; what comes from the cluster is text and never markup."""
    console = console or Console(highlight=False, emoji=False)
    shown = False
    for table in tables:
        shown = True
        made = RichTable(box=SIMPLE_HEAD, title=Text(table.title) if table.title else None, title_justify="left")
        for column in table.columns:
            made.add_column(Text(column), overflow="fold")
        for row in table.rows:
            made.add_row(*[_styled(cell) for cell in row])
        console.print(made)
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
