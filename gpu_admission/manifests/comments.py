"""Suppression comments of the linter: `# gpu-lint: ignore[GPU201, GPU3] runs on untainted nodes`."""

from __future__ import annotations

import re
from bisect import bisect_right

from .yaml_nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .text import Text
    from .yaml_nodes import YamlNode

# The beginning of a comment for the linter; without the colon, only if a verb follows.
_COMMENT = re.compile(
    r"(?:^|(?<=[ \t]))#[ \t]*"  # YAML requires a space before the #
    r"(?P<name>gpu-?lint[ \t]*(?::|(?=[ \t](?:ign|disable|noqa|skip))))"
    r"(?P<rest>[^\r\n]*)",
    re.MULTILINE | re.IGNORECASE,
)
_IGNORE = re.compile(r"[ \t]*ignore[ \t]*\[(?P<rules>[^\]]*)\](?P<reason>.*)")
_RULE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_DASHES = " \t:-\N{EN DASH}\N{EM DASH}"
HELP = "write `# gpu-lint: ignore[GPU201] the reason`"


class Comment:
    """A `# gpu-lint:` comment on a `line`, and the line that it `applies_to`: the same, or the one below.

    Lines and columns count from 1. `rules` are IDs, names or prefixes as written. `malformed` is the error of an
    invalid comment, which suppresses nothing.
    """

    __slots__ = ("applies_to", "column", "line", "malformed", "reason", "rules")

    def __init__(self, line: int, column: int, applies_to: int) -> None:
        self.line = line
        self.column = column
        self.applies_to = applies_to
        self.rules: tuple[str, ...] = ()
        self.reason = ""
        self.malformed: str | None = None

    def __repr__(self) -> str:
        meaning = self.malformed or f"{self.rules}: {self.reason!r}"
        return f"<comment on line {self.line} for {self.applies_to}: {meaning}>"


def find(text: Text, roots: Callable[[], Iterable[YamlNode]]) -> tuple[Comment, ...]:
    """Return the comments for the linter, without look-alikes inside scalars of these trees."""
    matches = list(_COMMENT.finditer(text.text)) if "lint" in text.text.casefold() else []
    if not matches:
        return ()
    spans = sorted(span for root in roots() for span in quoted_spans(root, text.text))
    starts = [start for start, _ in spans]
    comments = []
    for match in matches:
        before = bisect_right(starts, match.start()) - 1
        if before < 0 or match.start() >= spans[before][1]:
            comments.append(_comment(text, match))
    return tuple(comments)


def quoted_spans(node: YamlNode, text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans in which a # begins no comment: quoted scalars, and block scalars from their second line on."""
    if isinstance(node, Scalar):
        if node.style in {"|", ">"}:
            yield text.find("\n", node.start, node.end), node.end
        elif node.style:
            yield node.start, node.end
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from quoted_spans(item, text)
    elif isinstance(node, Mapping):
        for pair in node.pairs:
            yield from quoted_spans(pair.key, text)
            yield from quoted_spans(pair.value, text)


def _comment(text: Text, match: re.Match[str]) -> Comment:
    line, column = text.place(match.start())
    alone = not text.line(line)[: column - 1].strip(" \t")
    comment = Comment(line, column, _next_line(text, line) if alone else line)
    ignore = _IGNORE.fullmatch(match["rest"])
    if match["name"] != "gpu-lint:" or not ignore:
        comment.malformed = f"is not valid: {HELP}"
        return comment
    comment.rules = tuple(rule.strip() for rule in ignore["rules"].split(",") if rule.strip())
    comment.reason = ignore["reason"].strip(_DASHES)
    wrong = [rule for rule in comment.rules if not _RULE.fullmatch(rule)]
    if wrong:
        comment.malformed = f"names {wrong[0]!r}, which is not a rule: {HELP}"
    elif not comment.rules:
        comment.malformed = f"names no rule: {HELP}"
    return comment


def _next_line(text: Text, line: int) -> int:
    """Return the next line without a comment: consecutive comments apply to the same line."""
    following = line + 1
    while text.line(following).lstrip(" \t").startswith("#"):
        following += 1
    return following
