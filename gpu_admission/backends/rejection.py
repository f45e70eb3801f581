"""Why a request is refused: the kinds of reasons, each the name of the rule that speaks of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from gpu_admission.core.finding import Evidence, Severity
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
    where ``is_amount`` is set (by ``amount``) it begins with what the request comes to: "8Gi on one GPU, and …".
    ``advice`` is what would work, ``about`` the resource or annotation that is at fault, where one of several is.
    """

    is_amount = False

    def __init__(
        self, kind: Kind, reason: str, advice: str, *, severity: Severity | None = None, about: str | None = None
    ) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason
        self.advice = advice
        self.severity: Severity | None = severity
        self.about = about

    @classmethod
    def amount(
        cls, kind: Kind, reason: str, advice: str, *, severity: Severity | None = None, about: str | None = None
    ) -> RejectedRequestError:
        """Return a rejection whose reason begins with what the request comes to."""
        rejected = cls(kind, reason, advice, severity=severity, about=about)
        rejected.is_amount = True
        return rejected

    def message(self, subject: str) -> str:
        """Return the sentence about a request: ``subject`` is "container x requests y"."""
        return f"{subject}, that is {self.reason}" if self.is_amount else f"{subject}, {self.reason}"


class Rejection:
    """A rejected request at its place, with the message about it.

    ``system`` is the one whose names the request uses, ``evidence`` the raw amounts that were rejected.
    """

    __slots__ = ("advice", "evidence", "kind", "message", "pointer", "severity", "system")

    def __init__(
        self,
        pointer: Pointer,
        message: str,
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
