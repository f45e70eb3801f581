"""Conditions on a pod's volumes: host paths in every form that ``rules.host_paths`` normalises, and mounts.

Most pods have no volume that could matter, by the sources of their volumes alone. An expression for paths is long, and
its cost is in proportion: a path is compared only if it has a part that every form of the paths has.
"""

from __future__ import annotations

from gpu_admission.rules import host_paths

from .cel_literals import any_of, group, indent, pattern, text
from .scans import MOST, few

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gpu_admission.engine.reads import Reads

# Limits: volumes, paths that pass a cheap test, characters of a path.
MOST_VOLUMES, MOST_PATHS, LONGEST = 1000, 30, 256
_SEVERAL = 3  # places with the same first name are tested for by that


def of_volumes(reads: Reads, volumes: str, containers: str) -> Iterator[str]:
    """Yield the condition on the volumes of a pod and their mounts, if rules read any.

    ``volumes`` and ``containers`` are CEL lists.
    """
    tests = [*_host_paths(reads), *_mounts(reads, containers)]
    if not tests:
        return
    harmless = frozenset.intersection(*reads.mounts.values()) if reads.mounts else None
    risky = (
        "has(v.hostPath)" if harmless is None else f"!({' || '.join(f'has(v.{each})' for each in _order(harmless))})"
    )
    inside = indent(any_of([f"r.size() > {MOST_VOLUMES}", *tests]))
    yield f"{volumes}.size() > {MOST} || [{volumes}.filter(v, {risky})].exists(r, r.size() > 0 && (\n{inside}))"


def _order(sources: frozenset[str]) -> list[str]:
    """Return sources of volumes, the most common first: nearly every pod has a projected volume for its token."""
    common = ["projected", "configMap", "secret", "emptyDir"]
    return sorted(sources, key=lambda each: (common.index(each) if each in common else len(common), each))


def _host_paths(reads: Reads) -> Iterator[str]:
    path = "v.hostPath.path"
    if reads.host_paths:
        cheap = f"has(v.hostPath) && ({path}.size() > {LONGEST} || {may_lead(path, reads.host_paths)})"
        yield few("r", "v", cheap, leads_to(path, below(reads.host_paths)), MOST_PATHS)
    if reads.host_parents:
        yield few("r", "v", "has(v.hostPath)", leads_to(path, f"^{host_paths.above()}"), MOST_PATHS)


def _mounts(reads: Reads, containers: str) -> Iterator[str]:
    tests = []
    if reads.mounts:
        (word,) = {path.rstrip("*").rpartition("/")[2] for path in reads.mounts}
        place = leads_to("m.mountPath", rf"{below(reads.mounts)}|(^|/)\.\.(/|$)")
        cheap = f"m.mountPath.contains({text(word)})"
        tests.append(few("c.volumeMounts", "m", cheap, f"{place} && r.exists(v, v.name == m.name)", MOST_PATHS))
    if reads.sub_paths:
        tests.append(
            "r.exists(v, has(v.hostPath)) && "
            + few("c.volumeMounts", "m", "has(m.subPath) || has(m.subPathExpr)", sub_path(reads), MOST_PATHS)
        )
    if tests:
        yield f"{containers}.exists(c, has(c.volumeMounts) && {group(tests)})"


def sub_path(reads: Reads) -> str:
    """Return the condition that a mount ``m`` of a hostPath leads to one of the places through its sub-path.

    If that depends on variables, every folder above devices counts.
    """
    joined = "[v.hostPath.path + '/' + m.?subPath.orValue(m.?subPathExpr.orValue(''))]"
    leads = f"{joined}.exists(p, {may_lead('p', reads.sub_paths)} && {leads_to('p', below(reads.sub_paths))})"
    above = f"^{host_paths.folders(host_paths.SUB_PATH_PARENTS)}"
    open_ended = f"(m.?subPathExpr.orValue('').contains('$') && {leads_to('v.hostPath.path', above)})"
    return f"r.exists(v, v.name == m.name && has(v.hostPath) && ({open_ended} || {leads}))"


def leads_to(path: str, expression: str) -> str:
    """Return the condition that a path matches an expression, or is too long to be compared."""
    return f"({path}.size() > {LONGEST} || {path}.matches({pattern(expression)}))"


def may_lead(path: str, places: frozenset[str]) -> str:
    """Return a cheap condition that every form of the places meets: their plain text, or unusual parts of a path."""
    by_first: dict[str, list[str]] = {}
    for place in sorted(places):
        by_first.setdefault(place.split("/")[1], []).append(place.rstrip("*"))
    known = [word for first, its in by_first.items() for word in ([f"/{first}/"] if len(its) >= _SEVERAL else its)]
    tests = [f"{path}.contains({text(word)})" for word in (*known, "//", "/.")]
    return group([*tests, *[f"{path}.contains('/proc/')"] * ("/proc/" not in known), f"!{path}.startsWith('/')"])


def below(places: Collection[str]) -> str:
    """Return an expression for all forms of the places and of what is below them."""
    return f"^{host_paths.ROOT_LINKS}{host_paths.pattern_of_any(places)}"
