"""Findings that an author has suppressed, by a comment at the line or by an annotation of the object."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpu_admission.core.finding import Finding
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.engine.rule import Rule
    from gpu_admission.manifests.reader import Document, Reading
    from gpu_admission.policy.model import Policy

ANNOTATION = "gpu-admission.io/ignore"
_MARK = ANNOTATION.partition("/")[0].encode()


class Suppression:
    """One rule in a comment or an annotation, at ``line`` and ``column``.

    An annotation suppresses findings below ``prefix`` of its document.
    """

    __slots__ = ("column", "ids", "line", "prefix", "reason", "used", "word")

    def __init__(self, word: str, ids: frozenset[str], reason: str, *, line: int, column: int) -> None:
        self.word = word
        self.ids = ids
        self.reason = reason
        self.line = line
        self.column = column
        self.prefix: Pointer = ()
        self.used = False

    def suppresses(self, finding: Finding) -> bool:
        """Return whether this applies to a finding of its line or document."""
        return finding.rule in self.ids and pointers.starts_with(finding.pointer, self.prefix)


class Suppressions:
    """All suppressions of one file. ``notices`` are (line, column, text) of those that are not valid."""

    def __init__(self, reading: Reading, policy: Policy, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.all: list[Suppression] = []
        # By the line of a comment, and by the document of an annotation.
        self._by_line: dict[int, list[Suppression]] = {}
        self._by_document: dict[int, list[Suppression]] = {}
        self.notices: list[tuple[int, int, str]] = []
        # Start-up time: few files contain suppressions, and the code for comments takes a millisecond to load.
        if reading.text is not None and b"lint" in reading.text.data.lower():
            self._comments(reading)
        if reading.text is not None and _MARK in reading.text.data:
            for document in reading.documents:
                self._annotations(document, policy)

    def reason(self, finding: Finding, document: int, line: int) -> str | None:
        """Return the reason of a suppressed finding (may be empty), or None where it is not suppressed."""
        value = None
        for suppression in (*self._by_line.get(line, ()), *self._by_document.get(document, ())):
            if suppression.suppresses(finding):
                suppression.used = True
                value = suppression.reason if value is None else value
        return value

    def problems(self, is_enabled: frozenset[str]) -> Iterator[tuple[int, int, str]]:
        """Yield the notices, and one for each suppression of an enabled rule that matches nothing."""
        yield from self.notices
        for suppression in self.all:
            if not suppression.used and suppression.ids & is_enabled:
                yield suppression.line, suppression.column, f"the suppression of {suppression.word} matches nothing"

    def _comments(self, reading: Reading) -> None:
        for comment in reading.comments:
            if comment.malformed:
                self.notices.append((comment.line, comment.column, f"the comment {comment.malformed}"))
                continue
            for word in comment.rules:
                made = self._add(word, comment.reason, comment.line, comment.column)
                if made is not None:
                    self._by_line.setdefault(comment.applies_to, []).append(made)

    def _annotations(self, document: Document, policy: Policy) -> None:
        from .ignore_annotations import carriers, entries  # noqa: PLC0415 - start-up time: few files have any

        for prefix, key, value in carriers(document.object, policy, ANNOTATION):
            place = document.position((*prefix, "metadata", "annotations", key))
            if key != ANNOTATION:
                from gpu_admission.core.typos import suggestion  # noqa: PLC0415 - only for a mistake

                self.notices.append((place.line, place.column, f"silences nothing{suggestion(ANNOTATION)}"))
                continue
            if not isinstance(value, str):
                self.notices.append((place.line, place.column, f"the annotation {ANNOTATION} is not a string"))
                continue
            for word, reason in entries(value, self._rules):
                made = self._add(word, reason, place.line, place.column)
                if made is not None:
                    made.prefix = prefix
                    self._by_document.setdefault(document.index, []).append(made)

    def _add(self, word: str, reason: str, line: int, column: int) -> Suppression | None:
        from .rule_selection import meant, near  # noqa: PLC0415 - start-up time: few files have suppressions

        ids = meant(word, self._rules)
        if not ids:
            self.notices.append(
                (line, column, f"the suppression names an unknown rule: {word!r}{near(word, self._rules)}")
            )
            return None
        made = Suppression(word, ids, reason, line=line, column=column)
        self.all.append(made)
        return made
