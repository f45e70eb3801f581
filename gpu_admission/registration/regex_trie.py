"""Sets of words as one short regular expression (RE2): CEL charges for every character of it, on every match."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

END = "\0"  # at the end of a word: the text must end there too; without it, whatever follows matches

_Tree = dict[str, "_Tree"]


def alternatives(words: Iterable[Iterable[str]]) -> str:
    """Return an expression for texts that begin with one of these, common beginnings written once.

    A word is a sequence of parts: the characters of a text, or expressions of its own making.
    """
    tree: _Tree = {}
    for word in words:
        node = tree
        for part in word:
            node = node.setdefault(part, {})
        node[""] = {}
    return _written(tree)


def quoted(text: str) -> list[str]:
    """Return the parts of a text, each of which stands for itself."""
    return ["$" if part == END else "-" if part == "-" else re.escape(part) for part in text]


def _written(tree: _Tree) -> str:
    if "" in tree:
        return ""  # a word ends here: whatever else begins like it matches anyway
    branches = [part + _written(rest) for part, rest in sorted(tree.items())]
    return branches[0] if len(branches) == 1 else f"({'|'.join(branches)})"
