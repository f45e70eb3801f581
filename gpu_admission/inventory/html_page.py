"""An inventory as one self-contained page: a bar per card, a colour per namespace, no script, nothing fetched.

Text from the cluster is escaped, and colours are computed from names. Its Content-Security-Policy forbids loading
anything, so that the page may be mailed and archived.
"""

from __future__ import annotations

from html import escape

from .html_style import STYLE
from .sections import compact, sections
from .tables import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .card import Card, Holding
    from .model import Inventory, Node, Pool
    from .sections import Section
    from .tables import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PER_MILLE = 1000
_GOLDEN = 137.508  # degrees between the hues of two namespaces: neighbours in the list differ most
_MOST_SEGMENTS = 64  # holders of a card, or devices of a node, that have a segment of their own


def page(inventory: Inventory, title: str) -> Iterator[str]:
    """Yield the page in pieces; ``title`` names the cluster and the time."""
    colours = _Colours(inventory)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{colours.rules()}</style></head>\n<body>\n<header>"
        f"<h1>{escape(title)}</h1>\n"
    )
    yield colours.legend()
    yield "</header>\n<main>\n"
    for problem in inventory.incomplete:
        yield f'<p class="problem">not shown: {escape(problem)}</p>\n'
    if not inventory.nodes:
        yield "<p>No node offers a GPU.</p>\n"
    for section in sections(inventory):
        yield from _section(section, colours)
    yield from _tables([table for table in tables(inventory) if not _is_of_cards(table)])
    yield "</main></body></html>\n"


class _Colours:
    """A hue for each namespace, by its index, so that no two are the same by chance."""

    def __init__(self, inventory: Inventory) -> None:
        held = {each.namespace for _, pool in inventory.pools() for _, each in pool.holdings()}
        self._classes = {namespace: f"n{index}" for index, namespace in enumerate(sorted(held))}

    def of(self, namespace: str) -> str:
        """Return the class of a namespace's segments."""
        return self._classes.get(namespace, "n0")

    def rules(self) -> str:
        """Return the style of the classes; their lightness depends on the colour scheme."""
        return "".join([
            f".{name}{{--hue:{index * _GOLDEN % 360:.0f}}}" for index, name in enumerate(self._classes.values())
        ])  # fmt: skip

    def legend(self) -> str:
        """Return the list of namespaces with their colours."""
        entries = [f'<li><i class="seg {name}"></i>{escape(space)}</li>' for space, name in self._classes.items()]
        free = '<li><i class="seg free"></i>free</li><li><i class="seg noted"></i>striped: see the note on it</li>'
        return f'<ul class="legend" aria-label="namespaces">{"".join(entries)}{free}</ul>\n'


def _section(section: Section, colours: _Colours) -> Iterator[str]:
    shown = section.shown
    unit = section.unit.name
    piece, node = section.largest
    at_most = f"at most {shown(piece)} on one {'card' if section.measure == 'memory' else 'node'} ({node})"
    yield (
        f"<section><h2>{escape(section.title)} <small>{escape(section.resource)}</small></h2>\n"
        f'<p class="totals"><b>{shown(section.allocated)}</b> of <b>{shown(section.total)}</b> {unit} allocated, '
        f"{shown(section.free)} free{f', {escape(at_most)}' if section.free else ''}</p>\n<div class='nodes'>\n"
    )
    for place, pool in section.places:
        yield _pool(place, pool, section, colours)
    yield "</div></section>\n"


def _pool(node: Node, pool: Pool, section: Section, colours: _Colours) -> str:
    state = " (cordoned)" if node.cordoned else "" if node.ready else " (not ready)"
    amounts = f"{section.shown(pool.allocated)}/{section.shown(pool.total)} {section.unit.name}"
    bars = [_bar(card, colours) for card in pool.cards]
    if pool.measure == "count" and not (pool.cards and not pool.loose and len(pool.cards) >= pool.total):
        bars.append(_devices(pool, colours))
    elif pool.loose:
        bars.append(_loose(pool, section, colours))
    model = f'<p class="model">{escape(pool.model)}</p>' if pool.model else ""
    return (
        f'<article class="node"><h3>{escape(node.name)}{state} <span>{amounts}</span></h3>{model}{"".join(bars)}'
        "</article>\n"
    )


def _bar(card: Card, colours: _Colours) -> str:
    label = escape(card.label[:40])
    if card.problem:
        return _row(label, f'<div class="bar bad" title="{escape(card.problem)}">unreadable</div>', "")
    size = max(card.memory or 0, card.used_memory, 1)
    parts = []
    for held in card.holdings[:_MOST_SEGMENTS]:
        whole = not card.shareable or held.memory is None
        memory = size if whole and held.count else held.memory or 0
        parts.append(
            _segment(held, memory * _PER_MILLE // size, colours, "" if card.memory is None else compact(memory))
        )
    amounts = "in use" if card.taken else "free"
    if card.memory is not None:
        amounts = f"{compact(card.used_memory)}/{compact(card.memory)}"
    if not card.healthy:
        amounts += " unhealthy"
    kind = "bar over" if card.overcommitted else "bar" if card.healthy else "bar sick"
    return _row(label, f'<div class="{kind}">{"".join(parts)}</div>', amounts)


def _devices(pool: Pool, colours: _Colours) -> str:
    """Return the bar of devices whose cards are unknown: a segment per holder, as wide as its count."""
    known = sum([card.taken for card in pool.cards])
    size = max(pool.total - known, pool.pending, 1)
    parts = [
        _segment(held, held.count * _PER_MILLE // size, colours, f"{held.count}")
        for held in pool.loose[:_MOST_SEGMENTS]
    ]
    return _row(pool.unit.name, f'<div class="bar">{"".join(parts)}</div>', f"{pool.pending}/{size}")


def _loose(pool: Pool, section: Section, colours: _Colours) -> str:
    """Return the bar of what is allocated on an unknown card."""
    size = max(pool.pending, 1)
    parts = [
        _segment(held, (held.memory or 0) * _PER_MILLE // size, colours, compact(held.memory or 0))
        for held in pool.loose[:_MOST_SEGMENTS]
    ]
    return _row(
        "pending", f'<div class="bar">{"".join(parts)}</div>', f"{section.shown(pool.pending)} {section.unit.name}"
    )


def _segment(held: Holding, width: int, colours: _Colours, amount: str) -> str:
    note = f", {held.note}" if held.note else ""
    text = escape(f"{held.label}: {amount or 'in use'}{note}"[:400])
    kind = "seg noted" if held.note else "seg"
    return (
        f'<i class="{kind} {colours.of(held.namespace)}" style="width:{min(width, _PER_MILLE) / 10:g}%" title="{text}">'
        f"<b>{escape(','.join(held.pods) or held.claim)}</b></i>"
    )


def _row(label: str, bar: str, amounts: str) -> str:
    return f'<div class="card"><span class="label">{label}</span>{bar}<span class="amounts">{amounts}</span></div>'


def _is_of_cards(table: Table) -> bool:
    return "IPADDRESS" in table.columns


def _tables(found: Iterable[Table]) -> Iterator[str]:
    for table in found:
        heads = "".join([f"<th>{escape(column)}</th>" for column in table.columns])
        yield f'<section><h2>{escape(table.title)}</h2><div class="scroll"><table>'
        yield f"<thead><tr>{heads}</tr></thead><tbody>\n"
        for row in table.rows:
            yield f"<tr>{''.join([f'<td>{escape(cell)}</td>' for cell in row])}</tr>\n"
        yield f"</tbody></table></div>{''.join([f'<p>{escape(line)}</p>' for line in table.footer])}</section>\n"
