"""Positions in the text of a document that an editor needs beyond those of the nodes."""

from __future__ import annotations

import re

from gpu_admission.manifests.yaml_nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.manifests.yaml_nodes import Pair, YamlNode

    Collection = Mapping | Sequence

UNUSUAL = "it is written in an unusual way"
_COMMENT = re.compile(r"(?:^|[ \t])#", re.MULTILINE)
_COLON = re.compile(r"[ \t]*:")
_DEEPER_COMMENT = re.compile(r"\r?\n( +)#[^\r\n]*")


class EditRefusedError(Exception):
    """An edit that cannot be made safely: the reason, and the line (from 1) of the change, or None."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Slot:
    """The place of a value: after the colon of a pair, or after the dash (or bracket, or comma) of an item."""

    __slots__ = ("holder", "index", "node", "pair")

    def __init__(self, holder: Collection, node: YamlNode, pair: Pair | None) -> None:
        self.holder = holder
        self.node = node
        self.pair = pair
        children: list[Pair] | list[YamlNode] = holder.pairs if isinstance(holder, Mapping) else holder.items
        self.index = next(at for at, child in enumerate(children) if child is (pair or node))


class SourceText:
    """The text of a document, in code points from 0. Ends are exclusive."""

    def __init__(self, text: str) -> None:
        self.text = text

    def column(self, index: int) -> int:
        """Return the column of a code point, from 0."""
        return index - self.line_start(index)

    def line_start(self, index: int) -> int:
        """Return the start of the line."""
        return self.text.rfind("\n", 0, index) + 1

    def line_end(self, index: int) -> int:
        """Return the end of the line, before its line break."""
        end = self.text.find("\n", index)
        if end < 0:
            return len(self.text)
        return end - 1 if end > index and self.text[end - 1] == "\r" else end

    def below(self, end: int, column: int) -> int:
        """Return the place of a new line at a column below what ends here: after its comments."""
        below = self.line_end(end)
        while (comment := _DEEPER_COMMENT.match(self.text, below)) and len(comment[1]) > column:
            below = comment.end()
        return below

    def indentation(self, index: int) -> str | None:
        """Return the indentation of a line before this place; None where anything else precedes it."""
        before = self.text[self.line_start(index) : index]
        return None if before.strip(" \t") else before

    def content_end(self, node: YamlNode) -> int:
        """Return the end of a node; empty lines after a block belong to it only if they are part of its value."""
        while not isinstance(node, Scalar) and self.children(node) and not getattr(node, "flow", True):
            node = node.pairs[-1].value if isinstance(node, Mapping) else self.children(node)[-1]
        if not isinstance(node, Scalar) or node.style not in {"|", ">"}:
            return node.end
        header = self.text[node.start : self.line_end(node.start)].partition("#")[0]
        if "+" in header:
            return (
                node.end - len(self.text[node.start : node.end]) + len(_without_break(self.text[node.start : node.end]))
            )
        return node.start + len(self.text[node.start : node.end].rstrip())

    @staticmethod
    def children(node: YamlNode) -> list[YamlNode]:
        """Return the keys of a map or the items of a list."""
        if isinstance(node, Mapping):
            return [pair.key for pair in node.pairs]
        return node.items if isinstance(node, Sequence) else []

    def child_start(self, holder: Collection, at: int) -> int:
        """Return the start of a child: its key, its dash or the flow item."""
        node = self.children(holder)[at]
        if isinstance(holder, Mapping) or holder.flow:
            return node.start
        if at == 0:
            return holder.start
        # All dashes of a list are in one column, with only comments between two items.
        margin = self.column(holder.start)
        line = self.line_start(self.child_end(holder, at - 1))
        while (line := self.text.find("\n", line) + 1) and line <= node.start:
            dash = line + margin
            if self.text[dash : dash + 1] == "-" and self.indentation(dash) is not None:
                return dash
        raise EditRefusedError(UNUSUAL)

    def child_end(self, holder: Collection, at: int) -> int:
        """Return the end of a child's content."""
        if isinstance(holder, Mapping):
            return max(self.content_end(holder.pairs[at].value), holder.pairs[at].key.end)
        return self.content_end(holder.items[at])

    def behind_indicator(self, slot: Slot) -> int:
        """Return the place right after the colon or the dash before the value of a slot."""
        if slot.pair is None:
            return self.child_start(slot.holder, slot.index) + 1
        colon = _COLON.match(self.text, slot.pair.key.end)
        if colon is None:
            raise EditRefusedError(UNUSUAL)
        return colon.end()

    def keep_comments(self, start: int, end: int) -> None:
        """Raise EditRefusedError where text to remove contains a comment, or what could be one."""
        if _COMMENT.search(self.text, start, end):
            raise EditRefusedError("a comment would be lost")


def _without_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
