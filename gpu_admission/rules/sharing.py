"""What the rules on sharing have in common: the plan of each pod, worked out once."""

from __future__ import annotations

from gpu_admission.backends import plan as plans
from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Problem
from gpu_admission.core.shape import mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.backends.base import Kind
    from gpu_admission.backends.plan import Plan
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod, Workload


def of_pods(workload: Workload, policy: Policy) -> Iterator[tuple[Pod, Plan]]:
    """Yield each pod whose GPU requests concern the policy's backend, and what becomes of it."""
    for pod in workload.pods:
        plan = pod.memo.get("sharing")
        if plan is None:
            plan = pod.memo["sharing"] = _work_out(workload, pod, policy)
        if plan.asked or plan.verdicts:
            yield pod, plan


def _work_out(workload: Workload, pod: Pod, policy: Policy) -> Plan:
    if pod.holder is None:
        return plans.work_out(pod, {}, None, policy)
    metadata = mapping(mapping(pointers.resolve(workload.document, pod.holder)).get("metadata"))
    return plans.work_out(pod, metadata, (*pod.holder, "metadata"), policy)


def refusals(workload: Workload, policy: Policy, kind: Kind) -> Iterator[Problem]:
    """Yield what a backend refuses for one kind of reason."""
    for _, plan in of_pods(workload, policy):
        for verdict in plan.verdicts:
            if verdict.kind == kind:
                yield Problem(verdict.pointer, verdict.message, verdict.advice, severity=verdict.severity)


def serverless(workload: Workload) -> bool:
    """Tell whether Knative passes the pod spec on: it refuses most fields of placement in its templates."""
    if workload.group == "serving.knative.dev":
        return True
    if workload.group != "serving.kserve.io" or workload.kind != "InferenceService":
        return False
    annotations = mapping(mapping(workload.object.get("metadata")).get("annotations"))
    return annotations.get("serving.kserve.io/deploymentMode") not in {"RawDeployment", "Standard", "ModelMesh"}
