"""--add-ignore: a comment with the reason above each finding, an annotation in JSON, which has no comments."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict
from gpu_admission.manifests import reader
from gpu_admission.workloads import discovery
from gpu_admission.yamledit.edit import EditRefusedError, edit, identical

from .suppressions import ANNOTATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.manifests.reader import Document
    from gpu_admission.reports.report import LocatedFinding

    from .file_linter import FileContext, FileLinter, FileResult


class Silence:
    """The suppressions that are written into one input; ``refused`` and ``counts`` as of ``fixes.Repair``."""

    def __init__(self, linter: FileLinter, judged: FileContext, outcome: FileResult, data: bytes) -> None:
        self._linter = linter
        self._judged = judged
        self._findings = outcome.findings
        self._data = data
        self._name = judged.reading.name
        self.refused: list[tuple[int | None, str]] = []
        self.counts: dict[str, int] = {}

    def done(self) -> bytes:
        """Return the bytes with comments and annotations added; the objects are otherwise unchanged."""
        if not self._findings:
            return self._data
        documents = {document.index: document for document in self._judged.reading.documents}
        data = self._annotated(documents)
        commented = [f for f in self._findings if not documents[f.place.document].is_json]
        if commented:
            with_comments = self._commented(commented, data)
            if self._same_objects(data, with_comments):
                data = with_comments
            else:
                self.refused.append((None, "a comment would change the content of the file"))
                commented = []
        self._count(data)
        return data

    def _commented(self, findings: list[LocatedFinding], data: bytes) -> bytes:
        """Insert the comments from the last line to the first, so that line numbers remain valid."""
        by_line: dict[int, set[str]] = {}
        for located in findings:
            by_line.setdefault(located.place.line or 1, set()).add(located.finding.rule)
        lines = data.split(b"\n")
        for number in sorted(by_line, reverse=True):
            line = lines[number - 1]
            indentation = line[: len(line) - len(line.lstrip(b" \t"))].replace(b"\t", b" ")
            value = f"# gpu-lint: ignore[{', '.join(sorted(by_line[number]))}] - {self._linter.settings.reason}"
            end = b"\r" if line.endswith(b"\r") else b""
            lines.insert(number - 1, indentation + value.encode() + end)
        return b"\n".join(lines)

    def _same_objects(self, before: bytes, after: bytes) -> bool:
        old, new = reader.read(before, self._name), reader.read(after, self._name)
        return identical(
            {document.index: document.object for document in old.documents},
            {document.index: document.object for document in new.documents},
        )

    def _annotated(self, documents: dict[int, Document]) -> bytes:
        """Annotate the objects of JSON documents, which have no comments."""
        data = self._data
        by_object: dict[tuple[int, Pointer], set[str]] = {}
        for located in self._findings:
            document = documents[located.place.document]
            if document.is_json:
                place = (document.index, _object_of(document, located.finding.pointer))
                by_object.setdefault(place, set()).add(located.finding.rule)
        for (index, prefix), ids in by_object.items():
            document = next(d for d in reader.read(data, self._name).documents if d.index == index)
            try:
                data = edit(data, [(index, [self._annotation(document, prefix, ids)])], self._name)
            except EditRefusedError as refused:
                self.refused.append((refused.line, refused.reason))
        return data

    def _annotation(self, document: Document, prefix: Pointer, ids: set[str]) -> patch.Operation:
        path = (*prefix, "metadata", "annotations", ANNOTATION)
        obj = as_dict(pointers.resolve(document.object, prefix))
        there = as_dict(as_dict(obj.get("metadata")).get("annotations")).get(ANNOTATION)
        value = [there] if isinstance(there, str) else []
        value += [f"{rule} - {self._linter.settings.reason}" for rule in sorted(ids)]
        return patch.add("", document.object, path, ", ".join(value))

    def _count(self, data: bytes) -> None:
        from .file_linter import FileContext, FileResult, counted  # noqa: PLC0415 - an import cycle otherwise

        outcome = FileResult(self._name)
        judged = FileContext(self._linter, self._judged.source, reader.read(data, self._name))
        for document in judged.reading.documents:
            judged.document(document, outcome)
        remaining = counted(outcome.findings)
        counts = counted(self._findings)
        self.counts = {
            rule: count - remaining.get(rule, 0) for rule, count in counts.items() if count > remaining.get(rule, 0)
        }


def _object_of(document: Document, pointer: Pointer) -> Pointer:
    """Return the pointer of the innermost object that contains a finding."""
    places = [place for place, _ in discovery.objects(document.object) if pointers.starts_with(pointer, place)]
    return max(places, key=len, default=())
