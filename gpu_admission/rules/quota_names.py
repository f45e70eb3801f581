"""Quotas on names that resemble a GPU's, which limit nothing (for GPU010)."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape, format_value, is_placeholder
from gpu_admission.rules import resource_rename
from gpu_admission.workloads import resource_typos

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

_MOST = 256  # names of one object that are compared for typos

# Group and kind -> the paths of mappings from names of containers' resources to amounts,
_AMOUNTS: dict[tuple[str, str], tuple[Pointer, ...]] = {
    ("scheduling.volcano.sh", "Queue"): (
        ("spec", "capability"),
        ("spec", "deserved"),
        ("spec", "guarantee", "resource"),
    ),
    ("scheduling.sigs.k8s.io", "ElasticQuota"): (("spec", "min"), ("spec", "max")),
    ("nos.nebuly.com", "ElasticQuota"): (("spec", "min"), ("spec", "max")),
    ("karpenter.sh", "NodePool"): (("spec", "limits"),),
}
# and the paths of lists of such names.
_NAMES: dict[tuple[str, str], tuple[Pointer, ...]] = dict.fromkeys(
    (("kueue.x-k8s.io", "ClusterQueue"), ("kueue.x-k8s.io", "Cohort")),
    (
        ("spec", "resourceGroups", "*", "coveredResources", "*"),
        ("spec", "resourceGroups", "*", "flavors", "*", "resources", "*", "name"),
    ),
)


def of_queues(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find misspelt names in the objects of schedulers that divide a cluster."""
    kind = (workload.group, workload.kind)
    places = [(*at, name) for at, given in _given(workload, _AMOUNTS.get(kind, ())) for name in as_dict(given)]
    found = [(place, as_str(place[-1])) for place in places]
    found += [(at, as_str(name)) for at, name in _given(workload, _NAMES.get(kind, ()))]
    for place, name in found[:_MOST]:
        near = _meant(name, policy)
        if near is not None:
            value = f"{workload.kind} counts {escape(name[:80])}, which no device plugin is known to offer"
            yield Problem(
                (*workload.pointer, *place), (f"the {value}", ": it limits and lends nothing"), f"write {near} instead"
            )


def of_items(place: Pointer, hard: Mapping[str, object], policy: Policy) -> Iterator[Problem]:
    """Find items of a ResourceQuota's ``hard`` whose names resemble those of a GPU's quota."""
    for key in [*hard][:_MOST]:
        bare = resource_typos.without_quota_prefix(key)
        if key.startswith("count/") and "/" not in bare:
            continue  # counts objects: count/deployments.apps
        near = _meant(bare, policy)
        wrong_prefix = bare != key and not key.startswith(resource_typos.QUOTA_PREFIXES)
        if near is None and not (wrong_prefix and policy.classify(bare) is not None):
            continue
        prefix = "limits." if key.startswith("limits.") else "requests."
        value = f"the quota {escape(key[:80])}: {format_value(hard[key])} limits nothing"
        why = "no device plugin is known to offer such a resource" if near else "Kubernetes knows no quota of that name"
        counted = f"{prefix}{near or bare}"
        there = f"leave it out: {counted} is there already" if counted in hard else f"write {counted} instead"
        yield Problem((*place, key), f"{value}: {why}", there)


def _given(workload: Workload, paths: tuple[Pointer, ...]) -> Iterator[tuple[Pointer, object]]:
    for path in paths:
        yield from pointers.expand(workload.object, path)


def _meant(name: str, policy: Policy) -> str | None:
    return None if is_placeholder(name) else resource_rename.meant(name, policy)
