"""GPU209: a nodeSelector on a GPU label with a value that no node has."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, format_value, is_placeholder
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import node_labels, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU209"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find values that nearly are those which the labels have: in files, and in pods that request a GPU."""
    for pod in workload.pods:
        if not pod.wants_gpu and workload.origin != "file":
            continue
        for label, value in as_dict(pod.spec.get("nodeSelector")).items():
            near = (
                node_labels.meant(label, value, policy)
                if isinstance(value, str) and not is_placeholder(value)
                else None
            )
            if near is not None:
                place = (*pod.pointer, "nodeSelector", label)
                yield Problem(
                    place,
                    f"the nodeSelector requires {label}: {format_value(value)}, a value that no node is labelled with: "
                    "the pod would stay Pending forever",
                    f'write "{near}"',
                    fix=(patch.replace(ID, place, near),),
                    safety="unsafe",
                )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  nodeSelector:
"""
_CONTAINERS = """\
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="node-label-value",
    severity="warning",
    since="0.2.0",
    summary="a nodeSelector on a GPU label with a value that no node has",
    rationale="""\
Label values are compared letter by letter, and nothing refuses one that no node has: the pod stays Pending. The labels
of GPU nodes are written by machines, in one spelling: `nvidia.com/gpu.present` is `true` and never `True` or `yes`,
products have dashes for spaces, and GKE has one list of accelerators.""",
    references=(
        "https://github.com/NVIDIA/k8s-device-plugin/tree/main/docs/gpu-feature-discovery",
        "https://cloud.google.com/kubernetes-engine/docs/concepts/gpus",
    ),
    bad=f'{_POD}    nvidia.com/gpu.present: "True"\n{_CONTAINERS}',
    good=f'{_POD}    nvidia.com/gpu.present: "true"\n{_CONTAINERS}',
    scope="request",
    check=check,
    when=triggers.node_selector,
    fix="unsafe",
)
