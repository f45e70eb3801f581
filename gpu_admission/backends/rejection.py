"""Why a request is refused: the kinds of reasons, each the name of the rule that speaks of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from gpu_admission.core.finding import Severity

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


class RejectedRequest(Exception):
    """A request that cannot be honoured.

    ``kind`` is the name of the rule that says so. ``reason`` completes "container x asks for y, …" and
    ``advice`` says what would work.
    """

    def __init__(self, kind: Kind, reason: str, advice: str, *, severity: Severity | None = None) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason
        self.advice = advice
        self.severity: Severity | None = severity
