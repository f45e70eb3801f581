"""Judges one input by the rules: from bytes to located findings."""

from __future__ import annotations

from gpu_admission import rules
from gpu_admission.core.raw import escape
from gpu_admission.engine.engine import Engine
from gpu_admission.manifests import reader
from gpu_admission.manifests.text import MAX_BYTES
from gpu_admission.policy.model import level
from gpu_admission.reports.report import RANK, Diagnostic, LocatedFinding, Location
from gpu_admission.rules import stems
from gpu_admission.workloads import structure
from gpu_admission.workloads.claim_index import EXTENDED_NAME

from . import run_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpu_admission.core.finding import Action, Finding, ObjectRef
    from gpu_admission.manifests.reader import Document, Reading
    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.relevance import Relevance
    from gpu_admission.workloads.workload import Workload

    from .baseline import Baseline
    from .globs import Patterns
    from .inputs import Input
    from .suppressions import Suppressions

TEMPLATE = "is a Go template and not YAML until it is rendered: try helm template CHART | gpu-lint -"
_WIDEST = 2000  # characters that a finding keeps of its line: a manifest may be one line of many megabytes
_BEFORE = 200
# A file without either has no suppression: "gpu-lint: ignore" in a comment, "gpu-admission.io/ignore" as annotation.
_SUPPRESSION_MARKS = (b"lint", b"gpu-admission")
_NOT_FOR_INSTALLERS = frozenset("23")  # ranges of rules, placement and isolation: see peers


class LintOptions:
    """The settings for every input: the policy, what is reported, and what is repaired.

    ``lowest`` is the rank of the lowest severity that is reported; ``always`` are rules reported at any.
    ``mode`` is ``judge``, ``fix``, ``diff`` or ``silence``.
    """

    __slots__ = (
        "always", "as_admitted", "baseline", "by_path", "class_resources", "consent", "folder", "inputs", "lowest",
        "mode", "parse_all", "policy", "reason", "unsafe",
    )  # fmt: skip

    def __init__(self, policy: Policy, *, lowest: int = RANK["info"], always: frozenset[str] = frozenset()) -> None:
        self.policy = policy
        self.lowest = lowest
        self.always = always
        self.as_admitted = False
        self.baseline: Baseline | None = None
        self.by_path: list[tuple[Patterns, frozenset[str]]] = []
        self.folder = ""
        self.inputs: Sequence[Input] = ()  # of the whole run: claims are looked for in all of them
        self.class_resources: tuple[bytes, ...] = ()  # names that device classes of the run stand for, once known
        self.mode = "judge"
        self.parse_all = False
        self.unsafe = False
        self.consent = False
        self.reason = ""

    def reports(self, finding: Finding) -> bool:
        """Return whether a finding is severe enough to be reported."""
        return RANK[finding.severity] <= self.lowest or finding.rule in self.always

    def reports_at(self, rule: str, action: Action) -> bool:
        """Return whether a finding with an action under the policy is severe enough to be reported."""
        return action != "off" and (RANK[level(action)] <= self.lowest or rule in self.always)


class FileResult:
    """The result of one input. ``repaired`` counts findings by rule, ``diff`` is the patch of the repairs.

    ``is_parsed`` is False where the input contains no name that an enabled rule reads; ``names_resources`` is whether
    device classes in it may define resource names, which other inputs use.
    """

    __slots__ = (
        "content", "diff", "documents", "errors", "findings", "hidden", "is_parsed", "matched", "name",
        "names_resources", "notices", "objects", "repaired", "skipped", "suppressed",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[LocatedFinding] = []
        self.suppressed: list[LocatedFinding] = []
        self.errors: list[Diagnostic] = []
        self.skipped: list[Diagnostic] = []
        self.notices: list[Diagnostic] = []
        self.matched: dict[str, int] = {}
        self.repaired: dict[str, int] = {}
        self.documents = 0
        self.objects = 0
        self.hidden = 0
        self.diff = ""
        self.content: bytes | None = None
        self.is_parsed = True
        self.names_resources = False


class FileLinter:
    """The engine of one process, and the settings under which it judges."""

    __slots__ = ("_relevance", "engine", "is_enabled", "settings")

    def __init__(self, settings: LintOptions) -> None:
        self.settings = settings
        self.engine = Engine(rules.ALL, settings.policy, run_index.of(settings.inputs))
        self.is_enabled = frozenset(rule.id for rule in self.engine.rules)
        self._relevance: Relevance | None = None

    def judge(self, source: Input, data: bytes) -> tuple[FileResult, FileContext]:
        """Return the result of an input's content, and the context that repairs need.

        An input that contains no name that an enabled rule reads is not parsed, and has no findings.
        """
        matters = self._may_matter(data)
        reading = reader.read(data, source.name) if matters else reader.Reading(source.name, None)
        judged = FileContext(self, source, reading)
        outcome = FileResult(source.name)
        outcome.is_parsed = matters
        outcome.names_resources = matters and EXTENDED_NAME in data
        outcome.documents = len(reading.documents)
        outcome.errors = [
            Diagnostic(_spot(source, error.line, error.column), error.message) for error in reading.errors
        ]
        if reading.skipped:
            outcome.skipped.append(Diagnostic(_spot(source), TEMPLATE, reading.skipped))
        self.engine.claim_index.enter([document.object for document in reading.documents])
        for document in reading.documents:
            judged.document(document, outcome)
        if judged.suppressions is not None:
            for line, column, text in judged.suppressions.problems(self.is_enabled - judged.left_out):
                outcome.notices.append(Diagnostic(_spot(source, line, column), text))
        return outcome, judged

    def _may_matter(self, data: bytes) -> bool:
        if self.settings.parse_all or len(data) > MAX_BYTES:
            return True
        if self.settings.class_resources and any([name in data for name in self.settings.class_resources]):
            return True
        if self._relevance is None:
            if stems.holds_stem(data):
                return True
            from gpu_admission.rules import relevance  # noqa: PLC0415 - start-up time: needed only for other files

            self._relevance = relevance.Relevance(self.engine.rules, self.settings.policy)
        return self._relevance.may_matter(data)


class FileContext:
    """One input while it is judged, and the findings in it that are not to be repaired."""

    __slots__ = ("_linter", "_policy", "kept", "left_out", "reading", "source", "suppressions")

    def __init__(self, judge: FileLinter, source: Input, reading: Reading) -> None:
        settings = judge.settings
        self._linter = judge
        self.source = source
        self._policy = settings.policy
        self.reading = reading
        self.suppressions = _suppressions(reading, settings.policy)
        self.left_out = _left_out(settings, source)
        # By document: the findings (rule and pointer) that are ignored or exempt.
        self.kept: dict[int, set[tuple[str, object]]] = {}

    def document(self, document: Document, outcome: FileResult) -> None:
        """Judge one document."""
        engine, settings = self._linter.engine, self._linter.settings
        views = engine.read(document.object)
        outcome.objects += len(views)
        for pointer, message in structure.find(document.object):
            place = document.position(pointer)
            outcome.errors.append(Diagnostic(_spot(self.source, place.line, place.column), message))
        if not views:
            self._unrecognised(document, outcome)
            return
        judged = engine.review(document.object) if settings.as_admitted else None
        installers: dict[ObjectRef, bool] = {}
        for finding in engine.judge(views) if judged is None else judged.findings:
            if finding.rule in self.left_out or self.exempt(finding, views, installers):
                self.kept.setdefault(document.index, set()).add((finding.rule, finding.pointer))
            else:
                self._finding(document, finding, outcome)

    def _unrecognised(self, document: Document, outcome: FileResult) -> None:
        """Report a document that is meant for Kubernetes and lacks apiVersion or kind, so that no rule applies."""
        from . import unrecognised  # noqa: PLC0415 - start-up time: needed for few documents

        message = unrecognised.explain(document)
        if message:
            spot = document.position(())
            outcome.errors.append(Diagnostic(_spot(self.source, spot.line, spot.column), message))

    def exempt(self, finding: Finding, views: Iterable[Workload], installers: dict[ObjectRef, bool]) -> bool:
        """Return whether the policy exempts an object, or it installs a component for which the finding is intended.

        ``installers`` caches the latter for each object of a document.
        """
        found = finding.object
        if not self._policy.judges(found.namespace):
            return True
        if finding.rule[3] not in _NOT_FOR_INSTALLERS:
            return False
        if found not in installers:
            from . import peers  # noqa: PLC0415 - start-up time: few files have such findings

            installers[found] = all(peers.installs(view) for view in views if view.ref == found)
        return installers[found]

    def _finding(self, document: Document, finding: Finding, outcome: FileResult) -> None:
        settings = self._linter.settings
        if self.suppressions is None and settings.baseline is None and not settings.reports(finding):
            outcome.hidden += 1  # its position, which is costly to compute, is not needed
            return
        located = LocatedFinding(finding, self._place(document, finding))
        if self.source.path is not None and document.source and document.source != located.place.file:
            located.finding = finding.about_template(escape(document.source))
        if self.suppressions is not None:
            located.suppressed = self.suppressions.reason(finding, document.index, located.place.line or 0)
        known = settings.baseline is not None and settings.baseline.contains(located, self.source, outcome.matched)
        if located.suppressed is not None or known:
            self.kept.setdefault(document.index, set()).add((finding.rule, finding.pointer))
        if located.suppressed is not None:
            outcome.suppressed.append(located)
        elif not known and settings.reports(finding):
            outcome.findings.append(located)
        elif not known:
            outcome.hidden += 1

    def _place(self, document: Document, finding: Finding) -> Location:
        spot = document.position(finding.pointer)
        rendered_from = document.source if self.source.path is None else None
        place = _spot(self.source, spot.line, spot.column)
        place.document = document.index
        place.end_column = spot.end_column
        place.text, place.text_column = _excerpt(document.line_text(spot.line), spot.column)
        if rendered_from and rendered_from != place.file:
            place.rendered_in, place.file = place.file, rendered_from
            place.path, place.anchored = rendered_from, False
        return place


def _suppressions(reading: Reading, policy: Policy) -> Suppressions | None:
    """Return the suppressions of a file, None where it has none."""
    lower = b"" if reading.text is None else reading.text.data.lower()
    if not any([mark in lower for mark in _SUPPRESSION_MARKS]):
        return None
    from . import suppressions  # noqa: PLC0415 - start-up time: few files have any

    found = suppressions.Suppressions(reading, policy, rules.ALL)
    return found if found.all or found.notices else None


def _spot(source: Input, line: int | None = None, column: int | None = None) -> Location:
    return Location(source.name, source.relative, line=line, column=column)


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line that a report shows, and the column at which it begins."""
    if len(line) <= _WIDEST:
        return line, 1
    start = max(0, column - 1 - _BEFORE)
    return line[start : start + _WIDEST], start + 1


def _left_out(settings: LintOptions, source: Input) -> frozenset[str]:
    """Return the rules that the configuration disables for a path."""
    found: frozenset[str] = frozenset()
    if settings.by_path:
        import os  # noqa: PLC0415 - start-up time: needed only for per-file-ignores

        path = os.path.relpath(source.path or source.name, settings.folder).replace(os.sep, "/")
        for patterns, ids in settings.by_path:
            if patterns.covers(path):
                found |= ids
    return found


def failed(source: Input, why: str) -> FileResult:
    """Return the result of an input that could not be judged."""
    outcome = FileResult(source.name)
    outcome.errors.append(Diagnostic(_spot(source), why))
    return outcome


def counted(findings: Iterable[LocatedFinding]) -> dict[str, int]:
    """Return the number of findings of each rule."""
    counts: dict[str, int] = {}
    for located in findings:
        counts[located.finding.rule] = counts.get(located.finding.rule, 0) + 1
    return counts
