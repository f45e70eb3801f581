"""The response to a review and its record: a decision as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpu_admission.core import patch as patches

from . import admission_review, messages

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_admission.core.finding import Action
    from gpu_admission.policy.model import Policy

    from .decide import Decision


class ReviewResult(NamedTuple):
    """The response to a request after its uid (see ``admission_review.encode``), and what is recorded.

    ``rules`` are (rule, action) of every finding; ``applied`` the rules whose fixes are in the patch.
    """

    response: str
    decision: str
    rules: Collection[tuple[str, Action]] = ()
    applied: Collection[str] = ()


ALLOWED = ReviewResult(admission_review.encode_body(allowed=True), "allowed")
"""Allowed, without a finding and without a patch."""


def from_decision(decision: Decision, policy: Policy) -> ReviewResult:
    """Encode a decision as the response to its request."""
    if not (decision.findings or decision.patch):
        return ALLOWED
    allowed = decision.allowed
    patch = patches.to_json(decision.patch) if allowed else []
    response = admission_review.encode_body(
        allowed=allowed,
        message="" if allowed else messages.denial(decision, policy),
        warnings=messages.warnings(decision) if decision.findings else (),
        patch=patch,
        audit=messages.audit(decision),
    )
    return ReviewResult(
        response,
        "denied" if not allowed else "mutated" if patch else "allowed",
        rules=[(finding.rule, action) for finding, action in decision.findings],
        applied=sorted({operation.rule for operation in decision.patch}) if patch else (),
    )
