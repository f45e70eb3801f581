"""A verdict in words: what ``kubectl`` prints to somebody who never heard of us."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpu_admission.core import pointer as pointers
from gpu_admission.core.shape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.finding import Finding
    from gpu_admission.core.policy import Policy

    from .verdict import Verdict

# The API server: all warnings of a request over 4,096 characters are cut to 256 each, and one with a control
# character is dropped in silence (k8s.io/apiserver/pkg/warning).
MOST_WARNINGS = 10
GOOD_WARNING = 120
LONGEST_WARNING = 256
MOST_DENIED = 20
_CLAUSE = re.compile(r"[,;] |: (?=[a-z])")  # and no colon before a value
LONGEST_POINTER = 512


def denial(verdict: Verdict, policy: Policy) -> str:
    """Return the message of a denial: every finding that denies, with what to write instead."""
    denied = [finding for finding, action in verdict.findings if action == "deny"]
    lines = [_sentence(finding) for finding in denied[:MOST_DENIED]]
    if len(denied) > MOST_DENIED:
        lines.append(f"and {len(denied) - MOST_DENIED} more")
    if verdict.unrepaired:
        lines.append(
            "gpu-admission repairs this when a Pod is created, but its mutating webhook did not run on this one"
        )
    if len(lines) == 1:
        return f"{lines[0]} (GPU policy {policy.name})"
    count = "1 finding" if len(denied) == 1 else f"{len(denied)} findings"
    return "\n".join([f"{count} of GPU policy {policy.name}:", *(f"- {line}" for line in lines)])


def _sentence(finding: Finding) -> str:
    where = pointers.to_text(finding.pointer)
    if len(where) > LONGEST_POINTER:  # keys come from strangers, and may be megabytes
        where = f"{where[: LONGEST_POINTER - 1]}…"
    return printable(f"{finding.rule} {finding.message}; {finding.advice} [{where}]")


def warnings(verdict: Verdict) -> list[str]:
    """Return the warnings: at most ten, each on one line, within 120 characters where it can be."""
    texts = list(dict.fromkeys(_warning(finding) for finding, action in verdict.findings if action == "warn"))
    if len(texts) > MOST_WARNINGS:
        more = len(texts) - MOST_WARNINGS + 1
        texts = [*texts[: MOST_WARNINGS - 1], f"and {more} more GPU findings: gpu-lint shows them all"]
    return texts


def _warning(finding: Finding) -> str:
    said = printable(f"{finding.rule} {finding.message}")
    whole = printable(f"{said}; {finding.advice}")
    if len(whole) <= GOOD_WARNING:
        return whole
    said = _first_clauses(said) if len(said) > GOOD_WARNING else said
    return said if len(said) <= LONGEST_WARNING else f"{said[: LONGEST_WARNING - 1]}…"


def _first_clauses(said: str) -> str:
    """Return a sentence up to the last clause that fits, or to the first: what is wrong comes first, then why."""
    ends = [found.start() for found in _CLAUSE.finditer(said)]
    ends = [end for end in ends if said.count('"', 0, end) % 2 == 0]  # not within what the author wrote
    fitting = [end for end in ends if end <= GOOD_WARNING]
    return said[: fitting[-1] if fitting else ends[0]] if ends else said


def audit(verdict: Verdict) -> dict[str, str]:
    """Return the audit annotations: the IDs of the rules that found something, and of the fixes applied."""
    found = _ids([finding.rule for finding, _ in verdict.findings])
    applied = _ids([operation.rule for operation in verdict.patch]) if verdict.patch and verdict.allowed else ""
    return {key: ids for key, ids in (("rules", found), ("applied", applied)) if ids}


def _ids(ids: Iterable[str]) -> str:
    unique = set(ids)
    return ",".join(sorted(unique)) if len(unique) > 1 else "".join(unique)
