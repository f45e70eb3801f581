"""Conditions on a container, ``c``: the resources that it requests, and its environment variables."""

from __future__ import annotations

from gpu_admission.engine.rule import POD

from . import gpu_names, patterns
from .cel_literals import any_of, group, indent, text, texts
from .scans import MOST, few, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_admission.engine.reads import Reads
    from gpu_admission.policy.model import Policy

MOST_VARIABLES, MOST_AMOUNTS = 1000, 500  # limits for a container, of those that pass a cheap test
# A name like one of a GPU, requested without a limit.
_BARE = "k.contains('/') && k.lowerAscii().contains('gpu') && !(has(c.resources.limits) && k in c.resources.limits)"
_KNOWN_TEXT = "^[^$]+$"  # a value without references, and not empty


def of_container(policy: Policy, reads: Reads, sight: str) -> Iterator[str]:
    """Yield the conditions of which one holds if a container has what rules read."""
    if not reads.beside:
        yield _resources(policy, reads, sight)
    if reads.bare_requests and (reads.beside or sight != POD):
        yield f"has(c.resources) && has(c.resources.requests) && {found('c.resources.requests', 'k', _BARE)}"
    if reads.variables:
        yield f"has(c.env) && {_variables(reads)}"
    yield from _sources(reads)
    if reads.privileged:
        yield "c.?securityContext.?privileged.orValue(false)"
    if reads.capabilities:
        names = texts(sorted(each for name in reads.capabilities for each in (name, f"CAP_{name}")))
        yield f"c.?securityContext.?capabilities.?add.orValue([]).exists(a, a.upperAscii() in {names})"


def _sources(reads: Reads) -> Iterator[str]:
    """Yield the conditions that an ``envFrom`` could set a variable that a rule reads."""
    if reads.completed:
        exact = sorted({name.rstrip(patterns.STAR) for name in reads.completed})
        begun = [f"f.prefix in {texts(patterns.prefixes(exact))}"]
        begun += [f"f.prefix.startsWith({text(name[:-1])})" for name in sorted(reads.completed) if name.endswith("*")]
        yield f"has(c.envFrom) && {found('c.envFrom', 'f', f'has(f.prefix) && {group(begun)}')}"
    if reads.unprefixed:
        names = texts(sorted(reads.unprefixed))
        given = f"c.?env.orValue([]).filter(e, e.name in {names}).map(e, e.name)"
        bare = found("c.envFrom", "f", "f.?prefix.orValue('') == ''")
        yield f"has(c.envFrom) && {bare} && [{given}].exists(n, {names}.exists(k, !(k in n)))"


def _resources(policy: Policy, reads: Reads, sight: str) -> str:
    known = gpu_names.known_or_near(policy, "k") if reads.resources else gpu_names.known(policy, "k")
    names = "\n" + indent(known)
    ordinary = f"!(k in {texts(gpu_names.ORDINARY)})"
    if sight == POD:  # the API server copies limits into requests before it calls webhooks
        if reads.bare_requests:  # in the same loop, which is most of the cost
            names = "\n" + indent(any_of([known, f"({_BARE})"]))
        looked = few("c.resources.requests", "k", ordinary, names, MOST_AMOUNTS)
        return f"has(c.resources) && has(c.resources.requests) && {looked}"
    both = "[c.resources.?limits.orValue({}), c.resources.?requests.orValue({})]"
    return f"has(c.resources) && {both}.exists(m, {few('m', 'k', ordinary, names, MOST_AMOUNTS)})"


def _variables(reads: Reads) -> str:
    """Return the condition that a container sets a variable that a rule reads to a value that is not harmless.

    Nearly all variables are others, for which a single look-up in a set of names must suffice.
    """
    tests = [_with_values({name: reads.variables[name] for name in reads.variables if name not in reads.unless})]
    for name, others in sorted(reads.unless.items()):
        alone = _with_values({name: reads.variables[name]})
        tests.append(f"n.exists(e, {alone}) && !({is_set(others)})")
    tests[0] = f"n.exists(e, {tests[0]})" if tests[0] else "false"
    named = f"c.env.filter(e, {names_one_of(reads.variables)})"
    looked = f"[{named}].exists(n, n.size() > {MOST_VARIABLES} || {group(tests)})"
    return f"(c.env.size() > {MOST} || {named}.size() > 0 && {looked})"


def names_one_of(variables: Mapping[str, object]) -> str:
    """Return the condition that a variable ``e`` is one of these, or of one of these families."""
    exact = f"e.name in {texts(sorted(name for name in variables if not name.endswith(patterns.STAR)))}"
    families = sorted(name[:-1] for name in variables if name.endswith(patterns.STAR))
    begun = group([f"e.name.startsWith({text(name)})" for name in families]) if families else ""
    if len(families) > 1 and (common := patterns.in_all(families)):
        begun = f"(e.name.contains({text(common)}) && {begun})"
    return f"{exact} || {begun}" if begun else exact


def _with_values(variables: Mapping[str, frozenset[str]]) -> str:
    """Return the condition that a variable ``e`` is one of these, with a value that is not harmless."""
    by_values: dict[frozenset[str], list[str]] = {}
    for name, harmless in sorted(variables.items()):
        by_values.setdefault(harmless, []).append(name)
    tests = []
    for harmless, names in by_values.items():
        value = f"has(e.valueFrom) || !(e.?value.orValue('') in {texts(sorted(harmless))})"
        tests += [f"({named} && ({value}))" if harmless else named for named in patterns.keys("e.name", names)]
    return group(tests) if tests else ""


def is_set(others: Mapping[str, bool]) -> str:
    """Return the condition that ``env`` sets one of the variables, where required to a value that is not empty."""
    plain = sorted(name for name, filled in others.items() if not filled)
    tests = [f"c.env.exists(x, x.name in {texts(plain)})"] * bool(plain)
    for name in sorted(name for name, filled in others.items() if filled):
        known = f"x.?value.orValue('').matches({text(_KNOWN_TEXT)})"
        tests.append(f"(c.env.exists(x, x.name == {text(name)}) && c.env.all(x, x.name != {text(name)} || {known}))")
    return any_of(tests)
