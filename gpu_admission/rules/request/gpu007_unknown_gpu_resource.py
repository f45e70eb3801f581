"""GPU007: a resource name that looks like a GPU's and is not one."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape, format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, own_fields, resource_rename, triggers
from gpu_admission.workloads import apiserver_resources, resources
from gpu_admission.workloads.container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Sentence
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

ID = "GPU007"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find names in limits and requests that resemble a GPU resource, each name once per container."""
    for container, name, near in resource_rename.misspelt(workload, policy):
        known = policy.classify(name) is not None  # a MIG profile: the other rules judge its amounts
        yield _problem(workload, container, name, near, uncounted=not known and _uncounted(workload, container, name))
    yield from own_fields.misspelt(ID, workload, policy)


def _uncounted(workload: Workload, container: Container, name: str) -> bool:
    """Return whether Kubernetes would refuse the amounts, as of any extended resource."""
    limit, request = container.limits.get(name, MISSING), container.requests.get(name, MISSING)
    if any(common.unfilled(workload, raw) for raw in (limit, request)):
        return False
    if limit is MISSING and common.limits_may_follow(workload, container):
        limit = request
    return apiserver_resources.refused(name, limit, request)


def _problem(workload: Workload, container: Container, name: str, near: str, *, uncounted: bool) -> Problem:
    side = "limits" if name in container.limits else "requests"
    wrong, instead = _description(name, near)
    if uncounted and not resources.is_refused(name):
        wrong = "a resource that no device plugin is known to offer, in an amount that Kubernetes refuses"
    return Problem(
        (*container.resources_pointer, side, name),
        (
            f"{container.label} requests {escape(name[:80])}: {format_value(container.resources[side][name])}",
            f", {wrong}",
        ),
        instead,
        fix=tuple(resource_rename.rename(ID, workload, container, name, near)),
        evidence=(container.limits.get(name), container.requests.get(name)),
        safety="unsafe",
        severity="error" if uncounted or resources.is_refused(name) else "warning",
    )


def _description(name: str, near: str) -> tuple[str, Sentence]:
    """Return what is wrong with a name, and what to write instead."""
    instead = f"write {near} instead"
    if near == resources.PORTABLE_MEMORY:
        instead += ", an amount of bytes, say 8Gi"
    if resources.is_refused(name):
        return "and Kubernetes refuses a resource " + ("of that name" if "/" in name else "without a domain"), instead
    if name.startswith(resources.CLASS_PREFIX):
        return "a device class that no known driver ships: without such a class the pod stays Pending forever", instead
    if "kubernetes.io/" in name:
        return "a name that Kubernetes 1.11 removed: the pod would stay Pending forever", instead
    offered = (instead, " (a cluster that does offer the other name lists it in its policy, under resources.extra)")
    if resources.mig_name(name):
        return "a MIG profile that no known card has: the pod would stay Pending forever", offered
    return "a resource that no device plugin is known to offer: the pod would stay Pending forever", offered


RULE = Rule(
    id=ID,
    name="unknown-gpu-resource",
    severity="warning",
    since="0.1.0",
    summary="a resource name that looks like a GPU's and is not one",
    rationale="""\
`nvidia.com/GPU` and `nvidia.com/gpus` are different resources from `nvidia.com/gpu`, and no node has them. Kubernetes
accepts them, because a device plugin might offer them, and the pod stays Pending forever. A name without a domain
(`gpu`, `gpu-mem`) or with a malformed one is refused, and so is a fraction, or a request without a limit, as for a GPU:
there the finding is an error. Kubernetes 1.11 removed `alpha.kubernetes.io/nvidia-gpu`. A MIG profile has to be one
that a card offers: there is no `1g.7gb`.

Other names of a vendor's domain (network cards, RDMA, `nvidia.com/TU104GL_Tesla_T4`) are not judged; a cluster's policy
lists further names (`resources.extra`). The fix assumes that the nearest name was meant: it is unsafe.""",
    references=(
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, validateContainerResourceName",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata: {name: train}
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpus: 1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata: {name: train}
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    check=check,
    when=triggers.unknown_name,
    reads=Reads(resources=True),
    reads_at_mutation=Reads(resources=True),  # the API server refuses a name without a domain by itself
    fix="unsafe",
)
