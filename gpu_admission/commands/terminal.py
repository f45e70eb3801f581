"""Tables on a terminal: fitted to its width, in colours unless NO_COLOR or a flag forbids them.

Texts from a cluster are never interpreted as markup; the caller has escaped control characters.
"""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NARROWEST = 24  # characters of a column of sentences: below that nearly every word needs a line


def console(color: str = "auto") -> Console:
    """Return standard output as a terminal; ``color`` is auto (NO_COLOR and TERM decide), always or never."""
    if color == "never":
        return Console(highlight=False, emoji=False, color_system=None)
    if color == "always":
        return Console(highlight=False, emoji=False, no_color=False, force_terminal=True)
    return Console(highlight=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Text]], *, title: str = "", sentences: bool = False) -> Table:
    """Return a table; with ``sentences`` the last column takes the remaining width."""
    made = Table(box=SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left")
    for number, column in enumerate(columns, 1):
        if sentences and number == len(columns):
            made.add_column(Text(column), overflow="fold", ratio=1, min_width=_NARROWEST)
        else:
            made.add_column(Text(column), overflow="fold")
    for row in rows:
        made.add_row(*row)
    made.expand = sentences
    return made
