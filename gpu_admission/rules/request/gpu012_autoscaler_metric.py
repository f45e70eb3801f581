"""GPU012: an autoscaler that waits for a GPU's resource metric, which does not exist."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import resource_rename, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU012"
_FIELDS = ("resource", "containerResource")


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find metrics of type Resource or ContainerResource on a GPU, or on a name that resembles one."""
    if (workload.group, workload.kind) != ("autoscaling", "HorizontalPodAutoscaler"):
        return
    for path, metric in pointers.expand(workload.object, ("spec", "metrics", "*")):
        for field in _FIELDS:
            name = as_str(as_dict(as_dict(metric).get(field)).get("name"))
            if name and (policy.classify(name) is not None or resource_rename.meant(name, policy) is not None):
                yield Problem(
                    (*workload.pointer, *path, field, "name"),
                    (
                        f"the autoscaler scales on the resource metric {escape(name[:80])}",
                        ", but Kubernetes measures only cpu and memory so, and it will never scale",
                    ),
                    (
                        "use a Pods, Object or External metric of an exporter",
                        " (DCGM_FI_DEV_GPU_UTIL by an adapter for custom metrics), or KEDA",
                    ),
                )


_HEAD = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: llm
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  maxReplicas: 4
  metrics:
"""

RULE = Rule(
    id=ID,
    name="autoscaler-metric",
    severity="warning",
    since="0.2.0",
    summary="an autoscaler that waits for a GPU's resource metric",
    rationale="""\
Metrics of type Resource come from the API metrics.k8s.io, where kubelets report CPU and memory and nothing else.
Kubernetes accepts any name: the autoscaler then reports FailedGetResourceMetric forever, and the workload stays at its
size. GPU metrics come from an exporter and reach an autoscaler as custom or external metrics.""",
    references=(
        "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#support-for-resource-metrics",
        "kubernetes/metrics: pkg/apis/metrics/v1beta1/types.go",
    ),
    bad=f"""\
{_HEAD}    - type: Resource
      resource:
        name: nvidia.com/gpu
        target: {{type: Utilization, averageUtilization: 80}}
""",
    good=f"""\
{_HEAD}    - type: Pods
      pods:
        metric: {{name: DCGM_FI_DEV_GPU_UTIL}}
        target: {{type: AverageValue, averageValue: "80"}}
""",
    scope="object",
    when=triggers.no_workload,
    check=check,
    admission_kinds=frozenset({TEMPLATE}),
)
