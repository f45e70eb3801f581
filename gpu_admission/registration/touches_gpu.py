"""The condition that a pod has to do with GPUs, in CEL: generated from exactly what the rules in force read.

They are evaluated for every pod of the cluster, so they are cheap for ordinary pods: names are looked up in sets,
patterns are only evaluated after tests that few strings pass. The API server has a budget for each expression, spent in
proportion to the size of the data; an object that could exceed it (by tens of thousands of entries, which no real pod
has) is sent to the webhook instead of being rejected for an error.

Optional fields are guarded: an evaluation error under ``failurePolicy: Fail`` rejects the object. Fields that the API
server always writes (``env[].name``, ``volumeMounts[].mountPath``, ``hostPath.path``) need no guard.
"""

from __future__ import annotations

from gpu_admission.engine.rule import POD
from gpu_admission.rules import declared_reads, tolerations
from gpu_admission.workloads import share_annotations

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
# The most entries that are tested: of a pod, and of all containers where those are many.
MOST_CONTAINERS, FEW_CONTAINERS, MOST_OF_ALL = 1000, 8, 20_000
MOST_NAMES = 2500  # of resources, in all containers where those are many: a fifth of the budget for 1000
MOST_TOLERATIONS, MOST_KEYS = 2000, 2000  # limits for those that pass a cheap test
# Annotations that request a share of a card: a pod with one counts as naming a GPU.
REQUESTS = (
    *share_annotations.REQUEST_ANNOTATIONS,
    *share_annotations.SHARE_ANNOTATIONS,
    f"{share_annotations.CONTAINER_PREFIX}*",
    f"{share_annotations.PORTION_PREFIX}*",
)


def pod(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs.

    ``spec`` and ``metadata`` are CEL expressions of optional values, such as ``object.?spec``.
    """
    return _any(policy, declared_reads.by_rules(policy, sight), spec, metadata, sight)


def at_mutation(policy: Policy, spec: str, metadata: str) -> str:
    """Return the condition under which a new Pod may be repaired, or refused before the API server validates it.

    All other rules judge it at validation, so that this condition is smaller.
    """
    return _any(policy, declared_reads.at_mutation(policy), spec, metadata, POD)


def of_reads(policy: Policy, declared: list[Reads], spec: str, metadata: str) -> str:
    """Return the condition that a Pod has any of these markers, or names a GPU."""
    return _any(policy, declared, spec, metadata, POD)


def _any(policy: Policy, declared: list[Reads], spec: str, metadata: str, sight: str) -> str:
    return any_of(condition for reads in declared for condition in _touches(policy, reads, spec, metadata, sight))


def marks(policy: Policy, metadata: str, sight: str = POD) -> list[str]:
    """Return the conditions on annotations and labels that rules read."""
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
    """Return all containers of a pod in one list: an outer loop would multiply the cost of the inner one."""
    return f"({' + '.join(f'{spec}.?{field}.orValue([])' for field in _LISTS)})"


def _large() -> str:
    """Return the condition that containers ``l`` have more entries than the conditions can test."""
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
        names = group([gpu_names.known(policy, "k", requested=False)])
        yield few(f"{spec}.?nodeSelector.orValue({{}})", "k", "true", names, container_conditions.MOST_AMOUNTS)


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
    """Return the condition that a toleration's key resembles one of these taints (``rules.tolerations.meant``)."""
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
    """Return the condition that a mapping has one of these keys, or one that meets another condition.

    Keys are selected by a set and by prefixes, and only the few remaining ones are compared with patterns.
    """
    cheap = group(patterns.cheap("k", {*keys, *of_more}))
    body = "\n" + indent(any_of([*patterns.keys("k", keys), *more]))
    return few(f"{field}.orValue({{}})", "k", cheap, body, MOST_KEYS)
