"""What a run found, as every format shows it: findings with their places, and what could not be judged."""

from __future__ import annotations

from gpu_admission.core.finding import SEVERITIES
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gpu_admission.core.finding import Finding
    from gpu_admission.engine.rule import Rule

RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class Location:
    """A place in an input.

    ``file`` is the name to display: the input as it was named, or the file it was rendered from according to the
    input (then ``rendered_in`` names the input). ``path`` is the file that a code host should mark,
    relative to the working directory; it may contain surrogate escapes. ``line`` and ``column`` start at 1 and
    count code points of the input, ``end_column`` is exclusive; they are None for a whole file. ``anchored`` is
    whether the line is a line of ``path`` (a template has other lines than what was rendered from it).
    ``text`` is the line itself, or of a very long one the part that begins at ``text_column``.
    """

    __slots__ = (
        "anchored",
        "column",
        "document",
        "end_column",
        "file",
        "line",
        "path",
        "rendered_in",
        "text",
        "text_column",
    )

    def __init__(
        self,
        file: str,
        path: str | None = None,
        *,
        document: int = 0,
        line: int | None = None,
        column: int | None = None,
        end_column: int | None = None,
        text: str = "",
        rendered_in: str | None = None,
        anchored: bool = True,
    ) -> None:
        self.file = file
        self.path = file if path is None else path
        self.document = document
        self.line = line
        self.column = column
        self.end_column = end_column
        self.text = text
        self.text_column = 1
        self.rendered_in = rendered_in
        self.anchored = anchored

    @property
    def path_bytes(self) -> bytes:
        """The path in the file system's encoding; characters that it cannot have (from an annotation) are replaced."""
        try:
            return self.path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return self.path.encode("utf-8", "replace")

    @property
    def region(self) -> tuple[int, int, int]:
        """Line, column and end column as a code host marks them; the file's first character where it has none."""
        if not self.anchored or self.line is None:
            return (1, 1, 2)
        column = self.column or 1
        return (self.line, column, max(self.end_column or 0, column + 1))

    def sort_key(self) -> tuple[str, int, int, int]:
        """Order by file, document, line and column."""
        return (self.file, self.document, self.line or 0, self.column or 0)


@record(frozen=False)
class LocatedFinding:
    """A finding and its place; ``suppressed`` is the author's reason where a suppression hides it."""

    finding: Finding
    place: Location
    suppressed: str | None = None

    def sort_key(self) -> tuple[Any, ...]:
        """Order by place, then by the finding itself."""
        return (*self.place.sort_key(), self.finding.rule, self.finding.sort_key())


@record
class Diagnostic:
    """A message about an input that is not a finding: why it could not be read, or a notice.

    ``reason`` is a constant for scripts where an input was skipped (``template``).
    """

    place: Location
    message: str
    reason: str = ""

    def sort_key(self) -> tuple[Any, ...]:
        """Order by place, then by message."""
        return (*self.place.sort_key(), self.message)


class Report:
    """All results of a run. ``findings`` count; ``suppressed`` are those that the author suppressed.

    ``errors`` are the inputs, or parts of them, that could not be read; ``skipped`` those that were left out
    with a reason; ``notices`` are other messages. ``hidden`` counts findings below the requested severity,
    ``files`` lists every input by name.
    """

    __slots__ = (
        "documents", "errors", "files", "findings", "hidden", "notices", "objects", "policy", "rules", "skipped",
        "suppressed", "tool", "version",
    )  # fmt: skip

    def __init__(self, *, policy: str, version: str, rules: Sequence[Rule], tool: str = "gpu-lint") -> None:
        self.tool = tool
        self.policy = policy
        self.version = version
        self.rules = rules
        self.findings: list[LocatedFinding] = []
        self.suppressed: list[LocatedFinding] = []
        self.errors: list[Diagnostic] = []
        self.skipped: list[Diagnostic] = []
        self.notices: list[Diagnostic] = []
        self.files: list[str] = []
        self.documents = 0
        self.objects = 0
        self.hidden = 0

    def sort(self) -> None:
        """Sort everything into the order of the report."""
        for located in (self.findings, self.suppressed):
            located.sort(key=LocatedFinding.sort_key)
        for diagnostics in (self.errors, self.skipped, self.notices):
            diagnostics.sort(key=Diagnostic.sort_key)
        self.files.sort()

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity, without those that admission repairs."""
        return sum(1 for f in self.findings if f.finding.severity == severity and not f.finding.repaired)

    @property
    def repaired(self) -> int:
        """The number of findings that admission would repair."""
        return sum(1 for f in self.findings if f.finding.repaired)

    def summary(self) -> dict[str, int]:
        """Return the counts as the JSON report names them."""
        return {
            "files": len(self.files),
            "documents": self.documents,
            "objects": self.objects,
            **{severity: self.count(severity) for severity in SEVERITIES},
            "repaired": self.repaired,
        }


def by_severity(findings: Iterable[LocatedFinding]) -> list[LocatedFinding]:
    """Return the findings by severity, the highest first, and what admission repairs last."""
    return sorted(findings, key=lambda f: (f.finding.repaired, RANK[f.finding.severity], f.sort_key()))


def sentences(finding: Finding) -> str:
    """Return message and advice as two sentences."""
    advice = finding.advice
    if advice.split(" ")[0].isalpha():  # a resource's name keeps its case
        advice = advice[:1].upper() + advice[1:]
    return f"{finding.message}. {advice}."
