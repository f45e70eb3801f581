"""An inventory as tables: cards by node, like those of gpushare's ``kubectl inspect gpushare``, and pods.

Source of the first table: AliyunContainerService/gpushare-device-plugin cmd/inspect/display.go.
"""

from __future__ import annotations

from gpu_admission.core.raw import escape

from .model import SHARES
from .sections import compact, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .card import Card, Holding
    from .model import Inventory, Node, Pool
    from .sections import Section

_MOST_COLUMNS = 64  # cards of a node that have a column of their own


class Table:
    """A table: its title, column heads, rows of texts, and lines that follow it.

    Control characters are escaped. ``ruled`` means that a line of dashes goes between rows and footer.
    """

    __slots__ = ("columns", "footer", "rows", "ruled", "title")

    def __init__(self, title: str, columns: list[str], rows: list[list[str]], footer: list[str] | None = None) -> None:
        self.title = escape(title)
        self.columns = columns
        self.rows = [[escape(cell) for cell in row] for row in rows]
        self.footer = [escape(line) for line in footer or ()]
        self.ruled = bool(footer)


def tables(inventory: Inventory, *, wide: bool = False) -> Iterator[Table]:
    """Yield the tables of an inventory; ``wide`` adds every card with its pods."""
    found = sections(inventory)
    for section in found:
        table = _memory(section) if section.measure == "memory" else _devices(section)
        if len(found) > 1 or section.backend != "gpushare":
            table.title = escape(f"{section.title}: {section.resource}")
        table.footer += map(escape, _fragmentation(section))
        yield table
        if wide:
            yield _cards(section)
            yield _pods(section)
    yield from _problems(inventory)
    yield from _waiting(inventory)
    yield from _uncounted(inventory, wide=wide)


def _memory(section: Section) -> Table:
    """Return the table of a section that counts memory: a column for each card, as in gpushare's own."""
    most = min(max([len(pool.cards) for _, pool in section.places]), _MOST_COLUMNS)
    pending = any([pool.loose for _, pool in section.places])
    columns = ["NAME", "IPADDRESS", *[f"GPU{index}(Allocated/Total)" for index in range(most)]]
    columns += [*(["PENDING(Allocated)"] if pending else []), f"GPU Memory({section.unit.name})"]
    rows = []
    for node, pool in section.places:
        cells = [_cell(section, card) for card in _in_order(pool)[:most]]
        cells += ["0/0"] * (most - len(cells))
        if pending:
            cells.append(section.shown(pool.pending) if pool.loose else "")
        allocated, total = section.shown(pool.allocated), section.shown(pool.total)
        rows.append([_name(node), node.address, *cells, f"{allocated}/{total}"])
    return Table("", columns, rows, ["Allocated/Total GPU Memory In Cluster:", _in_all(section)])


def _in_order(pool: Pool) -> list[Card]:
    return sorted(pool.cards, key=lambda card: (card.index is None, card.index or 0))


def _cell(section: Section, card: Card) -> str:
    if card.problem:
        return "unreadable"
    mark = "" if card.healthy else " unhealthy"
    return f"{section.shown(card.used_memory)}/{section.shown(card.memory or 0)}{mark}"


def _in_all(section: Section) -> str:
    share = section.allocated * 100 // section.total if section.total else 0
    return f"{section.shown(section.allocated)}/{section.shown(section.total)} ({share}%)"


def _devices(section: Section) -> Table:
    """Return the table of a section that counts devices."""
    shared = any([card.memory is not None and card.shareable for _, pool in section.places for card in pool.cards])
    of_cards = section.unit == SHARES
    columns = ["NAME", "IPADDRESS", "MODEL", "ALLOCATED/TOTAL", "FREE"]
    columns += ["CARDS", "SHARES OF EACH"] if of_cards else ["SHARED CARDS"] if shared else []
    rows = []
    for node, pool in section.places:
        away = f" ({pool.unavailable} unavailable)" if pool.unavailable else ""
        row = [_name(node), node.address, pool.model, f"{pool.allocated}/{pool.total}{away}", str(pool.free)]
        if of_cards:
            row += [str(pool.physical or "unknown"), str(pool.per_card)]
        elif shared:
            row.append(", ".join([_shared(card) for card in pool.cards if card.shareable]) or "none")
        rows.append(row)
    noun = "Shares" if of_cards else "Devices"
    return Table("", columns, rows, [f"Allocated/Total {noun} In Cluster:", _in_all(section)])


def _shared(card: Card) -> str:
    if card.problem:
        return f"{card.label} unreadable"
    return f"{card.label} {compact(card.used_memory)}/{compact(card.memory or 0)}"


def _fragmentation(section: Section) -> list[str]:
    """Return the line on what is free and how fragmented it is."""
    if not section.free:
        return ["Nothing is free."]
    piece, node = section.largest
    unit = f" {section.unit.name}" if section.measure == "memory" else ""
    where = f"on one {'card' if section.measure == 'memory' else 'node'} ({node})"
    unused = f", {sum([card.is_free for card in section.cards])} of {len(section.cards)} cards unused"
    cards = unused if section.measure == "memory" else ""
    return [f"Free: {section.shown(section.free)}{unit} in all, {section.shown(piece)}{unit} at most {where}{cards}"]


def _name(node: Node) -> str:
    state = [*(["cordoned"] if node.cordoned else []), *([] if node.ready else ["not ready"])]
    return f"{node.name} ({', '.join(state)})" if state else node.name


def _cards(section: Section) -> Table:
    columns = ["NODE", "CARD", "UUID", "MODEL", "MEMORY", "CORES", "SHARES", "STATE"]
    rows = []
    for node, pool in section.places:
        for card in _in_order(pool):
            memory = "" if card.memory is None else f"{compact(card.used_memory)}/{compact(card.memory)}"
            cores = "" if card.cores is None else f"{card.used_cores}/{card.cores}"
            slots = f"{card.used_slots}" + ("" if card.slots is None else f"/{card.slots}")
            label, uuid, model = card.label, card.uuid or card.key, card.model
            rows.append([node.name, label, uuid, model, memory, cores, slots, _state(card)])
    return Table(f"cards of {section.resource}", columns, rows)


def _state(card: Card) -> str:
    if card.problem:
        return f"unreadable: {card.problem}"
    if not card.healthy:
        return "unhealthy"
    return "overcommitted" if card.overcommitted else "free" if card.is_free else "in use"


def _pods(section: Section) -> Table:
    columns = ["NAME", "NAMESPACE", "NODE", "CARD", "ALLOCATED", "CORES", "NOTE"]
    rows = [
        [",".join(held.pods) or f"claim {held.claim}", held.namespace, node.name, *_of_card(card, held)]
        for node, pool in section.places
        for card, held in pool.holdings()
    ]
    return Table(f"pods on {section.resource}", columns, rows)


def _of_card(card: Card | None, held: Holding) -> list[str]:
    known = card is not None
    amount = compact(held.memory) if held.memory is not None else f"{held.count}" if not known else "all"
    note = "; ".join(filter(None, [held.note, "terminating" if held.terminating else ""]))
    return [card.label if card is not None else "", amount, str(held.cores or ""), note]


def _problems(inventory: Inventory) -> Iterator[Table]:
    rows = [
        [node.name, pool.resource, card.label, card.problem]
        for node, pool in inventory.pools()
        for card in pool.cards
        if card.problem
    ]
    rows += [[node.name, pool.resource, "", each] for node, pool in inventory.pools() for each in pool.problems]
    if rows:
        yield Table("Unreadable records", ["NODE", "RESOURCE", "CARD", "WHY"], rows)


def _waiting(inventory: Inventory) -> Iterator[Table]:
    rows = [[pod.namespace, pod.name, pod.needs, pod.reason] for pod in inventory.waiting]
    if rows:
        yield Table("Pods that wait for a GPU", ["NAMESPACE", "NAME", "REQUESTS", "WHY"], rows)


def _uncounted(inventory: Inventory, *, wide: bool) -> Iterator[Table]:
    """Yield the pods that hold GPUs without a request; those of the systems themselves only in wide tables."""
    shown = [pod for pod in inventory.uncounted if wide or not pod.system]
    hidden = len(inventory.uncounted) - len(shown)
    rows = [
        [
            pod.namespace,
            pod.name,
            pod.node,
            "holds" if pod.certain else "can reach",
            pod.rule,
            pod.reason,
        ]
        for pod in shown
    ]
    columns = ["NAMESPACE", "NAME", "NODE", "GPUS", "RULE", "WHY"]
    if rows:
        footer = [f"{hidden} more by components of the GPU systems themselves (-f wide shows them)"] if hidden else []
        yield Table("GPUs that are not counted", columns, rows, footer)
