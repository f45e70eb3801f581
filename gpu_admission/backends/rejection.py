"""Rejections of requests; each kind of reason is the name of the rule that reports it."""

from __future__ import annotations

from gpu_admission.core.finding import brief, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from gpu_admission.core.finding import Evidence, Sentence, Severity
    from gpu_admission.core.pointer import Pointer

    Kind = Literal[
        "untranslatable-request",
        "mixed-sharing",
        "shared-count",
        "memory-exceeds-card",
        "suspicious-unit",
        "backend-container-limit",
        "percent-out-of-range",
        "missing-queue",
    ]

UNTRANSLATABLE: Kind = "untranslatable-request"
MIXED: Kind = "mixed-sharing"
SHARED_COUNT: Kind = "shared-count"
EXCEEDS: Kind = "memory-exceeds-card"
UNIT: Kind = "suspicious-unit"
CONTAINERS: Kind = "backend-container-limit"
PERCENT: Kind = "percent-out-of-range"
QUEUE: Kind = "missing-queue"


class RejectedRequestError(Exception):
    """A request that cannot be honoured.

    ``kind`` is the name of the rule that reports it. ``reason`` is a clause that completes "container x requests y, …";
    where ``is_amount`` is set (by ``amount``) it begins with the resulting amount: "8Gi on one GPU, and …". ``advice``
    is what would work. Either may be in two parts, of which the first is complete by itself (``core.finding``).
    ``about`` is the resource or annotation at fault, where it is one of several.
    """

    is_amount = False

    def __init__(
        self,
        kind: Kind,
        reason: Sentence,
        advice: Sentence,
        *,
        severity: Severity | None = None,
        about: str | None = None,
    ) -> None:
        super().__init__(whole(reason))
        self.kind: Kind = kind
        self._reason = reason
        self.advice = advice
        self.severity: Severity | None = severity
        self.about = about

    @classmethod
    def amount(
        cls,
        kind: Kind,
        reason: Sentence,
        advice: Sentence,
        *,
        severity: Severity | None = None,
        about: str | None = None,
    ) -> RejectedRequestError:
        """Return a rejection whose reason begins with the resulting amount."""
        rejected = cls(kind, reason, advice, severity=severity, about=about)
        rejected.is_amount = True
        return rejected

    @property
    def reason(self) -> str:
        """The whole clause."""
        return whole(self._reason)

    def message(self, subject: str) -> Sentence:
        """Return the sentence about a request: ``subject`` is "container x requests y"."""
        clause = f"that is {brief(self._reason)}" if self.is_amount else brief(self._reason)
        return f"{subject}, {clause}", "" if isinstance(self._reason, str) else self._reason[1]


class Rejection:
    """A rejected request at its place, with the message about it.

    ``system`` is the one whose names the request uses, ``evidence`` the raw amounts that were rejected.
    """

    __slots__ = ("advice", "evidence", "kind", "message", "pointer", "severity", "system")

    def __init__(
        self,
        pointer: Pointer,
        message: Sentence,
        refused: RejectedRequestError,
        evidence: Evidence,
        system: str | None = None,
    ) -> None:
        self.pointer = pointer
        self.evidence = evidence
        self.kind: Kind = refused.kind
        self.message = message
        self.advice = refused.advice
        self.severity: Severity | None = refused.severity
        self.system = system
