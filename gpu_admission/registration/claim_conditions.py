"""Conditions on the resource claims of a pod: those that the policy says are a GPU's, and in templates all of them."""

from __future__ import annotations

from . import globs
from .cel_literals import any_of, text, texts
from .scans import found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.exemptions import NamePatterns
    from gpu_admission.policy.model import Policy


def of_pod(policy: Policy, spec: str) -> Iterator[str]:
    """Yield the condition that a pod has a claim which the policy says is a GPU's (``cluster.claims``)."""
    stated = (("resourceClaimTemplateName", policy.claims.templates), ("resourceClaimName", policy.claims.claims))
    tests = [_is(f"c.?{field}.orValue('')", patterns) for field, patterns in stated if patterns]
    if tests:
        yield found(f"{spec}.?resourceClaims.orValue([])", "c", any_of(tests))


def of_template(spec: str, containers: str) -> str:
    """Return the condition that a pod template has claims, or uses some."""
    return any_of([
        f"{spec}.?resourceClaims.orValue([]).size() > 0",
        found(containers, "c", "c.?resources.?claims.orValue([]).size() > 0"),
    ])  # fmt: skip


def _is(name: str, patterns: NamePatterns) -> str:
    plain = sorted(patterns.patterns)
    wild = [pattern for pattern in plain if globs.is_pattern(pattern)]
    tests = [f"{name} in {texts(plain)}"]
    if wild:
        tests.append(f"({name} != '' && {name}.matches({text(globs.expression(wild))}))")
    return any_of(tests)
