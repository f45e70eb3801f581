"""What touches GPUs, as CEL: made from what the rules in force read of a pod, and from nothing wider.

Every pod of the cluster pays for these expressions, so they are cheap for ordinary pods: names are looked up in sets,
patterns stand behind tests that few texts pass. The API server gives one expression a budget, which it takes from
the size of what is looked at; an object that could use it up (tens of thousands of entries, as no pod has that
people write) is let through to the webhook instead of being refused for want of an answer.

Optional fields are guarded: an expression that fails under ``failurePolicy: Fail`` refuses the object. Fields
that the API server writes always (``env[].name``, ``volumeMounts[].mountPath``, ``hostPath.path``) need no guard.
"""

from __future__ import annotations

from gpu_admission.core import resources
from gpu_admission.core.rule import POD
from gpu_admission.rules import read, tolerations

from . import gpu_names, patterns, slips
from .literals import any_of, group, indent, pattern, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.reads import Reads

_LISTS = ("containers", "initContainers", "ephemeralContainers")
_ENTRIES = ("env", "envFrom", "volumeMounts")
# How many entries are looked through: of a pod, of a container, and of all containers where those are many.
MOST_CONTAINERS, FEW_CONTAINERS, MOST_ENTRIES, MOST_OF_ALL = 1000, 8, 6000, 20_000
MOST_VOLUMES, MOST_TOLERATIONS, MOST_AMOUNTS, MOST_KEYS = 1000, 2000, 500, 20_000
_LONGEST_PATH = 512
# Annotations that ask for a share of a card: they make a pod one that names a GPU.
REQUESTS = (*resources.REQUEST_ANNOTATIONS, f"{resources.CONTAINER_PREFIX}*")


def pod(policy: Policy, spec: str, metadata: str, sight: str = POD) -> str:
    """Return the condition under which a pod spec has to do with GPUs.

    ``spec`` and ``metadata`` are CEL expressions of optional values, such as ``object.?spec``.
    """
    found = read.by_rules(policy, sight)
    return any_of(condition for reads in found for condition in _touches(policy, reads, spec, metadata, sight))


def marks(policy: Policy, metadata: str, sight: str = POD) -> list[str]:
    """Return conditions on annotations and labels that rules read."""
    return list(_marks(read.by_rules(policy, sight)[0], metadata, REQUESTS))


def _touches(policy: Policy, reads: Reads, spec: str, metadata: str, sight: str) -> Iterator[str]:
    inside = list(_spec(policy, reads, spec, sight))
    if not reads.beside:
        yield _large(spec)
        yield from inside
        yield from _marks(reads, metadata, REQUESTS)
    elif inside:
        beside = [f"{spec}.?{field}.orValue(false)" for field in reads.beside]
        yield f"{group(beside)} && (\n{indent(any_of(inside))})"


def _containers(spec: str) -> str:
    """Return all containers of a pod: one list, since every loop around a loop costs the inner one."""
    return f"({' + '.join(f'{spec}.?{field}.orValue([])' for field in _LISTS)})"


def _large(spec: str) -> str:
    """Return the condition that a pod's containers are more than the conditions can look through."""
    containers = _containers(spec)
    entries = " + ".join(f"c.?{field}.orValue([]).size()" for field in _ENTRIES)
    amounts = "c.?resources.?requests.orValue({}).size()"
    return (
        f"{containers}.size() > {FEW_CONTAINERS} && ({containers}.size() > {MOST_CONTAINERS} || "
        f"{containers}.map(c, {entries} + {MOST_OF_ALL // MOST_AMOUNTS // 10} * {amounts}).sum() > {MOST_OF_ALL})"
    )


def _spec(policy: Policy, reads: Reads, spec: str, sight: str) -> Iterator[str]:
    """Yield conditions on a pod spec."""
    container = list(_container(policy, reads, sight))
    if container:
        yield f"{_containers(spec)}.exists(c,\n{indent(any_of(container))})"
    if reads.runtime_classes:
        yield f"{spec}.?runtimeClassName.orValue('') in {texts(sorted(reads.runtime_classes))}"
    if reads.host_paths or reads.host_folders:
        path = patterns.path("v.hostPath.path", reads.host_paths, reads.host_folders)
        long = f"v.hostPath.path.size() > {_LONGEST_PATH}"
        yield _looked_through(f"{spec}.?volumes", "v", MOST_VOLUMES, f"has(v.hostPath) && ({long} || {path})")
    if reads.sub_path_folders:
        folder = patterns.path("v.hostPath.path", (), reads.sub_path_folders)
        mounted = "c.volumeMounts.exists(m, has(m.subPath) || has(m.subPathExpr))"
        yield (
            f"{spec}.?volumes.orValue([]).exists(v, has(v.hostPath) && {folder}) && "
            f"{_containers(spec)}.exists(c, has(c.volumeMounts) && {mounted})"
        )
    tolerated = f"{spec}.?tolerations"
    if reads.tolerations:
        daemon = (
            "(request.kind.kind == 'DaemonSet' || "
            "object.?metadata.?ownerReferences.orValue([]).exists(o, o.?kind.orValue('') == 'DaemonSet'))"
        )
        key = f"t.?key.orValue('') in {texts(sorted(reads.tolerations))}"
        taints = _looked_through(tolerated, "t", MOST_TOLERATIONS, key)
        yield f"({taints}) && {spec}.?resourceClaims.orValue([]).size() == 0 && !{daemon}"
    if reads.near_tolerations:
        near = _near_taint(policy, reads.near_tolerations)
        yield _looked_through(tolerated, "t", MOST_TOLERATIONS, f"has(t.key) && {near}")
    if reads.node_selector:
        yield _looked_through(f"{spec}.?nodeSelector", "k", MOST_AMOUNTS, group([gpu_names.known(policy, "k")]), "{}")


def _looked_through(entries: str, item: str, most: int, condition: str, nothing: str = "[]") -> str:
    """Return the condition that any of the entries meets one, or that there are too many to look through."""
    given = f"{entries}.orValue({nothing})"
    return f"{given}.size() > {most} || {given}.exists({item}, {condition})"


def _container(policy: Policy, reads: Reads, sight: str) -> Iterator[str]:
    """Yield conditions on one container ``c``."""
    # On Pods, the API server has copied the limits into the requests before it calls anybody.
    sides = ("requests",) if sight == POD else ("limits", "requests")
    names = gpu_names.known_or_near(policy, "k") if reads.resources else gpu_names.known(policy, "k")
    if not reads.beside:
        named = f"!(k in {texts(gpu_names.ORDINARY)}) && (\n{indent(names)})"
        yield f"has(c.resources) && {_of_sides(sides, named)}"
    if reads.variables:
        yield f"has(c.env) && ({_too_many('c.env')} || c.env.exists(e, {_variable(reads)}))"
    if reads.completed:
        prefix = "f.?prefix.orValue('')"
        whole = [name.rstrip(patterns.STAR) for name in reads.completed]
        families = sorted(name.rstrip(patterns.STAR) for name in reads.completed if name.endswith(patterns.STAR))
        begun = [f"{prefix} in {texts(patterns.prefixes(whole))}"]
        begun += [f"{prefix}.startsWith({text(family)})" for family in families]
        yield f"has(c.envFrom) && ({_too_many('c.envFrom')} || c.envFrom.exists(f, {group(begun)}))"
    if reads.unprefixed:
        unset = [_unset(name) for name in sorted(reads.unprefixed)]
        yield f"has(c.envFrom) && c.envFrom.exists(f, f.?prefix.orValue('') == '') && {group(unset)}"
    if reads.mounts:
        mount = patterns.path("m.mountPath", reads.mounts)
        word = _common_word(reads.mounts)
        tests = f"m.mountPath.contains({text(word)}) && {mount}" if word else mount
        yield f"has(c.volumeMounts) && ({_too_many('c.volumeMounts')} || c.volumeMounts.exists(m, {tests}))"
    if reads.privileged:
        yield "c.?securityContext.?privileged.orValue(false)"
    if reads.capabilities:
        added = "c.?securityContext.?capabilities.?add.orValue([])"
        names = texts(sorted(each for name in reads.capabilities for each in (name, f"CAP_{name}")))
        yield f"{added}.exists(a, a.upperAscii() in {names})"


def _of_sides(sides: tuple[str, ...], condition: str) -> str:
    """Return the condition on a name ``k`` among a container's amounts."""
    if len(sides) == 1:
        amounts = f"c.resources.{sides[0]}"
        return f"has({amounts}) && ({_too_many(amounts, MOST_AMOUNTS)} || {amounts}.exists(k, {condition}))"
    both = ", ".join(f"c.resources.?{side}.orValue({{}})" for side in sides)
    return f"[{both}].exists(m, {_too_many('m', MOST_AMOUNTS)} || m.exists(k, {condition}))"


def _too_many(entries: str, most: int = MOST_ENTRIES) -> str:
    return f"{entries}.size() > {most}"


def _unset(name: str) -> str:
    return f"!(has(c.env) && c.env.exists(e, e.name == {text(name)}))"


def _common_word(paths: Iterable[str]) -> str:
    """Return the last name of a path where there is but one: no spelling can do without it."""
    words = {path.rstrip("*").rpartition("/")[2] for path in paths}
    return words.pop() if len(words) == 1 else ""


def _variable(reads: Reads) -> str:
    """Return the condition that a variable ``e`` is one that a rule reads, with a value that is not harmless."""
    by_values: dict[frozenset[str], list[str]] = {}
    for name, harmless in sorted(reads.variables.items()):
        by_values.setdefault(harmless, []).append(name)
    found = []
    for harmless, names in by_values.items():
        value = f"has(e.valueFrom) || !(e.?value.orValue('') in {texts(sorted(harmless))})"
        found += [f"({named} && ({value}))" if harmless else named for named in patterns.keys("e.name", names)]
    if len(found) == 1:
        return found[0]
    return f"{group(patterns.keys('e.name', reads.variables))} && {group(found)}"  # most are none of these


def _near_taint(policy: Policy, taints: Iterable[str]) -> str:
    """Return the condition that a toleration's key nearly is one of these taints (``rules.tolerations.meant``)."""
    ordinary = sorted({*tolerations.ordinary(policy), *taints, *gpu_names.names(policy)} - {""})
    bare = "t.key.lowerAscii().replace('.com', '').findAll('[a-z0-9]+').join('')"
    alike = texts(sorted({tolerations.bare(taint) for taint in taints}))
    slip = pattern(slips.taints(taints))
    halves = [taint.partition("/") for taint in taints]
    near = [
        f"[{bare}].exists(q, {gpu_names.without_s('q')} in {alike})",
        f"({gpu_names.half_in('t.key', halves)} && t.key.matches({slip}))",
    ]
    shaped = f"t.key.size() <= {tolerations.LONGEST} && (t.key.contains('/') || t.key.contains('.'))"
    return f"!(t.key in {texts(ordinary)}) && {shaped} && {group(near)}"


def _marks(reads: Reads, metadata: str, more: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield conditions on the keys of annotations and labels."""
    yield _keyed(f"{metadata}.?annotations", patterns.keys("k", {*reads.annotations, *more}))
    labels = patterns.keys("k", reads.labels)
    valued = [
        f"(k == {text(key)} && {metadata}.?labels[?k].orValue('') == {text(value)})"
        for key, value in sorted(reads.label_values.items())
    ]
    if valued:
        some = patterns.keys("k", {*reads.labels, *reads.label_values})
        labels = [f"{group(some)} && {group([*labels, *valued])}"]  # most are none of these
    if labels:
        yield _keyed(f"{metadata}.?labels", labels)


def _keyed(field: str, conditions: list[str]) -> str:
    body = "\n" + indent(any_of(conditions))
    return _looked_through(field, "k", MOST_KEYS, body, "{}")
