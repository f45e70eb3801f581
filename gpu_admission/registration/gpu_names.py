"""Conditions on resource names in CEL: names of GPU resources under a policy, and misspelt ones (for GPU007).

Cheap tests come first: the API server evaluates this for every pod, and the cost of a pattern is its length times that
of the name, for any name.
"""

from __future__ import annotations

import re

from gpu_admission.workloads import resource_typos, resources

from . import globs, typo_patterns
from .cel_literals import any_of, pattern, text, texts
from .regex_trie import alternatives, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.resources import Resource

# In ``resources.extra``: any extended resource. It is not valid in policy files; `any_policy` uses it.
ANY_EXTENDED = "*/*"
ORDINARY = ("cpu", "memory", "ephemeral-storage")
# Names with a domain that Kubernetes accepts. The API server rejects others, except its own, but only the webhook
# suggests the name that was meant.
SHAPE = "^[a-z0-9.-]+/[A-Za-z0-9._-]+$"


def names(policy: Policy) -> list[str]:
    """Return the names of GPU resources under a policy, except those that are known by a pattern."""
    return sorted({*resources.known_names(), *policy.own_resources})


def shapes() -> str:
    """Return an expression for the names that are known by a pattern."""
    return _any_shape(resources.patterns())


def like_mig() -> str:
    """Return an expression for names that resemble that of a MIG slice (``nvidia/mig-1g-5gb``)."""
    return f"^(?i:{resource_typos.LIKE_MIG})"


def known(policy: Policy, name: str, *, requested: bool = True) -> str:
    """Return the condition that the CEL expression ``name`` is the name of a GPU resource.

    The long expression of patterns is evaluated for names of a few domains only: a pod can have thousands of others.
    Where any extended resource may be a GPU's, any name of that form is, if it is ``requested``: labels have the same
    form.
    """
    extended = f"({name}.contains('/') && !{name}.contains('kubernetes.io/'))"
    return any_of([
        *[extended] * (requested and ANY_EXTENDED in policy.extra),
        which(policy, name),
        f"{name}.matches({pattern(like_mig())})",
    ])  # fmt: skip


def which(policy: Policy, name: str, holds: Callable[[Resource], bool] | None = None) -> str:
    """Return the condition that ``name`` is a GPU resource for which ``holds`` is true, by ``Policy.classify``.

    The condition is ``false`` if it is true for none. Of the patterns the first match counts: earlier patterns for
    which it is not true are excluded. A name of the table takes precedence over patterns.
    """
    judged = [(each, policy.classify(each)) for each in names(policy)]
    known = [each for each, found in judged if found is not None and (holds is None or holds(found))]
    wanted = [shape for shape, found in resources.shapes() if holds is None or holds(found)]
    before = [shape for shape, _ in resources.shapes() if shape not in wanted]
    tests = [f"{name} in {texts(known)}"] * bool(known)
    if wanted:
        others = [shape for shape in before if _domain(shape) in set(map(_domain, wanted))]
        alike = re.compile(_any_shape(wanted))
        exact = [
            each for each, _ in judged if each not in known and (each in policy.own_resources or alike.match(each))
        ]
        tests.append(_of_shape(name, wanted, others, exact))
    return any_of([*tests, *_of_classes(policy, name, holds)]) or "false"


def _of_classes(policy: Policy, name: str, holds: Callable[[Resource], bool] | None) -> Iterator[str]:
    """Yield the condition that ``name`` is the resource of a device class that a pattern of the policy matches."""
    patterns = [each for each in policy.claims.classes.patterns if globs.is_pattern(each)]
    prefix = resources.CLASS_PREFIX
    which_may_be = resources.Resource(f"{prefix}*", "any", resources.CLASS_SYSTEM, "device", "exclusive")
    if patterns and (holds is None or holds(which_may_be)):
        rest = f"{name}.substring({len(prefix)})"
        yield f"({name}.startsWith({text(prefix)}) && {rest}.matches({text(globs.expression(patterns))}))"


def _of_shape(name: str, wanted: list[str], others: list[str], exact: list[str]) -> str:
    domain = f"{name}.substring(0, {name}.indexOf('/'))"
    tests = [
        f"{name}.contains('/')",
        f"{domain} in {texts(sorted(set(map(_domain, wanted))))}",
        f"{name}.matches({pattern(_any_shape(wanted))})",
        *[f"!{name}.matches({pattern(_any_shape(others))})"] * bool(others),
        *[f"!({name} in {texts(exact)})"] * bool(exact),
    ]
    return f"({' && '.join(tests)})"


def _any_shape(expressions: Iterable[str]) -> str:
    return f"^({'|'.join(expressions)})$"


def _domain(shape: str) -> str:
    return shape.partition("/")[0].replace("\\", "")


def known_or_near(policy: Policy, name: str) -> str:
    """Return the condition that ``name`` is a GPU resource or resembles one."""
    half = half_in(name, [each.partition("/") for each in names(policy)])
    return any_of([
        known(policy, name),
        *_respelt(policy, name),
        f"({half} && {name}.matches({pattern(half_right(policy))}))",
    ])  # fmt: skip


def resembles(policy: Policy, name: str) -> str:
    """Return the condition that ``name``, which is not a GPU resource, is a misspelt one.

    Typos in its domain and in names of device classes are not detected: any name may be a class.

    Unlike ``known_or_near``, which holds for more names than the rules, this holds for fewer.
    """
    domains = sorted({each.partition("/")[0] for each in names(policy)} - {resources.CLASS_PREFIX.rstrip("/")})
    domain = f"{name}.contains('/') && {name}.substring(0, {name}.indexOf('/')) in {texts(domains)}"
    return any_of([
        f"{name}.matches({pattern(like_mig())})",
        *_respelt(policy, name),
        f"({domain} && {name}.matches({pattern(half_right(policy, domains=False))}))",
    ])  # fmt: skip


def _respelt(policy: Policy, name: str) -> list[str]:
    own = texts(sorted(resource_typos.squashed_names(policy.own_resources)))
    return [
        f"!({name}.startsWith('hugepages-') || {name}.matches({pattern(SHAPE)}))",
        _any_prefix(name),
        f"{squashed(name)}.exists(q, {without_s('q')} in {own})",
        f"{name} == {text(resource_typos.REMOVED)}",
    ]


def squashed(name: str) -> str:
    """Return a list of one: ``name`` as by ``resource_typos.squashed``, but with its last ``s``."""
    return f"[{name}.lowerAscii().findAll('[a-z0-9]+').join('').replace('memory', 'mem')]"


def half_in(name: str, known: Iterable[tuple[str, str, str]]) -> str:
    """Return the condition that the part before or after the slash is that of a known name."""
    parts = [(domain, rest) for domain, slash, rest in known if slash]
    before, after = (texts(sorted({part[side] for part in parts})) for side in (0, 1))
    slash = f"{name}.indexOf('/')"
    domain, rest = f"{name}.substring(0, {slash})", f"{name}.substring({slash} + 1)"
    return f"{name}.contains('/') && ({domain} in {before} || {rest} in {after})"


def without_s(name: str) -> str:
    """Return ``name`` without a plural ``s``."""
    return f"({name}.endsWith('s') ? {name}.substring(0, {name}.size() - 1) : {name})"


def half_right(policy: Policy, *, domains: bool = True) -> str:
    """Return an expression for names of which one half is that of a known name and the other nearly is.

    ``domains`` is whether the other half may be the domain.
    """
    found = []
    for domain, its in sorted(_halves(policy).items()):
        near = [typo_patterns.near(rest, resource_typos.LONGEST_SHORT_REST + 1) for rest in sorted(its)]
        found.append(f"{_exactly([domain])}/({'|'.join(near)})")
        if domains:
            nearly = typo_patterns.near(domain, resource_typos.LONGEST_SHORT_DOMAIN + 1, digits=True)
            found.append(f"({nearly})/{_exactly(its)}")
    return f"^({'|'.join(found)})$"


def without_quota_prefix(name: str) -> str:
    """Return a list of one: ``name`` without the prefix of resource names in quotas."""
    cut = name
    for prefix in (*resource_typos.QUOTA_SLIPS, *resource_typos.QUOTA_PREFIXES):
        cut = f"{name}.startsWith({text(prefix)}) ? {name}.substring({len(prefix)}) : {cut}"
    return f"[{cut}]"


def _any_prefix(name: str) -> str:
    return any_of([f"{name}.startsWith({text(prefix)})" for prefix in resource_typos.QUOTA_PREFIXES])


def _exactly(names: Iterable[str]) -> str:
    names = sorted(names)
    return (
        alternatives(map(quoted, [*names])) if len(names) == 1 else f"({'|'.join(''.join(quoted(w)) for w in names)})"
    )


def _halves(policy: Policy) -> dict[str, set[str]]:
    """Return domain -> the parts after the slash."""
    domains: dict[str, set[str]] = {}
    for name in names(policy):
        domain, _, rest = name.partition("/")
        domains.setdefault(domain, set()).add(rest)
    return domains
