"""Findings that an author has silenced, by a comment at the line or by an annotation of the object."""

from __future__ import annotations

import re

from gpu_admission.core import discovery, workload
from gpu_admission.core import pointer as pointers
from gpu_admission.core.shape import mapping

from .selection import meant, near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpu_admission.core.finding import Finding
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.rule import Rule
    from gpu_admission.files.reader import Document, Reading

ANNOTATION = "gpu-admission.io/ignore"
_MARK = ANNOTATION.encode()
# A rule, then whatever separates it from the reason: a dash, a colon, or just a space.
_ENTRY = re.compile(r"\s*(?P<word>[A-Za-z][\w-]*)(?P<rest>$|[\s:\N{EN DASH}\N{EM DASH}-].*)", re.DOTALL)
_SEPARATORS = " \t\r\n:-\N{EN DASH}\N{EM DASH}"


class Suppression:
    """One rule word of a comment or an annotation.

    A comment silences a ``line``; an annotation what stands in ``prefix`` of the document ``document``.
    """

    __slots__ = ("column", "document", "ids", "line", "prefix", "reason", "target", "used", "word")

    def __init__(self, word: str, ids: frozenset[str], reason: str, *, line: int, column: int) -> None:
        self.word = word
        self.ids = ids
        self.reason = reason
        self.line = line
        self.column = column
        self.target: int | None = None
        self.document: int | None = None
        self.prefix: Pointer = ()
        self.used = False

    def silences(self, finding: Finding, document: int, line: int) -> bool:
        """Tell whether this is meant for a finding."""
        if finding.rule not in self.ids:
            return False
        if self.target is not None:
            return line == self.target
        return self.document == document and pointers.starts_with(finding.pointer, self.prefix)


class Suppressions:
    """All suppressions of one file. ``notices`` are (line, column, text) of those that cannot be understood."""

    def __init__(self, reading: Reading, policy: Policy, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.all: list[Suppression] = []
        self.notices: list[tuple[int, int, str]] = []
        self._comments(reading)
        if reading.text is not None and _MARK in reading.text.data:
            for document in reading.documents:
                self._annotations(document, policy)

    def reason(self, finding: Finding, document: int, line: int) -> str | None:
        """Return the reason for which a finding is silenced (maybe the empty text), or None where it is not."""
        said = None
        for suppression in self.all:
            if suppression.silences(finding, document, line):
                suppression.used = True
                said = suppression.reason if said is None else said
        return said

    def unused(self, in_force: frozenset[str]) -> Iterator[tuple[int, int, str]]:
        """Yield a notice for each suppression that silences nothing, though one of its rules is in force."""
        for suppression in self.all:
            if not suppression.used and suppression.ids & in_force:
                yield suppression.line, suppression.column, f"the suppression of {suppression.word} matches nothing"

    def _comments(self, reading: Reading) -> None:
        for comment in reading.comments:
            if comment.malformed:
                self.notices.append((comment.line, comment.column, f"the comment {comment.malformed}"))
                continue
            for word in comment.rules:
                made = self._add(word, comment.reason, comment.line, comment.column)
                if made is not None:
                    made.target = comment.applies_to

    def _annotations(self, document: Document, policy: Policy) -> None:
        for prefix, said in _carriers(document.object, policy):
            place = document.position((*prefix, "metadata", "annotations", ANNOTATION))
            if not isinstance(said, str):
                self.notices.append((place.line, place.column, f"the annotation {ANNOTATION} is no text"))
                continue
            for word, reason in entries(said, self._rules):
                made = self._add(word, reason, place.line, place.column)
                if made is not None:
                    made.document, made.prefix = document.index, prefix

    def _add(self, word: str, reason: str, line: int, column: int) -> Suppression | None:
        ids = meant(word, self._rules)
        if not ids:
            self.notices.append((line, column, f"the suppression names no rule: {word!r}{near(word, self._rules)}"))
            return None
        made = Suppression(word, ids, reason, line=line, column=column)
        self.all.append(made)
        return made


def _carriers(document: Any, policy: Policy) -> Iterator[tuple[Pointer, Any]]:
    """Yield where the annotation stands: the pointer of the object or the pod template, and what it says."""
    places = {pointer: None for pointer, _ in discovery.objects(document)}
    for found in workload.read(document, policy):
        places.update({pod.holder: None for pod in found.pods if pod.holder is not None})
    for place in places:
        metadata = mapping(mapping(pointers.resolve(document, place)).get("metadata"))
        annotations = mapping(metadata.get("annotations"))
        if ANNOTATION in annotations:
            yield place, annotations[ANNOTATION]


def entries(said: str, rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """Return the rules and reasons of an annotation: ``GPU201 - untainted, spot nodes, GPU003``.

    A part after a comma that begins with no rule belongs to the reason before it.
    """
    found: list[tuple[str, str]] = []
    for part in said.split(","):
        match = _ENTRY.fullmatch(part)
        if match and (not found or _is_rule(match["word"], match["rest"], rules)):
            found.append((match["word"], match["rest"].strip(_SEPARATORS)))
        elif found:
            word, reason = found[-1]
            found[-1] = (word, f"{reason},{part}".strip(_SEPARATORS))
        elif part.strip():
            found.append((part.strip(), ""))
    return found


def _is_rule(word: str, rest: str, rules: Sequence[Rule]) -> bool:
    """Tell whether a word is meant as a rule, be it misspelt: in a reason, plain words follow one another."""
    return bool(meant(word, rules)) or word[:3].upper() == "GPU" or ("-" in word and not rest.strip())
