"""A decision as text: the messages that ``kubectl`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.finding import Finding
    from gpu_admission.policy.model import Policy

    from .decide import Decision

# The API server: all warnings of a request over 4,096 characters are cut to 256 each, and one with a control
# character is dropped without a message (k8s.io/apiserver/pkg/warning).
MOST_WARNINGS = 10
GOOD_WARNING = 120
LONGEST_WARNING = 256
MOST_DENIED = 20
LONGEST_POINTER = 512


def denial(decision: Decision, policy: Policy) -> str:
    """Return the message of a denial: every finding that denies, with what to write instead."""
    denied = [finding for finding, action in decision.findings if action == "deny"]
    lines = [_sentence(finding) for finding in denied[:MOST_DENIED]]
    if len(denied) > MOST_DENIED:
        lines.append(f"and {len(denied) - MOST_DENIED} more")
    if decision.unrepaired:
        lines.append(
            "gpu-admission repairs this when a Pod is created, but its mutating webhook did not run on this one"
        )
    if len(lines) == 1:
        return f"{lines[0]} (GPU policy {policy.name})"
    count = "1 finding" if len(denied) == 1 else f"{len(denied)} findings"
    return "\n".join([f"{count} of GPU policy {policy.name}:", *(f"- {line}" for line in lines)])


def _sentence(finding: Finding) -> str:
    where = pointers.to_text(finding.pointer)
    if len(where) > LONGEST_POINTER:  # keys come from users, and may be megabytes
        where = f"{where[: LONGEST_POINTER - 1]}…"
    return escape(f"{finding.rule} {finding.message}; {finding.advice} [{where}]")


def warnings(decision: Decision) -> list[str]:
    """Return the warnings: at most ten, each on one line, within 120 characters where the advice fits too."""
    texts = list(dict.fromkeys(_warning(finding) for finding, action in decision.findings if action == "warn"))
    if len(texts) > MOST_WARNINGS:
        more = len(texts) - MOST_WARNINGS + 1
        texts = [*texts[: MOST_WARNINGS - 1], f"and {more} more GPU findings: gpu-lint shows them all"]
    return texts


def _warning(finding: Finding) -> str:
    """Return message and advice in the longest form that fits.

    A message is shortened only to the rule's own summary, the advice only to its remedy. Where no form with a remedy
    fits into 120 characters, the API server's limit applies.
    """
    messages = [escape(f"{finding.rule} {each}") for each in (finding.message, finding.summary)]
    forms = [f"{message}; {escape(advice)}" for message in messages for advice in (finding.advice, finding.remedy)]
    for longest in (GOOD_WARNING, LONGEST_WARNING):
        for form in forms:
            if len(form) <= longest:
                return form
    short = next((message for message in messages if len(message) <= LONGEST_WARNING), messages[-1])
    return short if len(short) <= LONGEST_WARNING else f"{short[: LONGEST_WARNING - 1]}…"


def audit(decision: Decision) -> dict[str, str]:
    """Return the audit annotations: the IDs of the rules that found something, and of the fixes applied."""
    found = _ids([finding.rule for finding, _ in decision.findings])
    applied = _ids([operation.rule for operation in decision.patch]) if decision.patch and decision.allowed else ""
    return {key: ids for key, ids in (("rules", found), ("applied", applied)) if ids}


def _ids(ids: Iterable[str]) -> str:
    unique = set(ids)
    return ",".join(sorted(unique)) if len(unique) > 1 else "".join(unique)
