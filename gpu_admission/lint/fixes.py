"""--fix, --diff and --add-ignore: new bytes for an input, written only where they differ."""

from __future__ import annotations

import copy

from gpu_admission.engine.engine import Engine
from gpu_admission.manifests import reader
from gpu_admission.reports.report import Diagnostic, Location
from gpu_admission.safe_files import write_atomically
from gpu_admission.yamledit.edit import EditRefusedError, edit

from .write import unified_diff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.engine.rule import Rule
    from gpu_admission.manifests.reader import Document
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

    from .add_ignore import Silence
    from .file_linter import FileContext, FileLinter, FileResult
    from .inputs import Input

    Wanted = Callable[[Rule, Problem], bool]

_MOST_SINGLE = 200  # repairs tried one by one in a document where they cannot be made together


def handle(judge: FileLinter, source: Input, data: bytes) -> FileResult:
    """Repair an input, or ignore its findings, and return the result."""
    outcome, judged = judge.judge(source, data)
    work = _work(judge, judged, outcome, data)
    new = work.done()
    if judge.settings.mode == "diff":
        outcome.diff = _relative(unified_diff(data, new, source.relative)).decode("utf-8", "surrogateescape")
    elif new != data:
        error = _write(source, new, data)
        if error is not None:
            outcome.errors.append(error)
            return outcome
        outcome, _ = judge.judge(source, new)
    if new != data:
        outcome.repaired = work.counts
    if source.path is None and judge.settings.mode != "diff":
        outcome.content = new
    outcome.notices += [
        Diagnostic(Location(source.name, source.relative, line=line, column=1), f"not changed: {value}")
        for line, value in work.refused
    ]
    return outcome


def _work(judge: FileLinter, judged: FileContext, outcome: FileResult, data: bytes) -> Repair | Silence:
    if judge.settings.mode == "silence":
        from . import add_ignore  # noqa: PLC0415 - start-up time: needed only for --add-ignore

        return add_ignore.Silence(judge, judged, outcome, data)
    return Repair(judge, judged, data)


def _write(source: Input, new: bytes, data: bytes) -> Diagnostic | None:
    """Write a file that still contains ``data``; return the error where that fails."""
    if source.path is not None:
        try:
            write_atomically(source.path, new, data)
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}"
            return Diagnostic(Location(source.name, source.relative), message)
    return None


class Repair:
    """The fixes of the findings that are reported for one input, and of no others.

    ``refused`` are lines and reasons, ``counts`` the number of repairs by rule.
    """

    def __init__(self, judge: FileLinter, judged: FileContext, data: bytes) -> None:
        self._engine = judge.engine
        self._settings = judge.settings
        self._judged = judged
        self._data = data
        self._name = judged.reading.name
        self.refused: list[tuple[int | None, str]] = []
        self.counts: dict[str, int] = {}

    def done(self) -> bytes:
        """Return the repaired bytes; what cannot be edited is not changed and added to ``refused``."""
        changes = []
        for document in self._judged.reading.documents:
            engine = self._only(self._is_wanted_in(document))
            mutation = engine.mutate(document.object, unsafe=self._settings.unsafe, consent=self._settings.consent)
            if mutation.patch:
                changes.append((document.index, list(mutation.patch)))
        if not changes:
            return self._data
        try:
            new = edit(self._data, changes, self._name)
        except EditRefusedError:
            new = self._data
            for index, _ in changes:
                new = self._document(new, index)
        self._count(new)
        return new

    def _is_wanted_in(self, document: Document) -> Wanted:
        """Return a predicate: whether a problem of a document is reported, and not ignored in it."""
        kept = self._judged.kept.get(document.index, set())
        settings = self._settings

        def is_wanted(rule: Rule, problem: Problem) -> bool:
            action = settings.policy.action(rule, problem.severity or rule.severity)
            return settings.reports_at(rule.id, action) and (rule.id, problem.pointer) not in kept

        return is_wanted

    def _only(self, wanted: Wanted) -> Engine:
        """Return an engine without the problems that are not wanted."""
        chosen = [_filtered(rule, wanted) for rule in self._engine.rules]
        return Engine(chosen, self._engine.policy, self._engine.claim_index)

    def _document(self, data: bytes, index: int) -> bytes:
        """Repair one document; where that fails, finding by finding from its end, so that places do not move."""
        document = _document_of(data, self._name, index)
        is_wanted = self._is_wanted_in(document)
        mutation = self._only(is_wanted).mutate(
            document.object, unsafe=self._settings.unsafe, consent=self._settings.consent
        )
        try:
            return edit(data, [(index, list(mutation.patch))], self._name)
        except EditRefusedError:
            pass
        findings = [finding for finding in self._only(is_wanted).validate(document.object) if finding.fix]
        for finding in list(reversed(findings))[:_MOST_SINGLE]:
            try:
                data = self._single(data, index, finding.rule, finding.pointer)
            except EditRefusedError as refused:
                self.refused.append((refused.line, f"{finding.rule}: {refused.reason}"))
        return data

    def _single(self, data: bytes, index: int, rule: str, pointer: Pointer) -> bytes:
        """Repair one finding. Raises EditRefusedError."""
        document = _document_of(data, self._name, index)
        mutation = self._only(lambda of, problem: (of.id, problem.pointer) == (rule, pointer)).mutate(
            document.object, unsafe=self._settings.unsafe, consent=self._settings.consent
        )
        return edit(data, [(index, list(mutation.patch))], self._name) if mutation.patch else data

    def _count(self, new: bytes) -> None:
        """Count the repairs: the findings with a fix that are no longer reported."""
        before, after = self._fixable(self._data), self._fixable(new)
        repaired = {rule: count - after.get(rule, 0) for rule, count in before.items()}
        self.counts = {rule: count for rule, count in repaired.items() if count > 0}

    def _fixable(self, data: bytes) -> dict[str, int]:
        counts: dict[str, int] = {}
        for document in reader.read(data, self._name).documents:
            for finding in self._engine.validate(document.object):
                if finding.fix is not None and self._settings.reports(finding):
                    counts[finding.rule] = counts.get(finding.rule, 0) + 1
        return counts


def _relative(patch: bytes) -> bytes:
    """Return a patch without git's first line, which would make its paths relative to the root of the repository."""
    return patch.partition(b"\n")[2] if patch.startswith(b"diff --git ") else patch


def _document_of(data: bytes, name: str, index: int) -> Document:
    return next(document for document in reader.read(data, name).documents if document.index == index)


def _filtered(rule: Rule, wanted: Wanted) -> Rule:
    """Return a rule that reports only the problems that are wanted."""

    def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
        return (problem for problem in rule.check(workload, policy) if wanted(rule, problem))

    made = copy.copy(rule)
    made.check = check
    return made
