"""Problems that rules report, and the findings that a policy makes of them."""

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
    Sentence = str | tuple[str, str]  # whole, or the essential part and the rest with its punctuation

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
ACTIONS: tuple[Action, ...] = ("deny", "warn", "audit", "off")

ACTION_OF: dict[Severity, Action] = {"error": "deny", "warning": "warn", "info": "audit"}
LEVEL_OF: dict[Action, Severity] = {"deny": "error", "warn": "warning", "audit": "info"}


def whole(sentence: Sentence) -> str:
    """Return the whole sentence."""
    return sentence if isinstance(sentence, str) else "".join(sentence)


def brief(sentence: Sentence) -> str:
    """Return the essential part of a sentence."""
    return sentence if isinstance(sentence, str) else sentence[0]


def extended(sentence: Sentence, more: str) -> Sentence:
    """Return a sentence with an inessential part appended."""
    return (sentence, more) if isinstance(sentence, str) else (sentence[0], sentence[1] + more)


class Problem:
    """A fact that a rule states about one place of an object.

    ``message`` says in one sentence what is wrong, naming the container, the resource and the value;
    ``advice`` says in the next what to write instead. A long one is given in two parts, of which the first is a
    complete sentence: ``summary`` and ``remedy``, which are all that a warning of ``kubectl`` has room for.

    ``fix`` holds the operations that repair it, relative to the object that was checked; ``safety`` is None where there
    is no fix. ``severity`` is given only where it differs from the rule's own.

    ``evidence`` are the raw values that the rule judged, by default the value at ``pointer``. An update is judged only
    for new problems, and a problem is the same one where rule, place and evidence agree, whatever its message
    (``engine/changes.py``). A rule gives its own evidence where it judged more than this value (a request and its
    limit), or where it points to a mapping in which something is missing (``()``: the rest of the mapping is
    irrelevant).
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
    """A reference to the object of a finding; ``namespace`` and ``name`` are None where it has none yet."""

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
    ``action`` is what admission would do, the policy's mode applied; ``fix`` is the safety of the rule's fix, if any;
    ``repaired`` is set only where a safe fix of admission has repaired it. ``evidence``, ``summary`` and ``remedy`` are
    those of the problem.
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
        """Return the finding marked as one that admission repairs."""
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
        """Return the finding with the template named from which its object was rendered."""
        return self._changed(message=f"{self.message} (rendered from {name})", repaired=self.repaired)

    def identity(self) -> tuple[str, str, Pointer]:
        """Return the key by which two findings are the same: rule, message and place."""
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
