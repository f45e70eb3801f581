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
    from gpu_admission.core.pointer import Pointer
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
    place = metadata_place(pod)
    if place is None:
        return plans.work_out(pod, {}, None, policy)
    metadata = mapping(pointers.resolve(workload.document, place[:-1])).get("metadata")
    return plans.work_out(pod, mapping(metadata), place, policy)


def metadata_place(pod: Pod) -> Pointer | None:
    """Return where the metadata of the pods stands, or would stand; None where the kind has no place for it."""
    if pod.holder is not None:
        return (*pod.holder, "metadata")
    return (*pod.pointer, "metadata") if isinstance(pod.spec.get("metadata"), dict) else None


def refusals(workload: Workload, policy: Policy, kind: Kind) -> Iterator[Problem]:
    """Yield what a backend refuses for one kind of reason."""
    for _, plan in of_pods(workload, policy):
        for verdict in plan.verdicts:
            if verdict.kind == kind:
                yield Problem(verdict.pointer, verdict.message, verdict.advice, severity=verdict.severity)
