"""The formatting style of a document, which inserted text follows: line breaks, indentation, spaces."""

from __future__ import annotations

import re

from gpu_admission.manifests.yaml_nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.manifests.yaml_nodes import YamlNode

_SPACED = re.compile(r'":[ \t]|[]}"0-9el],[ \t]')
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class FormattingStyle:
    """The style of one document.

    `unit` indents a map below its key, `list_indent` a list below its key (often empty); `space` follows colons and
    commas in flow collections (empty in minified JSON). `quotes` are those of strings in JSON, in a YAML file too.
    `needed` are the quotes of strings that need some: the most common ones.
    """

    __slots__ = ("is_json", "list_indent", "needed", "newline", "quotes", "space", "unit")

    def __init__(self, text: str, root: YamlNode, *, is_json: bool) -> None:
        first = text.find("\n")
        self.newline = "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
        self.is_json = is_json
        quoted = isinstance(root, Mapping) and root.flow and root.pairs and text[root.pairs[0].key.start] == '"'
        self.quotes = '"' if is_json or quoted else ""
        self.needed = '"' if self.quotes else _most_common(_quotes(root), '"')
        self.space = "" if is_json and not _SPACED.search(text) else " "
        if is_json:
            indented = _INDENTED.search(text)
            self.unit = self.list_indent = indented[1] if indented else "  "
        else:
            self.unit = _most_common(_steps(root, text, Mapping), "  ")
            self.list_indent = _most_common(_steps(root, text, Sequence), "")


def column(text: str, index: int) -> int:
    """Return the column of a code point, from 0."""
    return index - (text.rfind("\n", 0, index) + 1)


def _steps(node: YamlNode, text: str, kind: type[YamlNode]) -> Iterator[str]:
    """Yield the indentation of each block of a kind, relative to its key."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _steps(item, text, kind)
    elif isinstance(node, Mapping) and not node.flow:
        for pair in node.pairs:
            if isinstance(pair.value, kind) and not getattr(pair.value, "flow", False):
                below = column(text, pair.value.start) - column(text, pair.key.start)
                if pair.value.anchor is None and pair.value.tag is None:
                    yield " " * below
            yield from _steps(pair.value, text, kind)


def _quotes(node: YamlNode) -> Iterator[str]:
    """Yield the quotes of each quoted value."""
    if isinstance(node, Scalar):
        if node.style in {'"', "'"}:
            yield node.style
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _quotes(item)
    elif isinstance(node, Mapping):
        for pair in node.pairs:
            yield from _quotes(pair.value)


def _most_common(steps: Iterator[str], default: str) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step] = counts.get(step, 0) + 1
    return max(counts, key=counts.__getitem__) if counts else default
