"""Typos of words as a regular expression (RE2): what ``core.typos.nearest`` finds by edit distance.

One typo is expressed exactly. Two would take hundreds of alternatives for every word, so a necessary condition is used:
of three parts of a word, two typos leave one unchanged, except for letters swapped across parts.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def near(word: str, threshold: int, *, digits: bool = False) -> str:
    """Return an expression for strings that are one typo from a word, or two from one of ``threshold`` letters.

    ``digits`` is whether a wrong letter may be a digit: ``am0.com`` for ``amd.com``. In the name of a resource a digit
    makes a different name, not a typo: ``gpu0``.
    """
    size = len(word)
    found = [] if size >= threshold else list(_one(word, "." if digits else "[^0-9]", digits=digits))
    if size + 2 >= threshold:
        found += _two(word, max(size - 2, threshold if size < threshold else 0), size + 2)
    return "|".join(dict.fromkeys(found))


def any_of(expressions: Iterable[str]) -> str:
    """Return the alternatives in a group."""
    return f"({'|'.join(expressions)})"


def _one(word: str, wrong: str, *, digits: bool) -> Iterator[str]:
    """Yield expressions for strings with a letter changed, inserted, missing, or swapped with the next one."""
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        yield f"{_quoted(before)}{wrong}?{_quoted(after)}"
        if after and (digits or not after[0].isdigit()):
            yield f"{_quoted(before)}{wrong}?{_quoted(after[1:])}"
        if len(after) > 1 and (digits or not (after[0].isdigit() and after[1].isdigit())) and after[0] != after[1]:
            yield _quoted(before + after[1] + after[0] + after[2:])


def _two(word: str, least: int, most: int) -> Iterator[str]:
    """Yield expressions for strings of so many letters that have a third of the word in its place."""
    third = len(word) // 3
    first, second, last = word[:third], word[third : 2 * third], word[2 * third :]
    swapped = [_swapped(first, second), _swapped(second, last), _swapped(_swapped(first, second), last)]
    for start in (first, swapped[0], swapped[2]):
        yield _quoted(start) + _between(least - len(start), most - len(start))
    for end in (last, swapped[1]):
        yield _between(least - len(end), most - len(end)) + _quoted(end)
    yield _around(first) + _quoted(second) + _around(last)


def _swapped(one: str, other: str) -> str:
    """Return two parts joined, with the adjacent letters swapped."""
    return one[:-1] + other[0] + one[-1] + other[1:]


def _around(part: str) -> str:
    return _between(len(part) - 2, len(part) + 2)


def _between(least: int, most: int) -> str:
    return f".{{{max(least, 0)},{max(most, 0)}}}"


def _quoted(text: str) -> str:
    return re.escape(text).replace("\\-", "-")


def taints(keys: Iterable[str]) -> str:
    """Return an expression for keys that are one typo from a taint, in its domain or in its name."""
    found = []
    for key in sorted(keys):
        domain, slash, name = key.partition("/")
        if slash and name:
            found.append(f"{_quoted(domain)}/(?i:{_slip(name, 1)})")  # the first letter is correct
            if len(domain) > 6:
                found.append(f"({_slip(domain)})/{_quoted(name)}")
    return f"^({'|'.join(found)})$"


def _slip(word: str, first: int = 0) -> str:
    """Return an expression for a letter inserted, missing, swapped, or in words of five letters and more changed.

    ``first`` is the index of the first letter that can be wrong.
    """
    found = []
    for place in range(first, len(word) + 1):
        before, after = word[:place], word[place:]
        found.append(f"{_quoted(before)}[A-Za-z]{_quoted(after)}")
        if after:
            found.append(_quoted(before + after[1:]))
            found += [f"{_quoted(before)}.{_quoted(after[1:])}"] * (len(word) > 4)
        if len(after) > 1:
            found.append(_quoted(before + after[1] + after[0] + after[2:]))
    return "|".join(dict.fromkeys(found))
