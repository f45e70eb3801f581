"""GPU201: a GPU is requested, and the GPU nodes' taints are not tolerated."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import toleration_slips, tolerations
from gpu_admission.rules.common import asked_vendors, serverless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU201"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods that lack a toleration of the policy; the repair adds it.

    Knative refuses tolerations in its templates (GPU205): its Pods are repaired at admission.
    """
    if not policy.tolerations or serverless(workload):
        return
    for pod in workload.pods:
        if not pod.complete or not pod.wants_gpu:
            continue
        given = pod.spec.get("tolerations")
        if given is not None and not isinstance(given, list):
            continue  # does not decode, so the API server refuses it
        known = tolerations.taints(policy)
        present = [toleration_slips.mended(each, known) for each in given or () if isinstance(each, dict)]
        missing = [
            wish
            for wish in tolerations.wanted(policy, asked_vendors(pod, policy))
            if not tolerations.tolerated(wish, present)
        ]
        if missing:
            yield _problem(workload, pod, missing)


def _problem(workload: Workload, pod: Pod, missing: list[dict[str, Any]]) -> Problem:
    place = (*pod.pointer, "tolerations")
    names = ", ".join(_shown(wish) for wish in missing)
    return Problem(
        place if isinstance(pod.spec.get("tolerations"), list) else pod.pointer,
        f"the pod requests a GPU but does not tolerate the taint of the GPU nodes: {names}",
        "add the toleration to the pod's tolerations",
        fix=_operations(workload, pod, missing),
        safety="safe",
        evidence=(missing,),
    )


def _operations(workload: Workload, pod: Pod, missing: list[dict[str, Any]]) -> tuple[Operation, ...]:
    place = (*pod.pointer, "tolerations")
    if not isinstance(pod.spec.get("tolerations"), list):
        return (patch.add(ID, workload.document, place, missing),)
    return tuple([patch.Operation(ID, "add", (*place, patch.APPEND), wish) for wish in missing])


def _shown(wish: Mapping[str, Any]) -> str:
    value = f"={wish['value']}" if wish.get("value") else ""
    effect = f":{wish['effect']}" if wish.get("effect") else ""
    return f"{wish.get('key', 'any taint')}{value}{effect}"


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
    name="missing-toleration",
    severity="info",
    since="0.1.0",
    summary="requests a GPU whose nodes are tainted, and tolerates none of the taints",
    rationale="""\
Clusters taint their GPU nodes to keep ordinary pods off them. A pod that requests a GPU and does not tolerate the taint
stays Pending forever. The policy lists the taints (`tolerations`); without them this rule reports nothing. A toleration
is compared by its meaning: one without an effect tolerates every effect, one without a key everything, and a value that
the author chose is kept, since it may select one pool of several.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",
        "kubernetes/kubernetes: plugin/pkg/admission/extendedresourcetoleration",
    ),
    bad=_POD,
    good=f"""\
{_POD}  tolerations:
    - key: nvidia.com/gpu
      operator: Exists
      effect: NoSchedule
""",
    policy={"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]},
    scope="request",
    check=check,
    fix="safe",
    may_resolve=frozenset(),
)
