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
    Sentence = str | tuple[str, str]  # whole, or what must be read of it and the rest, with the punctuation between

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
ACTIONS: tuple[Action, ...] = ("deny", "warn", "audit", "off")

ACTION_OF: dict[Severity, Action] = {"error": "deny", "warning": "warn", "info": "audit"}
LEVEL_OF: dict[Action, Severity] = {"deny": "error", "warn": "warning", "audit": "info"}


def whole(sentence: Sentence) -> str:
    """Return all of a sentence."""
    return sentence if isinstance(sentence, str) else "".join(sentence)


def brief(sentence: Sentence) -> str:
    """Return what must be read of a sentence."""
    return sentence if isinstance(sentence, str) else sentence[0]


def extended(sentence: Sentence, more: str) -> Sentence:
    """Return a sentence with something appended that need not be read."""
    return (sentence, more) if isinstance(sentence, str) else (sentence[0], sentence[1] + more)


class Problem:
    """A fact that a rule states about one place of an object.

    ``message`` says in one sentence what is wrong, naming the container, the resource and the value;
    ``advice`` says in the next what to write instead. Where one of them is long it is given in two parts, of which the
    first stands by itself: ``summary`` and ``remedy``, which is all that a warning of ``kubectl`` has room for.

    ``fix`` holds the operations that repair it, as they
    apply to the object that was checked; ``safety`` is None where there is no repair. ``severity`` is
    given only where it differs from the rule's own.

    ``evidence`` are the raw values that the rule judged. An update is judged only for problems that were not there
    before, and a problem is the same one where rule, place and evidence agree (``engine/changes.py``); its
    wording plays no part. Left out, the evidence is the value at ``pointer``. A rule gives its own where it judged
    more than this value (a request and its limit), or where it points to a mapping because something is missing
    there (``()`` then: whatever else stands in it, the problem remains the same).
    """

    __slots__ = ("advice", "evidence", "fix", "message", "pointer", "remedy", "safety", "severity", "summary")

    def __init__(
        self,
        pointer: Pointer,
        message: Sentence,
        advice: Sentence,
        *,
        fix: tuple[Operation, ...] = (),
        safety: Safety | None = None,
        severity: Severity | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        self.pointer = pointer
        self.evidence = evidence
        self.message = whole(message)
        self.summary = brief(message)
        self.advice = whole(advice)
        self.remedy = brief(advice)
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
    repair it and how safely; ``repaired`` is set only where admission's safe fixes have mended it. ``evidence``,
    ``summary`` and ``remedy`` are the problem's own.
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
        "remedy",
        "repaired",
        "rule",
        "severity",
        "summary",
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
        summary: str | None = None,
        remedy: str | None = None,
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
        self.summary = message if summary is None else summary
        self.remedy = advice if remedy is None else remedy

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
            summary=self.summary,
            remedy=self.remedy,
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
