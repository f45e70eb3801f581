"""Conditions on keys of metadata and names of variables, in CEL: exact ones by a set, patterns after a cheap test.

A pattern is by far the most expensive: its cost is its length times that of the string. So a string is compared with a
pattern only if it begins like one of them.
"""

from __future__ import annotations

from .cel_literals import pattern, text, texts
from .regex_trie import alternatives, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

STAR = "*"
_LETTERS = 8  # enough to exclude most strings


def keys(name: str, wanted: Collection[str]) -> list[str]:
    """Return conditions, one of which holds if ``name`` is one of these keys, in which ``*`` is any text."""
    exact = sorted(key for key in wanted if STAR not in key)
    begun = sorted(key for key in wanted if STAR in key and not key.startswith(STAR))
    loose = sorted(key for key in wanted if key.startswith(STAR))
    found = [f"{name} in {texts(exact)}"] * bool(exact)
    if begun:
        expression = f"^{alternatives(map(_parts, begun))}$"
        starts = [key.partition(STAR)[0] for key in begun]
        found.append(f"({begins(name, starts)} && {name}.matches({pattern(expression)}))")
    for key in loose:
        longest = max(key.split(STAR), key=len)
        expression = f"^{''.join(_parts(key))}$"
        found.append(f"({name}.contains({text(longest)}) && {name}.matches({pattern(expression)}))")
    return found


def cheap(name: str, wanted: Collection[str]) -> list[str]:
    """Return conditions without patterns, one of which holds if ``name`` is one of these keys, and rarely otherwise."""
    exact = sorted(key for key in wanted if STAR not in key)
    found = [f"{name} in {texts(exact)}"] * bool(exact)
    starts = [key.partition(STAR)[0] for key in wanted if STAR in key and not key.startswith(STAR)]
    found += [begins(name, starts)] * bool(starts)
    loose = sorted({max(key.split(STAR), key=len) for key in wanted if key.startswith(STAR)})
    return found + [f"{name}.contains({text(part)})" for part in loose]


def in_all(words: Collection[str]) -> str:
    """Return the longest string that all of the words contain."""
    first = min(words, key=len)
    parts = {first[start:end] for start in range(len(first)) for end in range(start + 1, len(first) + 1)}
    return max((part for part in parts if all(part in word for word in words)), key=lambda p: (len(p), p), default="")


def begins(name: str, starts: Collection[str]) -> str:
    """Return a cheap condition that holds if ``name`` begins with one of these strings, and rarely otherwise."""
    size = min(_LETTERS, *map(len, starts))
    cut = sorted({start[:size] for start in starts})
    if len(cut) == 1:
        return f"{name}.startsWith({text(cut[0])})"
    return f"{name}.size() >= {size} && {name}.substring(0, {size}) in {texts(cut)}"


def prefixes(words: Iterable[str]) -> list[str]:
    """Return every proper prefix of these words that is not empty."""
    return sorted({word[:size] for word in words for size in range(1, len(word))})


def _parts(key: str) -> list[str]:
    return [".+" if part == STAR else "".join(quoted(part)) for part in key]
