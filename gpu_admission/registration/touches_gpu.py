"""What touches GPUs, as CEL: made from what the rules in force read of a pod, and from nothing wider.

Every pod of the cluster pays for these expressions, so they are cheap for ordinary pods: names are looked up in sets,
patterns stand behind tests that few texts pass. The API server gives one expression a budget, which it takes from
the size of what is looked at; an object that could use it up (tens of thousands of entries, as no pod has that
people write) is let through to the webhook instead of being refused for want of an answer.

Optional fields are guarded: an expression that fails under ``failurePolicy: Fail`` refuses the object. Fields
that the API server writes always (``env[].name``, ``volumeMounts[].mountPath``, ``hostPath.path``) need no guard.
"""

from __future__ import annotations

from gpu_admission.engine.rule import POD
from gpu_admission.rules import declared_reads, tolerations
from gpu_admission.workloads import resources

from . import claim_conditions, container_conditions, gpu_names, path_conditions, patterns, typo_patterns
from .cel_literals import any_of, group, indent, pattern, text, texts
from .scans import few, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from gpu_admission.engine.reads import Reads
    from gpu_admission.policy.model import Policy

_LISTS = ("containers", "initContainers", "ephemeralContainers")
_ENTRIES = ("env", "envFrom", "volumeMounts")
# How many entries are looked through: of a pod, and of all containers where those are many.
MOST_CONTAINERS, FEW_CONTAINERS, MOST_OF_ALL = 1000, 8, 20_000
MOST_NAMES = 2500  # of resources, in all containers where those are many: a fifth of the budget for 1000
MOST_TOLERATIONS, MOST_KEYS = 2000, 2000  # of those that pass a cheap test
# Annotations that request a share of a card: they make a pod one that names a GPU.
REQUESTS = (
    *resources.REQUEST_ANNOTATIONS,
    *resources.SHARE_ANNOTATIONS,
    f"{resources.CONTAINER_PREFIX}*",
    f"{resources.PORTION_PREFIX}*",
)


def pod(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs.

    ``spec`` and ``metadata`` are CEL expressions of optional values, such as ``object.?spec``.
    """
    return _any(policy, declared_reads.by_rules(policy, sight), spec, metadata, sight)


def at_mutation(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a new Pod may be repaired, or refused before the API server validates it.

    What else the rules say of it they say when it is validated: that is less to look at.
    """
    return _any(policy, declared_reads.at_mutation(policy), spec, metadata, POD)


def of_reads(policy: Policy, declared: list[Reads], spec: str, metadata: str) -> str:
    """Return the condition under which a Pod has any of these markers, or names a GPU."""
    return _any(policy, declared, spec, metadata, POD)


def _any(policy: Policy, declared: list[Reads], spec: str, metadata: str, sight: str) -> str:
    return any_of(condition for reads in declared for condition in _touches(policy, reads, spec, metadata, sight))


def marks(policy: Policy, metadata: str, sight: str = POD) -> list[str]:
    """Return conditions on annotations and labels that rules read."""
    return list(_marks(declared_reads.by_rules(policy, sight)[0], metadata, REQUESTS))


def _touches(policy: Policy, reads: Reads, spec: str, metadata: str, sight: str) -> Iterator[str]:
    inside = list(_spec(policy, reads, spec, sight))
    if not reads.beside:
        yield from inside
        yield from _marks(reads, metadata, REQUESTS)
    elif inside:
        beside = [f"{spec}.?{field}.orValue(false)" for field in reads.beside]
        yield f"{group(beside)} && (\n{indent(any_of(inside))})"


def _containers(spec: str) -> str:
    """Return all containers of a pod: one list, since every loop around a loop costs the inner one."""
    return f"({' + '.join(f'{spec}.?{field}.orValue([])' for field in _LISTS)})"


def _large() -> str:
    """Return the condition that containers ``l`` are more than the conditions can look through."""
    entries = " + ".join(f"c.?{field}.orValue([]).size()" for field in _ENTRIES)
    amounts = f"{MOST_OF_ALL // MOST_NAMES} * c.?resources.?requests.orValue({{}}).size()"
    return (
        f"l.size() > {FEW_CONTAINERS} && (l.size() > {MOST_CONTAINERS} || "
        f"l.map(c, {entries} + {amounts}).sum() > {MOST_OF_ALL})"
    )


def _spec(policy: Policy, reads: Reads, spec: str, sight: str) -> Iterator[str]:
    """Yield conditions on a pod spec."""
    container = list(container_conditions.of_container(policy, reads, sight))
    if container:
        looked = f"l.exists(c,\n{indent(any_of(container))})"
        yield f"[{_containers(spec)}].exists(l, {_large()} ||\n{looked})"
    if reads.runtime_classes:
        yield f"{spec}.?runtimeClassName.orValue('') in {texts(sorted(reads.runtime_classes))}"
    yield from path_conditions.of_volumes(reads, f"{spec}.?volumes.orValue([])", _containers(spec))
    if not reads.beside:
        yield from claim_conditions.of_pod(policy, spec)
    if reads.claims:
        yield claim_conditions.of_template(spec, _containers(spec))
    yield from _tolerations(policy, reads, spec)
    if reads.node_selector:
        yield few(
            f"{spec}.?nodeSelector.orValue({{}})",
            "k",
            "true",
            group([gpu_names.known(policy, "k", requested=False)]),
            container_conditions.MOST_AMOUNTS,
        )


def _tolerations(policy: Policy, reads: Reads, spec: str) -> Iterator[str]:
    given = f"{spec}.?tolerations.orValue([])"
    if reads.tolerations:
        daemon = (
            "(request.kind.kind == 'DaemonSet' || "
            "object.?metadata.?ownerReferences.orValue([]).exists(o, o.?kind.orValue('') == 'DaemonSet'))"
        )
        taints = found(given, "t", f"has(t.key) && t.key in {texts(sorted(reads.tolerations))}")
        yield f"{taints} && {spec}.?resourceClaims.orValue([]).size() == 0 && !{daemon}"
    if reads.near_tolerations:
        ordinary = sorted({*tolerations.ordinary(policy), *reads.near_tolerations, *gpu_names.names(policy)} - {""})
        odd = f"has(t.key) && !(t.key in {texts(ordinary)})"
        yield few(given, "t", odd, _near_taint(reads.near_tolerations), MOST_TOLERATIONS)


def _near_taint(taints: Iterable[str]) -> str:
    """Return the condition that a toleration's key nearly is one of these taints (``rules.tolerations.meant``)."""
    bare = "t.key.lowerAscii().replace('.com', '').findAll('[a-z0-9]+').join('')"
    alike = texts(sorted({tolerations.bare(taint) for taint in taints}))
    slip = pattern(typo_patterns.taints(taints))
    halves = [taint.partition("/") for taint in taints]
    near = [
        f"[{bare}].exists(q, {gpu_names.without_s('q')} in {alike})",
        f"({gpu_names.half_in('t.key', halves)} && t.key.matches({slip}))",
    ]
    shaped = f"t.key.size() <= {tolerations.LONGEST} && (t.key.contains('/') || t.key.contains('.'))"
    return f"{shaped} && {group(near)}"


def _marks(reads: Reads, metadata: str, more: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield conditions on the keys of annotations and labels."""
    yield _keyed(f"{metadata}.?annotations", {*reads.annotations, *more}, [])
    valued = [
        f"(k == {text(key)} && {metadata}.?labels[?k].orValue('') == {text(value)})"
        for key, value in sorted(reads.label_values.items())
    ]
    if valued or reads.labels:
        yield _keyed(f"{metadata}.?labels", reads.labels, valued, reads.label_values)


def _keyed(field: str, keys: Collection[str], more: list[str], of_more: Collection[str] = ()) -> str:
    """Return the condition that a mapping has a key of these, or one on which there is another condition.

    Keys are picked by a set and by how they begin, and compared with patterns then: few come so far.
    """
    cheap = group(patterns.cheap("k", {*keys, *of_more}))
    body = "\n" + indent(any_of([*patterns.keys("k", keys), *more]))
    return few(f"{field}.orValue({{}})", "k", cheap, body, MOST_KEYS)
