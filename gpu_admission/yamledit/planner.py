"""One RFC 6902 operation -> the splices of text that perform it and keep every other byte of a document.

They are those of an edit by hand: change a scalar in place, insert a new key below its siblings, remove whole lines.
Any other change is refused. The result is verified by the caller (edit.py).
"""

from __future__ import annotations

from itertools import pairwise

from gpu_admission.core.record import record
from gpu_admission.manifests.yaml_nodes import Alias, Mapping, Scalar, Sequence, walk

from . import emit
from .formatting_style import FormattingStyle
from .source_text import UNUSUAL, EditRefusedError, Slot, SourceText

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.manifests.yaml_nodes import NodeStep, Pointer, YamlNode

    from .source_text import Collection


SHARED = "it stands behind an alias or a merge key, whose other users would change too"


@record
class Splice:
    """Replaces text[start:end]."""

    start: int
    end: int
    text: str


def make(splices: list[Splice], text: str) -> str:
    """Return the text with all splices made. Raises EditRefusedError where two of them overlap."""
    parts, at = [], 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        if splice.start < at:
            raise EditRefusedError("two changes touch the same text")
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


class Planner:
    """Plans operations on one document, given as its text and its tree. Raises EditRefusedError."""

    def __init__(self, text: str, root: YamlNode, *, is_json: bool) -> None:
        self._source = SourceText(text)
        self._root = root
        self._style = FormattingStyle(text, root, is_json=is_json)

    def plan(self, op: str, path: Pointer, value: Any) -> list[Splice]:
        """Return the splices that perform an operation."""
        if not path:
            raise EditRefusedError("a whole document is not replaced")
        steps = walk(self._root, path)
        slots = _slots(steps)
        if len(steps) < len(path) or (len(steps) == len(path) and op != "add"):
            raise EditRefusedError("there is nothing at this place")
        if len(steps) == len(path):
            return self._insert(slots, steps[-1].node, path[-1], value)
        if op == "remove":
            return self._remove(slots)
        if op == "add" and slots[-1].pair is None:
            return self._insert(slots[:-1], slots[-1].holder, path[-1], value)
        return self._replace(slots[-1], value)

    def _insert(self, slots: list[Slot], parent: YamlNode, token: str | int, value: Any) -> list[Splice]:
        if isinstance(parent, Alias):
            raise EditRefusedError(SHARED)
        _refuse_anchored(parent)
        if not isinstance(parent, Mapping | Sequence):
            raise EditRefusedError("there is neither a map nor a list to add to")
        if not self._source.children(parent):
            return self._fill(slots, parent, {str(token): value} if isinstance(parent, Mapping) else [value])
        if isinstance(parent, Mapping):
            return self._insert_pair(parent, str(token), value)
        at = len(parent.items) if token == "-" else int(token)
        if at > len(parent.items):
            raise EditRefusedError("the list is shorter than that")
        return self._insert_item(parent, at, value)

    # Values -------------------------------------------------------------------------------------------------------

    def _replace(self, slot: Slot, value: Any) -> list[Splice]:
        source, node, end = self._source, slot.node, self._source.content_end(slot.node)
        if slot.holder.flow:
            return [Splice(node.start, end, self._in_flow(slot, value))]
        behind = source.behind_indicator(slot)
        on_its_line = behind < node.start <= source.line_end(behind)
        if slot.pair is not None and isinstance(value, dict | list) and value:
            source.keep_comments(behind, end)
            below = source.line_end(end)
            return [Splice(behind, end, ""), Splice(below, below, self._lines_below(slot, value))]
        start = node.start if on_its_line else behind
        source.keep_comments(start, end)
        return [Splice(start, end, ("" if on_its_line else " ") + self._in_line(slot, value))]

    def _fill(self, slots: list[Slot], empty: Collection, value: Any) -> list[Splice]:
        """Fill `{}` or `[]`: below its key where that is possible, between the brackets otherwise."""
        if slots and slots[-1].pair is not None and not slots[-1].holder.flow:
            return self._replace(slots[-1], value)
        return [Splice(empty.start, empty.end, self._spread_or_flow(empty.start, value))]

    def _in_flow(self, slot: Slot, value: Any) -> str:
        if isinstance(value, dict | list) and value:
            return self._spread_or_flow(slot.node.start, value)
        return self._scalar(slot.node, value)

    def _in_line(self, slot: Slot, value: Any) -> str:
        """Return a value that begins on the line of its key or dash."""
        if not isinstance(value, dict | list) or not value:
            return self._scalar(slot.node, value)
        first, *others = emit.block(value, self._style)
        return first + self._lines(others, " " * (self._source.column(slot.holder.start) + 2))

    def _scalar(self, old: YamlNode, value: Any) -> str:
        """Return a scalar, if a string then in the quotes of the string that it replaces."""
        quotes = old.style if isinstance(old, Scalar) and isinstance(old.value, str) else ""
        return emit.scalar(value, quotes if quotes in {'"', "'"} else self._style.quotes, self._style.needed)

    def _spread_or_flow(self, index: int, value: Any) -> str:
        """Return a value between brackets, over several lines where the surrounding JSON is."""
        if not self._style.is_json or "\n" not in self._source.text:
            return emit.flow(value, self._style)
        line = self._source.text[self._source.line_start(index) : index]
        return emit.spread(value, self._style, line[: len(line) - len(line.lstrip(" \t"))])

    def _beside(self, index: int, value: Any) -> str:
        """Return a value for a sibling of the child at an index: on one line, where that child shares its line."""
        if self._source.indentation(index) is None:
            return emit.flow(value, self._style)
        return self._spread_or_flow(index, value)

    def _lines_below(self, slot: Slot, value: Any) -> str:
        assert slot.pair is not None  # noqa: S101 - for mypy; only values of keys go below
        indent = self._style.unit if isinstance(value, dict) else self._style.list_indent
        indent = " " * self._source.column(slot.pair.key.start) + indent
        return self._lines(emit.block(value, self._style), indent)

    def _lines(self, lines: list[str], indent: str) -> str:
        """Return lines, each with a leading line break, so that they can follow a last line without one."""
        return "".join(f"{self._style.newline}{indent}{line}" for line in lines)

    # Children -----------------------------------------------------------------------------------------------------

    def _insert_pair(self, mapping: Mapping, key: str, value: Any) -> list[Splice]:
        source, last = self._source, len(mapping.pairs) - 1
        if mapping.flow:
            name = emit.scalar(key, self._style.quotes, self._style.needed)
            start = source.child_start(mapping, last)
            return self._append_to_flow(
                start,
                source.child_end(mapping, last),
                f"{name}:{self._style.space}{self._beside(start, value)}",
            )
        indent = " " * source.column(mapping.pairs[0].key.start)
        below = source.below(source.child_end(mapping, last), len(indent))
        return [Splice(below, below, self._lines(emit.pair(key, value, self._style), indent))]

    def _insert_item(self, sequence: Sequence, at: int, value: Any) -> list[Splice]:
        source, last = self._source, len(sequence.items) - 1
        if sequence.flow and at > last:
            start = source.child_start(sequence, last)
            return self._append_to_flow(start, source.child_end(sequence, last), self._beside(start, value))
        start = source.child_start(sequence, at) if at <= last else 0
        if sequence.flow:
            text = self._beside(start, value)
            return [Splice(start, start, f"{text},{self._separation(start)}")]
        lines, indent = emit.list_item(value, self._style), " " * source.column(sequence.start)
        if at == 0:
            return [Splice(start, start, f"{self._style.newline}{indent}".join([*lines, ""]))]
        end = source.child_end(sequence, at - 1)
        below = source.below(end, len(indent)) if at > last else source.line_end(end)
        return [Splice(below, below, self._lines(lines, indent))]

    def _append_to_flow(self, start: int, end: int, text: str) -> list[Splice]:
        """Plan a new last child between brackets, after the one at text[start:end]."""
        line_end = self._source.line_end(end)
        separation = self._separation(start)
        if self._source.text[end:line_end].lstrip().startswith("#"):
            return [
                Splice(end, end, ","),
                Splice(line_end, line_end, f"{self._style.newline}{separation.strip(chr(10))}{text}"),
            ]
        return [Splice(end, end, f",{separation}{text}")]

    def _separation(self, start: int) -> str:
        """Return the separator between a comma and the flow child at this place: a line break if it begins a line."""
        indentation = self._source.indentation(start)
        return self._style.space if indentation is None else self._style.newline + indentation

    # Removing -----------------------------------------------------------------------------------------------------

    def _remove(self, slots: list[Slot]) -> list[Splice]:
        slot, source = slots[-1], self._source
        holder, at, last = slot.holder, slot.index, len(source.children(slot.holder)) - 1
        if last == 0:
            return self._empty(slots[:-1], holder)
        start, end = source.child_start(holder, at), source.child_end(holder, at)
        if holder.flow:
            if at == last:
                start = source.child_end(holder, at - 1)
            else:
                end = source.child_start(holder, at + 1)
        elif source.indentation(start) is not None:
            return [self._whole_lines(start, end)]
        elif at == last:
            raise EditRefusedError(UNUSUAL)
        else:
            behind, end = source.line_end(end), source.child_start(holder, at + 1)
            source.keep_comments(behind, end)
        return [Splice(start, end, "")]

    def _empty(self, slots: list[Slot], holder: Collection) -> list[Splice]:
        """Plan the removal of an only child: an empty collection stays."""
        nothing: dict[str, Any] | list[Any] = {} if isinstance(holder, Mapping) else []
        start, end = self._source.child_start(holder, 0), self._source.child_end(holder, 0)
        if not slots:
            return [Splice(holder.start, self._source.content_end(holder), emit.flow(nothing, self._style))]
        if holder.flow or self._source.indentation(start) is None:
            return self._replace(slots[-1], nothing)
        behind = self._source.behind_indicator(slots[-1])
        return [Splice(behind, behind, f" {emit.flow(nothing, self._style)}"), self._whole_lines(start, end)]

    def _whole_lines(self, start: int, end: int) -> Splice:
        line_break = self._source.text.find("\n", end)
        return Splice(self._source.line_start(start), line_break + 1 or len(self._source.text), "")


def _slots(steps: list[NodeStep]) -> list[Slot]:
    """Return the places along a path. Raises EditRefusedError where one is shared by an alias or a merge key."""
    slots = []
    for parent, step in pairwise(steps):
        if not step.direct or not isinstance(parent.node, Mapping | Sequence):
            raise EditRefusedError(SHARED)
        _refuse_anchored(parent.node)
        slots.append(Slot(parent.node, step.node, step.pair))
    return slots


def _refuse_anchored(node: YamlNode) -> None:
    if node.anchor is not None:
        raise EditRefusedError(f"it stands in the anchor &{node.anchor}, whose aliases would change too")
