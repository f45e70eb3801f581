"""Items of a ResourceQuota that count no GPU (for GPU010)."""

from __future__ import annotations

from gpu_admission.backends import known as facts
from gpu_admission.backends import per_pod
from gpu_admission.core import pointer as pointers
from gpu_admission.core import quantity
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, format_value
from gpu_admission.workloads import resources

from . import quota_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

# Group and kind -> the paths of lists of a ResourceQuota's ``hard``.
PLACES: dict[tuple[str, str], Pointer] = {
    ("", "ResourceQuota"): ("spec", "hard"),
    ("quota.openshift.io", "ClusterResourceQuota"): ("spec", "quota", "hard"),
    ("kubeflow.org", "Profile"): ("spec", "resourceQuotaSpec", "hard"),
    ("hnc.x-k8s.io", "HierarchicalResourceQuota"): ("spec", "hard"),
    ("capsule.clastix.io", "Tenant"): ("spec", "resourceQuotas", "items", "*", "hard"),
}
_PORTABLE = frozenset({resources.PORTABLE_MEMORY, resources.PORTABLE_COUNT, resources.PORTABLE_CORES})


def listed(
    workload: Workload, places: Mapping[tuple[str, str], Pointer] = PLACES
) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Yield the mappings at a table's paths for the kind of an object, with their pointers."""
    pattern = places.get((workload.group, workload.kind))
    if pattern is not None:
        for path, found in pointers.expand(workload.object, pattern):
            yield (*workload.pointer, *path), as_dict(found)


def problems(place: Pointer, hard: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """Find GPU items that are not ``requests.<name>``, the only ones that Kubernetes counts.

    HAMi's scheduler is an exception: it reads ``limits.<name>`` of NVIDIA's names itself.
    """
    bare = {key: key.removeprefix("limits.") for key in hard}
    known = {key: found for key, name in bare.items() if (found := policy.classify(name)) and name not in _PORTABLE}
    systems = {policy.backend.name, *(resource.system for resource in known.values())}
    unknown = per_pod.is_per_pod(policy)
    reads_limits = not systems.isdisjoint(facts.COUNTS_QUOTA_LIMITS)
    for key, resource in known.items():
        if not (reads_limits and key != resource.name and resource.vendor == "nvidia"):
            counted, amount = f"requests.{resource.name}", format_value(hard[key])
            message = (f"the quota {key}: {amount} limits nothing", f": Kubernetes counts a GPU only as {counted}")
            there = f"leave {key} out: {counted} is there already"
            advice = there if counted in hard else f"write {counted}: {amount} instead"
            read_elsewhere = unknown and key != resource.name and resource.vendor == "nvidia"  # by HAMi's scheduler
            yield Problem((*place, key), message, advice, severity="warning" if read_elsewhere else None)
    yield from _fractions(place, hard, policy)
    yield from _portable(place, hard, policy)
    yield from quota_names.of_items(place, hard, policy)


def _fractions(place: Pointer, hard: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """Find quotas of fractions of a card: the API server accepts them, but no Pod can request less than a whole one."""
    for key, raw in hard.items():
        resource = policy.classify(key.removeprefix("requests.")) if key.startswith("requests.") else None
        if resource is None or resource.unit != "device":
            continue
        try:
            amount = quantity.parse(raw)
        except quantity.QuantityError:
            continue
        if not amount.is_integer and not amount.is_negative:
            what = f"the quota {key}: {format_value(raw)} is not a whole number"
            message = (what, ", and Kubernetes only allocates whole GPUs")
            yield Problem((*place, key), message, f"write a whole number, say {amount.ceil()}", severity="warning")


def _portable(place: Pointer, hard: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """Find items on the portable names: a quota counts Pods, which have the names of the policy's backend."""
    sharer = "the cluster's sharing system" if per_pod.is_per_pod(policy) else policy.backend.name
    for key in hard:
        if key.removeprefix("requests.").removeprefix("limits.") in _PORTABLE:
            yield Problem(
                (*place, key),
                (
                    f"the quota {key}: {format_value(hard[key])} limits nothing",
                    f": no Pod is created under that name, because admission translates the request for {sharer}",
                ),
                ("give the quota to the names that Pods arrive with", " (docs/backends.md lists them)"),
                severity="warning",
            )
