"""Sets of words as one short regular expression (RE2): in CEL, its length is the cost of every match."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

END = "\0"  # at the end of a word: the string must end there; without it, any text may follow

_Tree = dict[str, "_Tree"]


def alternatives(words: Iterable[Iterable[str]]) -> str:
    """Return an expression for strings that begin with one of these words, with common prefixes factored out.

    A word is a sequence of parts: the characters of a string, or expressions.
    """
    tree: _Tree = {}
    for word in words:
        node = tree
        for part in word:
            node = node.setdefault(part, {})
        node[""] = {}
    return _written(tree)


def quoted(text: str) -> list[str]:
    """Return the characters of a string as parts, quoted."""
    return ["$" if part == END else "-" if part == "-" else re.escape(part) for part in text]


def _written(tree: _Tree) -> str:
    if "" in tree:
        return ""  # a word ends here: longer ones match too
    branches = [part + _written(rest) for part, rest in sorted(tree.items())]
    return branches[0] if len(branches) == 1 else f"({'|'.join(branches)})"
