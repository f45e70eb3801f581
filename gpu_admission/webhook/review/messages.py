"""A verdict in words: what ``kubectl`` prints to somebody who never heard of us."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.core.finding import Finding
    from gpu_admission.policy.model import Policy

    from .decide import Decision

# The API server: all warnings of a request over 4,096 characters are cut to 256 each, and one with a control
# character is dropped in silence (k8s.io/apiserver/pkg/warning).
MOST_WARNINGS = 10
GOOD_WARNING = 120
LONGEST_WARNING = 256
MOST_DENIED = 20
_CLAUSE = re.compile(r"[,;] |: (?=[a-z])")  # and no colon before a value
_REST = re.compile(r"; |, or | \(")  # and no comma of a list, of which a part would be another advice
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
    if len(where) > LONGEST_POINTER:  # keys come from strangers, and may be megabytes
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
    """Return what is wrong and what to write instead, and as much of the why as fits.

    Where 120 characters hold no remedy, the API server's own limit counts; where that holds none, the why does: the
    beginning of a message only says which request it is about.
    """
    value = escape(f"{finding.rule} {finding.message}")
    heads, tails = _cuts(value, _CLAUSE), _cuts(escape(finding.advice), _REST)
    for longest in (GOOD_WARNING, LONGEST_WARNING):
        for head in heads:
            tail = next((each for each in tails if len(head) + 2 + len(each) <= longest), None)
            if tail:
                return f"{head}; {tail}"
    short = next((head for head in heads if len(head) <= LONGEST_WARNING), heads[-1])
    return short if len(short) <= LONGEST_WARNING else f"{short[: LONGEST_WARNING - 1]}…"


def _cuts(value: str, ends: re.Pattern[str]) -> list[str]:
    """Return a sentence, and what is left of it where it is cut after a clause: the longest first.

    What is wrong comes first in it, then why. It is not cut within what the author wrote.
    """
    places = [found.start() for found in ends.finditer(value)]
    return [value, *[value[:end] for end in reversed(places) if value.count('"', 0, end) % 2 == 0]]


def audit(decision: Decision) -> dict[str, str]:
    """Return the audit annotations: the IDs of the rules that found something, and of the fixes applied."""
    found = _ids([finding.rule for finding, _ in decision.findings])
    applied = _ids([operation.rule for operation in decision.patch]) if decision.patch and decision.allowed else ""
    return {key: ids for key, ids in (("rules", found), ("applied", applied)) if ids}


def _ids(ids: Iterable[str]) -> str:
    unique = set(ids)
    return ",".join(sorted(unique)) if len(unique) > 1 else "".join(unique)
