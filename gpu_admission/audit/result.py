"""The result of an audit: a row for every owner and rule, and what could not be read."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gpu_admission.core.finding import SEVERITIES
from gpu_admission.core.raw import escape

from .judge import CONSEQUENCES, DENY, REPAIR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpu_admission.cluster.discovery import ServedKind
    from gpu_admission.core.finding import Finding, Severity

    from .judge import Judged
    from .owners import Owner

MOST_EXAMPLES = 10  # findings kept per row: most of an owner's pods have the same

FORBIDDEN = "forbidden"

_RANK = {consequence: rank for rank, consequence in enumerate(CONSEQUENCES)}
_SEVERITY_RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class AuditProblem(NamedTuple):
    """What could not be read: ``subject`` is a kind or a part of the API, ``message`` one line.

    ``reason`` is ``forbidden`` where RBAC forbids it, else ``failed``.
    """

    subject: str
    message: str
    reason: str = "failed"


def place(namespace: str | None) -> str:
    """Return a namespace, or all of them, for a message."""
    return "all namespaces" if namespace is None else f"namespace {escape(namespace)}"


class Row:
    """The findings of a rule on an owner and its pods.

    ``objects`` counts the objects in which it was found, ``kinds`` by kind; ``findings`` are those that differ, the
    first `MOST_EXAMPLES` of them.
    """

    __slots__ = ("consequence", "findings", "kinds", "owner", "registered", "rule", "severity")

    def __init__(self, owner: Owner, rule: str) -> None:
        self.owner = owner
        self.rule = rule
        self.consequence = CONSEQUENCES[-1]
        self.severity: Severity = SEVERITIES[-1]
        self.findings: list[Finding] = []
        self.kinds: dict[str, int] = {}
        self.registered = False

    def add(self, judged: Judged) -> None:
        """Add a finding on the owner or on one of its objects."""
        self.consequence = min(self.consequence, judged.consequence, key=_RANK.__getitem__)
        self.severity = min(self.severity, judged.finding.severity, key=_SEVERITY_RANK.__getitem__)
        if len(self.findings) < MOST_EXAMPLES:
            key = (judged.finding.container, judged.finding.message)
            if key not in [(each.container, each.message) for each in self.findings]:
                self.findings.append(judged.finding)

    @property
    def objects(self) -> int:
        """In how many objects it was found."""
        return sum(self.kinds.values())

    @property
    def pods(self) -> int:
        """In how many Pods it was found."""
        return self.kinds.get("Pod", 0)

    @property
    def is_repaired(self) -> bool:
        """Whether admission repairs it, so that nothing remains to do."""
        return self.consequence == REPAIR

    def sort_key(self) -> tuple[str, int, str, str, str]:
        """Order by namespace, then the most severe first."""
        return (self.owner.namespace, _RANK[self.consequence], self.owner.kind, self.owner.name, self.rule)


class AuditResult:
    """The result of an audit."""

    def __init__(self, *, cluster: str, policy: str, mode: str, namespace: str | None) -> None:
        self.cluster = cluster
        self.policy = policy
        self.mode = mode
        self.namespace = namespace
        self._rows: dict[tuple[object, ...], Row] = {}
        self.errors: list[AuditProblem] = []
        self.notices: list[AuditProblem] = []
        self.objects = 0
        self.pods = 0
        self.ended = 0
        self.exempt = 0
        self.kinds: dict[str, int] = {}
        self.namespaces: set[str] = set()
        self.served: Mapping[tuple[str, str], ServedKind] = {}

    def add(self, owner: Owner, kind: str, judged: Iterable[Judged], *, registered: bool) -> None:
        """Add the findings on one object of an owner."""
        counted = set()
        for each in judged:
            rule = each.finding.rule
            key = (owner.kind, owner.namespace, owner.name, owner.group, rule)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = Row(owner, rule)
            row.add(each)
            row.registered = row.registered or registered
            if rule not in counted:
                counted.add(rule)
                row.kinds[kind] = row.kinds.get(kind, 0) + 1

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def rows(self, *, only_denied: bool = False) -> list[Row]:
        """Return the rows, sorted."""
        rows = [row for row in self._rows.values() if not only_denied or row.consequence == DENY]
        return sorted(rows, key=Row.sort_key)

    def first(self, consequence: str, most: int) -> list[Row]:
        """Return the first rows of a consequence, as they were found."""
        return list(islice((row for row in self._rows.values() if row.consequence == consequence), most))

    def owners(self, consequence: str) -> int:
        """Return the number of owners for which this is the most severe consequence."""
        gravest: dict[Owner, str] = {}
        for row in self._rows.values():
            known = gravest.get(row.owner, CONSEQUENCES[-1])
            gravest[row.owner] = min(known, row.consequence, key=_RANK.__getitem__)
        return sum(1 for each in gravest.values() if each == consequence)

    def messages(self) -> list[str]:
        """Return a line for everything that could not be read; all that RBAC forbids is one line."""
        refused = [problem.subject for problem in self.errors if problem.reason == FORBIDDEN]
        lines = [problem.message for problem in self.errors if problem.reason != FORBIDDEN or len(refused) == 1]
        if len(refused) > 1:
            where = place(self.namespace)
            lines.append(f"RBAC does not allow to list {', '.join(refused)} in {where}: grant get and list on them")
        return [problem.message for problem in self.notices] + lines

    def fails(self, threshold: str) -> bool:
        """Return whether a finding is at or above a severity that admission would not repair (``never``: none is)."""
        if threshold == "never":
            return False
        worst = _SEVERITY_RANK[threshold]
        return any(_SEVERITY_RANK[row.severity] <= worst and not row.is_repaired for row in self._rows.values())
