"""What identifies a finding across runs: rule, path, object and pointer, but not the line."""

from __future__ import annotations

import hashlib

from gpu_admission.core import pointer as pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import LocatedFinding

_SEPARATOR = "\x1f"


def parts(located: LocatedFinding, path: str | None = None) -> tuple[str, ...]:
    """Return what identifies a finding; ``path`` replaces the path relative to the working directory."""
    finding, place = located.finding, located.place
    ref = finding.object
    if path is None:  # the template, where there is one: rendered output may have any name
        path = place.file if place.rendered_in else place.path
    return (
        finding.rule,
        path,
        ref.api_version,
        ref.kind,
        ref.namespace or "",
        ref.name or "",
        pointers.to_text(finding.pointer),
    )


def digest(value: Sequence[str]) -> str:
    """Return a digest of some texts, as 32 hexadecimal digits."""
    return hashlib.sha256(_SEPARATOR.join(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprints(findings: Sequence[LocatedFinding]) -> list[str]:
    """Return a unique fingerprint for each finding: further ones at the same place get a number."""
    seen: dict[tuple[str, ...], int] = {}
    unique = []
    for located in findings:
        key = parts(located)
        ordinal = seen[key] = seen.get(key, 0) + 1
        unique.append(digest(key if ordinal == 1 else (*key, str(ordinal))))
    return unique
