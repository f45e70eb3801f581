"""Conditions on claims: those of Pods that the policy declares to give GPUs, all of templates, and claim objects."""

from __future__ import annotations

from gpu_admission.rules import ALL, triggers
from gpu_admission.workloads import device_classes

from . import globs
from .cel_literals import any_of, text, texts
from .scans import found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.exemptions import NamePatterns
    from gpu_admission.policy.model import Policy


def of_pod(policy: Policy, spec: str) -> Iterator[str]:
    """Yield the condition that a pod has a claim that gives a GPU by the policy (``cluster.claims``)."""
    stated = (("resourceClaimTemplateName", policy.claims.templates), ("resourceClaimName", policy.claims.claims))
    tests = [_is(f"c.?{field}.orValue('')", patterns) for field, patterns in stated if patterns]
    if tests:
        yield found(f"{spec}.?resourceClaims.orValue([])", "c", any_of(tests))


def of_template(spec: str, containers: str) -> str:
    """Return the condition that a pod template has or uses claims."""
    return any_of([
        f"{spec}.?resourceClaims.orValue([]).size() > 0",
        found(containers, "c", "c.?resources.?claims.orValue([]).size() > 0"),
    ])  # fmt: skip


def judged(policy: Policy) -> bool:
    """Return whether any rule on claims, claim templates and device classes is in force."""
    return any(rule.when is triggers.claim_object and policy.is_enabled(rule) for rule in ALL)


def of_object(policy: Policy) -> str:
    """Return the condition that a claim, a claim template or a device class may be for GPUs.

    It may be unless all its classes are known to be of other devices: an unknown class may be a misspelt one, which
    rules report. This is ``rules.claims.subjects.spec_of`` in CEL, for each API version: requests have their class
    under ``exactly``, in a list of alternatives, or directly.
    """
    own = policy.claims.classes
    known = (name for name in device_classes.known_names() if name not in device_classes.gpu_names())
    others = texts(sorted(name for name in known if not own.match(name)))
    requests = "object.?spec.?spec.?devices.?requests.orValue(object.?spec.?devices.?requests.orValue([]))"
    alternatives = f"r.?firstAvailable.orValue([]).exists(a, !(a.?deviceClassName.orValue('') in {others}))"
    single = f"!(r.?exactly.?deviceClassName.orValue(r.?deviceClassName.orValue('')) in {others})"
    requested = f"r, r.?firstAvailable.orValue([]).size() > 0 ? {alternatives} : {single}"
    return (
        f"(request.kind.kind == 'DeviceClass' ? !(object.?metadata.?name.orValue('') in {others}) :\n"
        f"[{requests}].exists(l, l.size() == 0 || l.exists({requested})))"
    )


def _is(name: str, patterns: NamePatterns) -> str:
    plain = sorted(patterns.patterns)
    wild = [pattern for pattern in plain if globs.is_pattern(pattern)]
    tests = [f"{name} in {texts(plain)}"]
    if wild:
        tests.append(f"({name} != '' && {name}.matches({text(globs.expression(wild))}))")
    return any_of(tests)
