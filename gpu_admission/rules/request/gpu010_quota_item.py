"""GPU010: a quota or LimitRange item on a GPU that does not have the effect it seems to have."""

from __future__ import annotations

from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import quota_names, quotas, triggers

from . import limit_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU010"

# Group and kind -> the paths of items of a LimitRange's ``limits``.
_RANGES: dict[tuple[str, str], Pointer] = {
    ("", "LimitRange"): ("spec", "limits", "*"),
    ("capsule.clastix.io", "Tenant"): ("spec", "limitRanges", "items", "*", "limits", "*"),
}


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find quota items that count nothing, and LimitRange items that give GPUs to other pods, or refuse those."""
    for place, hard in quotas.listed(workload):
        yield from quotas.problems(place, hard, policy)
    yield from quota_names.of_queues(workload, policy)
    for place, item in quotas.listed(workload, _RANGES):
        yield from limit_range.problems(workload, place, item, policy)


RULE = Rule(
    id=ID,
    name="quota-item",
    severity="error",
    since="0.1.0",
    summary="a quota or LimitRange item on a GPU that does not have the effect it seems to have",
    rationale="""\
A ResourceQuota counts a GPU only as `requests.nvidia.com/gpu`. `limits.nvidia.com/gpu`, or the bare name, is accepted
and counts nothing: the namespace has no limit at all (unless HAMi's scheduler reads it). So does one on a portable name
(`requests.gpu-admission.io/gpu-mem`): a quota counts Pods, which have the names of the policy's backend.

In a LimitRange, `default` and `defaultRequest` apply to every container of the namespace, so both must be the same
whole number, or every Pod is refused. And an item of type Container with a `max` and no `default` makes the maximum the
default: every container that never requested a GPU gets one. With type Pod, or a `min`, every pod *without* a GPU is
refused.

A name that no device plugin offers (`requests.nvidia.com/gpus`) counts nothing either, in a ResourceQuota, a Kueue
ClusterQueue, a Volcano Queue, an ElasticQuota or a Karpenter NodePool.""",
    references=(
        "https://kubernetes.io/docs/concepts/policy/resource-quotas/#resource-quota-for-extended-resources",
        "kubernetes/kubernetes: pkg/quota/v1/evaluator/core/pods.go, isExtendedResourceNameForQuota",
        "kubernetes/kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_LimitRangeItem",
    ),
    bad="""\
apiVersion: v1
kind: ResourceQuota
metadata: {name: gpus}
spec:
  hard:
    limits.nvidia.com/gpu: 8
---
apiVersion: v1
kind: LimitRange
metadata: {name: defaults}
spec:
  limits:
    - type: Container
      max:
        memory: 64Gi
        nvidia.com/gpu: 2
""",
    good="""\
apiVersion: v1
kind: ResourceQuota
metadata: {name: gpus}
spec:
  hard:
    requests.nvidia.com/gpu: 8
---
apiVersion: v1
kind: LimitRange
metadata: {name: defaults}
spec:
  limits:
    - type: Container
      max:
        memory: 64Gi
""",
    scope="object",
    when=triggers.no_workload,
    check=check,
    admission_kinds=frozenset({TEMPLATE}),
)
