"""GPU504: a pod with a GPU that may run on any kind of GPU node."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, node_selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU504"
_MOST_SHOWN = 3


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods with a GPU that do not select their node by a label of GPU nodes.

    Knative refuses selectors and affinities in its templates (GPU205): its Pods are judged at admission.
    """
    if common.serverless(workload):
        return
    labels = policy.guardrails.node_labels
    for pod in workload.pods:
        selector = pod.spec.get("nodeSelector")
        if not pod.complete or not pod.wants_gpu or pod.spec.get("nodeName") or not isinstance(selector, dict | None):
            continue
        if not node_selection.is_selected(pod, labels):
            yield _problem(workload, pod, policy)


def _problem(workload: Workload, pod: Pod, policy: Policy) -> Problem:
    patterns = policy.guardrails.node_labels.patterns
    allowed = ", ".join(map(format_value, patterns[:_MOST_SHOWN])) + (", …" if len(patterns) > _MOST_SHOWN else "")
    added = _added(pod, policy)
    labels = ", ".join(f"{key}: {format_value(value)}" for key, value in added.items())
    advice = labels or "a label of the GPU nodes it needs"
    selector = (*pod.pointer, "nodeSelector")
    return Problem(
        selector if isinstance(pod.spec.get("nodeSelector"), dict) else pod.pointer,
        (
            "the pod requests a GPU and does not select its node",
            f" by a label of GPU nodes ({allowed}): it may run on any kind of GPU node",
        ),
        (f"write {advice} under nodeSelector", ", or require such a label by node affinity"),
        fix=_selected(workload, pod, selector, added),
        safety="safe",
        evidence=(),
    )


def _selected(workload: Workload, pod: Pod, selector: Pointer, added: Mapping[str, str]) -> tuple[Operation, ...]:
    if added and pod.spec.get("nodeSelector") is None:
        return (patch.add(ID, workload.document, selector, dict(added)),)
    return tuple(patch.Operation(ID, "add", (*selector, key), value) for key, value in added.items())


def _added(pod: Pod, policy: Policy) -> dict[str, str]:
    """Return the policy's labels for the vendors of the cards that a pod requests, all of which must match."""
    vendors = common.asked_vendors(pod, policy)
    found = policy.guardrails.node_selector
    return {each["key"]: each["value"] for each in found if not each.get("vendors") or vendors & {*each["vendors"]}}


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="node-targeting",
    severity="warning",
    since="0.1.0",
    summary="requests a GPU and does not select its node by a label of GPU nodes",
    rationale="""\
Where a cluster has several kinds of GPU node, a pod that only requests `nvidia.com/gpu` is placed on any of them: a
small job on the largest cards, a large one where it does not fit into memory. A toleration lets a pod run on GPU nodes
and does not bring it there. A label of GPU nodes in `nodeSelector`, or in every term of the required node affinity,
selects the kind. The policy defines which labels count (`guardrails.nodes.labels`); by default the well-known ones of
GPU Feature Discovery, AMD's and Intel's labellers, GKE, EKS, Karpenter and AKS.

The fix adds the labels that the policy names (`guardrails.nodes.add`), for the vendors that it names, to pods that
select none. It is safe: the administrator chose labels that the nodes of such pods have.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/",
        "NVIDIA/k8s-device-plugin: docs/gpu-feature-discovery/README.md",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=_POD,
    good=f'{_POD}  nodeSelector:\n    nvidia.com/gpu.present: "true"\n',
    policy={"guardrails": {"nodes": {"add": [{"key": "nvidia.com/gpu.present", "value": "true"}]}}},
    default="off",
    scope="request",
    check=check,
    fix="safe",
    may_resolve=frozenset(),
)
