"""Comments of removed lines, put back at their replacements, so that an edit loses none.

A comment belongs to the pair or item on its line, or else to the next one below. Where an edit moved that pair (the
same key with the same value is elsewhere now) its comments move along; where it only removed the pair they stay as
separate lines. Suppression comments of a copied pair are copied too: the findings are at both.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter

from gpu_admission.core import pointer as pointers
from gpu_admission.core.record import record
from gpu_admission.manifests import comments, reader
from gpu_admission.manifests.yaml_nodes import Mapping, Sequence

from .source_text import SourceText

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.manifests.yaml_nodes import YamlNode

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\r\n]*", re.MULTILINE)
_FOR_US = re.compile(r"#[ \t]*gpu-lint:")


@record
class KeptComment:
    """A comment: its text, its owner, and whether it follows the owner on the same line."""

    text: str
    owner: Pointer
    start: int
    is_tail: bool


class CommentedText:
    """The text of one YAML document, with the positions of its pairs and items and their comments."""

    def __init__(self, text: str) -> None:
        self.text = text
        document = reader.read(text.encode(errors="surrogatepass"), is_json=False).documents[0]
        self.value: Any = document.object
        self.source = SourceText(text)
        self.spots: dict[Pointer, tuple[YamlNode, YamlNode]] = dict(_spots(document.root, ()))
        self.root = document.root
        self.comments = list(self._comments())

    def _comments(self) -> Iterator[KeptComment]:
        spans = sorted(comments.quoted_spans(self.root, self.text))
        opened = [start for start, _ in spans]
        starts = sorted((self.source.line_start(key.start), key.start, path) for path, (key, _) in self.spots.items())
        at = 0
        for match in _COMMENT.finditer(self.text):
            inside = bisect_right(opened, match.start()) - 1
            if inside >= 0 and match.start() < spans[inside][1]:
                continue
            line = self.source.line_start(match.start())
            is_tail = bool(self.text[line : match.start()].strip())
            while at < len(starts) and (starts[at][0] < line or (is_tail and starts[at][1] < match.start())):
                at += 1
            if is_tail and at:
                yield KeptComment(match[0].rstrip(), starts[at - 1][2], match.start(), is_tail=True)
            else:
                owner = starts[at][2] if at < len(starts) else ()
                yield KeptComment(match[0].rstrip(), owner, match.start(), is_tail=False)


def keep(before: str, after: str) -> str:
    """Return the text of an edited document with the comments that the edit removed; the object stays the same."""
    if "#" not in before:
        return after
    old, new = CommentedText(before), CommentedText(after)
    lost = Counter(each.text for each in old.comments)
    lost.subtract(each.text for each in new.comments)
    added = [path for path in new.spots if path not in old.spots]
    changes: list[tuple[int, int, str]] = []
    remaining = {comment.text: comment for comment in new.comments if not comment.is_tail}
    for comment in old.comments:
        gone = comment.owner not in new.spots
        if not (gone or lost[comment.text] > 0 or _FOR_US.match(comment.text)):
            continue
        target = _moved_to(comment.owner, old, new, added)
        if lost[comment.text] > 0:
            lost[comment.text] -= 1
        elif target is None:
            continue
        elif gone and comment.text in remaining:  # it is still where the pair was
            start = new.source.line_start(remaining.pop(comment.text).start)
            changes.append((start, new.text.find("\n", start) + 1 or len(new.text), ""))
        elif not _FOR_US.match(comment.text):
            continue
        place, comment_text = _placed(comment, target, old, new)
        changes.append((place, place, comment_text))
    return _changed(after, changes)


def _spots(node: YamlNode, path: Pointer) -> Iterator[tuple[Pointer, tuple[YamlNode, YamlNode]]]:
    """Yield the pairs (by key and value) and the items of a document."""
    if isinstance(node, Mapping):
        for pair in node.pairs:
            place = (*path, str(getattr(pair.key, "value", "")))
            yield place, (pair.key, pair.value)
            yield from _spots(pair.value, place)
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield (*path, index), (item, item)
            yield from _spots(item, (*path, index))


def _moved_to(owner: Pointer, old: CommentedText, new: CommentedText, added: list[Pointer]) -> Pointer | None:
    """Return the new place of a moved pair: the nearest one with the same key and value."""
    if not owner or isinstance(owner[-1], int):
        return None
    value = pointers.resolve(old.value, owner)
    same = [path for path in added if path[-1] == owner[-1] and pointers.resolve(new.value, path) == value]
    return max(same, key=lambda path: _common(path, owner), default=None)


def _common(one: Pointer, other: Pointer) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _placed(comment: KeptComment, target: Pointer | None, old: CommentedText, new: CommentedText) -> tuple[int, str]:
    """Return the place of a comment in the new text, and the text to insert there."""
    if target is not None:
        key, value = new.spots[target]
        end = new.source.line_end(max(key.end, value.start))
        if comment.is_tail and "#" not in new.text[key.end : end]:
            return end, f"  {comment.text}"
        return _line_above(key, comment.text, new)
    return _where_it_stood(comment, old, new)


def _where_it_stood(comment: KeptComment, old: CommentedText, new: CommentedText) -> tuple[int, str]:
    """Return the place of a comment whose owner was removed: below what was before it, or above what follows."""
    owner = comment.owner
    if not owner:
        return len(new.text), f"{comment.text}\n"
    if owner in new.spots:
        return _line_above(new.spots[owner][0], comment.text, new)
    siblings = [path for path in old.spots if path[:-1] == owner[:-1]]
    for path in reversed(siblings[: siblings.index(owner)]):
        if path in new.spots:
            key, value = new.spots[path]
            end = new.source.line_end(max(new.source.content_end(value), key.end))
            return end, f"\n{' ' * new.source.column(key.start)}{comment.text}"
    following = [path for path in siblings[siblings.index(owner) + 1 :] if path in new.spots]
    if following:
        return _line_above(new.spots[following[0]][0], comment.text, new)
    around = owner[:-1]
    while around and around not in new.spots:
        return _where_it_stood(KeptComment(comment.text, around, comment.start, is_tail=False), old, new)
    return _line_above(new.spots[around][0], comment.text, new) if around else (0, f"{comment.text}\n")


def _line_above(key: YamlNode, text: str, new: CommentedText) -> tuple[int, str]:
    start = new.source.line_start(key.start)
    line = new.text[start : new.source.line_end(start)]
    return start, f"{line[: len(line) - len(line.lstrip(' '))]}{text}\n"


def _changed(text: str, changes: list[tuple[int, int, str]]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    parts, at = [], 0
    for start, end, comment_text in sorted(changes, key=lambda each: each[:2]):
        parts += [text[at:start], comment_text.replace("\n", newline)]
        at = max(at, end)
    return "".join([*parts, text[at:]])
