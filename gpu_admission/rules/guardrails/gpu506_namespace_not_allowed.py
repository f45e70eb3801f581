"""GPU506: a GPU in a namespace where the policy allows none."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU506"
_MOST_SHOWN = 8


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find GPU requests in namespaces that are not among the policy's, if it names any.

    A file that names no namespace may be applied to any, and is not judged.
    """
    allowed, namespace = policy.guardrails.namespaces, workload.ref.namespace
    if allowed is None or not namespace or allowed.match(namespace):
        return
    names = ", ".join(allowed.patterns[:_MOST_SHOWN]) + (", …" if len(allowed.patterns) > _MOST_SHOWN else "")
    for pod in workload.pods:
        first = next((gpu for gpu in pod.gpus if gpu.wants_gpu), None)
        if pod.wants_gpu:
            who = "the pod" if first is None else first.container.label
            what = f"{who} requests a GPU in the namespace {format_value(namespace)}"
            yield Problem(
                pod.metadata_pointer if first is None else first.pointer(),
                (what, ", where this cluster's policy allows none"),
                ("create it in a namespace for GPUs", f" ({names}), or ask the administrator to add this one"),
                evidence=(namespace,),
            )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
  namespace: {namespace}
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
    name="namespace-not-allowed",
    severity="error",
    since="0.1.0",
    summary="a GPU is requested in a namespace where the policy allows none",
    rationale="""\
Quotas and budgets are given to namespaces: where GPUs may be requested in any of them, every namespace without a quota
has all the GPUs of the cluster. The policy names the namespaces that may have GPUs (`guardrails.namespaces`, names or
shell patterns); a pod with a GPU elsewhere is refused. In contrast, `match` selects the namespaces in which the policy
applies, and `exempt` those in which it does not. A file without a namespace is not judged.""",
    references=(
        "https://kubernetes.io/docs/concepts/policy/resource-quotas/",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=_POD.format(namespace="default"),
    good=_POD.format(namespace="ml-vision"),
    policy={"guardrails": {"namespaces": ["ml-*"]}},
    default="off",
    scope="request",
    check=check,
)
