"""Keys of metadata, variables and paths that rules read, as CEL: exact ones by a set, patterns behind a cheap test.

A pattern costs the API server most by far, by its length and by that of the text. So a text is compared with a
pattern only where it begins as one of them does.
"""

from __future__ import annotations

from gpu_admission.rules import hostpaths, markers

from .alternatives import alternatives, quoted
from .literals import group, pattern, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

STAR = "*"
_LETTERS = 8  # are enough to tell most texts from those that matter
_FIRST = r"/*(\./+)*"  # the kubelet makes a relative path absolute
# A path that begins in another process' view of the node's root, however it is reached.
_ROOTS = r"((.*/)?proc/.*/(root|cwd)(/|$))?"
_UP = r"(^|/)\.\.(/|$)"


def keys(name: str, wanted: Collection[str]) -> list[str]:
    """Return conditions, one of which holds where ``name`` is one of these keys, in which ``*`` is any text."""
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


def begins(name: str, starts: Collection[str]) -> str:
    """Return a cheap condition that holds wherever ``name`` begins with one of these texts, and seldom else."""
    size = min(_LETTERS, *map(len, starts))
    cut = sorted({start[:size] for start in starts})
    if len(cut) == 1:
        return f"{name}.startsWith({text(cut[0])})"
    return f"{name}.size() >= {size} && {name}.substring(0, {size}) in {texts(cut)}"


def prefixes(words: Iterable[str]) -> list[str]:
    """Return every text, but the empty one, with which one of these words begins and does not end."""
    return sorted({word[:size] for word in words for size in range(1, len(word))})


def _parts(key: str) -> list[str]:
    return [".+" if part == STAR else "".join(quoted(part)) for part in key]


def path(name: str, wanted: Collection[str], folders: Collection[str] = ()) -> str:
    """Return the condition that a path is one of ``wanted``, or below, or one of ``folders``, in any spelling.

    ``..`` is left to the rules: whatever has one is let through (the API server takes none in a hostPath).
    """
    whole = [_FIRST + hostpaths.any_spelling(wanted)] * bool(wanted) + [hostpaths.folders(folders)] * bool(folders)
    expression = pattern(f"^{_ROOTS}({'|'.join(whole)})|{_UP}")
    spelt = sorted(way for each in folders for way in _ways(each))
    begun = [way for each in wanted for way in _ways(each)]
    tests = [
        *([begins(name, begun)] if begun else ()),
        *[f"{name} in {texts(spelt)}", f"{name}.endsWith('/')"] * bool(folders),
        f"{name}.contains('//')",
        f"{name}.contains('/.')",
        f"{name}.startsWith('/proc/')",
        f"{name}.contains({text(markers.DRIVER_WORD)})",
        f"!{name}.startsWith('/')",
    ]
    return f"({group(tests)} && {name}.matches({expression}))"


def _ways(folder: str) -> tuple[str, ...]:
    plain = folder.rstrip(STAR)
    return (plain, f"/var{plain}") if plain.startswith("/run") else (plain,)
