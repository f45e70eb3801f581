"""Edit distance between words, and suggestions for misspelt names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 64  # no known word is longer, and input is untrusted
_FEW = 16  # words that fit in a message
_ALIKE = str.maketrans("oli", "011", "-_")  # look-alike letters, and separators, which are often omitted


def distance(one: str, other: str, most: int) -> int:
    """Return how many letters must be changed, inserted, deleted or swapped with the next (``gup``, ``gpu``).

    It is the optimal string alignment distance; any result above ``most`` is ``most + 1``.
    """
    if one == other:
        return 0
    if abs(len(one) - len(other)) > most or max(len(one), len(other)) > _LONGEST:
        return most + 1
    if len(set(one) ^ set(other)) > 2 * most:  # one change adds a letter and takes another away
        return most + 1
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, its in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, above = above, row
    return min(above[-1], most + 1)


def meant(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a misspelt word most likely means, in any case; None where none is near.

    It is the one that looks alike (``GPUOO1``, ``spot_reads``), else the one with the smallest distance, else the one
    that has the most in common with it.
    """
    known = {valid.lower(): valid for valid in candidates}
    folded = word.lower()
    alike = folded.translate(_ALIKE)
    for valid, its in known.items():
        if valid.translate(_ALIKE) == alike:
            return its
    close = nearest(folded, known, max(1, len(folded) // 3))
    if close is None:
        import difflib  # noqa: PLC0415 - start-up time: needed only where no word is near

        close = next(iter(difflib.get_close_matches(folded, list(known), n=1, cutoff=0.6)), None)
    return None if close is None else known[close]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return the clause that ends a message about an unknown word: the nearest valid word, or all if they are few.

    It begins with a semicolon, and is empty where there is nothing to suggest.
    """
    known = list(candidates)
    close = meant(word, known)
    if close is not None:
        return suggestion(close)
    return f"; choose from: {', '.join(known)}" if 0 < len(known) <= _FEW else ""


def suggestion(valid: str) -> str:
    """Return the clause that suggests a valid word."""
    return f"; did you mean {valid!r}?"


def nearest(word: str, candidates: Iterable[str], most: int) -> str | None:
    """Return the nearest word within ``most`` changes, the first of equals; None where all are farther."""
    best: tuple[int, str] | None = None
    for candidate in candidates:
        far = distance(word, candidate, most)
        if far <= most and (best is None or far < best[0]):
            best = (far, candidate)
    return None if best is None else best[1]
