"""GPU203: a pod with a GPU is bound to a node by name."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import triggers
from gpu_admission.rules.common import dumped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU203"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find pod specs that name their node although they request a GPU."""
    if dumped(workload):
        return
    for pod in workload.pods:
        node = as_str(pod.spec.get("nodeName"))
        if not node or not pod.wants_gpu:
            continue
        yield Problem(
            (*pod.pointer, "nodeName"),
            (
                f"the pod requests a GPU and sets nodeName to {format_value(node)}",
                ", which bypasses the scheduler that counts free GPUs",
            ),
            (
                "remove nodeName",
                (
                    f" and choose the node with nodeSelector: {{kubernetes.io/hostname: {format_value(node)}}} or a "
                    "nodeAffinity"
                ),
            ),
        )


RULE = Rule(
    id=ID,
    name="node-name",
    severity="error",
    since="0.1.0",
    summary="nodeName together with a GPU request",
    rationale="""\
A pod created with `nodeName` bypasses the scheduler, so nothing checks that a GPU is free there: the kubelet refuses
the pod (`UnexpectedAdmissionError`, and it must be deleted by hand), or, with a sharing backend whose scheduler tracks
allocations (HAMi, Volcano, KAI, gpushare), the pod takes a card that is allocated to others. Pods exported from a
cluster are not judged.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename",
        "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  nodeName: gpu-node-1
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  nodeSelector:
    kubernetes.io/hostname: gpu-node-1
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    scope="request",
    check=check,
    when=triggers.node_name,
)
