"""Tables as plain text: columns as wide as their widest cell, two spaces between them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .tables import Table

_GAP = 2


def written(tables: Iterable[Table]) -> str:
    """Return tables as text, an empty line between two of them."""
    return "\n\n".join(["\n".join(_lines(table)) for table in tables]) + "\n"


def _lines(table: Table) -> Iterator[str]:
    if table.title:
        yield table.title
    lines = [table.columns, *table.rows]
    widths = [max([len(row[index]) for row in lines]) + _GAP for index in range(len(table.columns))]
    for row in lines:
        yield _padded(row, widths)
    if table.ruled:
        yield "-" * max(sum(widths) - _GAP, 1)
    yield from table.footer


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return "".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip()
