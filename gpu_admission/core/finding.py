"""What a rule found, and what becomes of it."""

from __future__ import annotations

from . import pointer as pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from .patch import Operation
    from .pointer import Pointer

    Severity = Literal["error", "warning", "info"]
    Action = Literal["deny", "warn", "audit", "off"]
    Safety = Literal["safe", "unsafe"]
    Evidence = tuple[Any, ...]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
ACTIONS: tuple[Action, ...] = ("deny", "warn", "audit", "off")

ACTION_OF: dict[Severity, Action] = {"error": "deny", "warning": "warn", "info": "audit"}
LEVEL_OF: dict[Action, Severity] = {"deny": "error", "warn": "warning", "audit": "info"}


class Problem:
    """A fact that a rule states about one place of an object.

    ``message`` says in one sentence what is wrong, naming the container, the resource and the value;
    ``advice`` says in the next what to write instead. ``fix`` holds the operations that repair it, as they
    apply to the object that was checked; ``safety`` is None where there is no repair. ``severity`` is
    given only where it differs from the rule's own.

    ``evidence`` are the raw values that the rule judged. An update is judged only for problems that were not there
    before, and a problem is the same one where rule, place and evidence agree (``engine/changes.py``); its
    wording plays no part. Left out, the evidence is the value at ``pointer``. A rule gives its own where it judged
    more than this value (a request and its limit), or where it points to a mapping because something is missing
    there (``()`` then: whatever else stands in it, the problem remains the same).
    """

    __slots__ = ("advice", "evidence", "fix", "message", "pointer", "safety", "severity")

    def __init__(
        self,
        pointer: Pointer,
        message: str,
        advice: str,
        *,
        fix: tuple[Operation, ...] = (),
        safety: Safety | None = None,
        severity: Severity | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        self.pointer = pointer
        self.evidence = evidence
        self.message = message
        self.advice = advice
        self.fix = fix
        self.safety: Safety | None = safety if fix else None
        self.severity = severity


class ObjectRef:
    """Which object a finding is about; ``namespace`` and ``name`` are None where it has none yet."""

    __slots__ = ("api_version", "kind", "name", "namespace")

    def __init__(self, api_version: str, kind: str, namespace: str | None, name: str | None) -> None:
        self.api_version = api_version
        self.kind = kind
        self.namespace = namespace
        self.name = name

    def _key(self) -> tuple[str, str, str, str]:
        return (self.api_version, self.kind, self.namespace or "", self.name or "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectRef) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"ObjectRef{self._key()}"


class Finding:
    """A problem under a policy: frozen by convention, comparable, sortable by place and rule.

    ``severity`` is the level of the policy's action for it (deny is error, warn warning, audit info);
    ``action`` is what admission would do, the policy's mode applied; ``fix`` tells whether the rule can
    repair it and how safely; ``repaired`` is set only where admission's safe fixes have mended it. ``evidence`` is the
    problem's own.
    """

    __slots__ = (
        "action",
        "advice",
        "container",
        "evidence",
        "fix",
        "message",
        "name",
        "object",
        "pointer",
        "repaired",
        "rule",
        "severity",
    )

    def __init__(
        self,
        *,
        rule: str,
        name: str,
        severity: Severity,
        action: Action,
        message: str,
        advice: str,
        pointer: Pointer,
        container: str | None,
        ref: ObjectRef,
        fix: Safety | None = None,
        repaired: bool = False,
        evidence: Evidence | None = None,
    ) -> None:
        self.rule = rule
        self.name = name
        self.severity = severity
        self.action = action
        self.message = message
        self.advice = advice
        self.pointer = pointer
        self.container = container
        self.object = ref
        self.fix = fix
        self.repaired = repaired
        self.evidence = evidence

    def marked_repaired(self) -> Finding:
        """Return the same finding as one that admission repairs."""
        return self._changed(message=self.message, repaired=True)

    def _changed(self, *, message: str, repaired: bool) -> Finding:
        return Finding(
            rule=self.rule,
            name=self.name,
            severity=self.severity,
            action=self.action,
            message=message,
            advice=self.advice,
            pointer=self.pointer,
            container=self.container,
            ref=self.object,
            fix=self.fix,
            repaired=repaired,
            evidence=self.evidence,
        )

    def about_template(self, name: str) -> Finding:
        """Return the same finding with the template named of which its object was rendered."""
        return self._changed(message=f"{self.message} (rendered from {name})", repaired=self.repaired)

    def identity(self) -> tuple[str, str, Pointer]:
        """Return what makes two findings the same one: rule, what is wrong, and where."""
        return (self.rule, self.message, self.pointer)

    def sort_key(self) -> tuple[tuple[tuple[int, int, str], ...], str, str]:
        """Order by place, then rule, then message."""
        return (pointers.sort_key(self.pointer), self.rule, self.message)

    def __lt__(self, other: Finding) -> bool:
        return self.sort_key() < other.sort_key()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Finding):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in Finding.__slots__)

    def __hash__(self) -> int:
        return hash(self.identity())

    def __repr__(self) -> str:
        return f"<{self.rule} {self.severity} {pointers.to_text(self.pointer)}: {self.message}>"
