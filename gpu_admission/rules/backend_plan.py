"""Common to the rules on sharing: the plan of each pod, computed once."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod
from gpu_admission.core.finding import Problem, extended
from gpu_admission.core.raw import as_dict
from gpu_admission.workloads.resources import beyond_any_node

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from gpu_admission.backends.base import ContainerRequest
    from gpu_admission.backends.plan import PodPlan
    from gpu_admission.backends.rejection import Kind, Rejection
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

_KUEUE = "kueue.x-k8s.io/queue-name"
_QUEUED_AS_PODS = frozenset({"Pod", "Deployment"})


def of_pods(workload: Workload, policy: Policy) -> Iterator[tuple[Pod, PodPlan]]:
    """Yield each pod whose GPU requests concern the policy's backend, and its plan."""
    for pod in workload.pods:
        plan = plan_of(workload, pod, policy)
        if plan is not None:
            yield pod, plan


def plan_of(workload: Workload, pod: Pod, policy: Policy) -> PodPlan | None:
    """Return the plan of a pod, computed once; None where its GPU requests do not concern the backend."""
    if "sharing" not in pod.cache:
        pod.cache["sharing"] = _work_out(workload, pod, policy)
    plan: PodPlan | None = pod.cache["sharing"]
    return plan


def _work_out(workload: Workload, pod: Pod, policy: Policy) -> PodPlan | None:
    """Return the plan of a pod; None where its GPU requests do not concern the backend."""
    if pod.scope != "request":
        return None
    place = metadata_place(pod)
    if not (place and pod.annotated) and _is_plain(pod, policy):
        return None
    from gpu_admission.backends import plan as plans  # noqa: PLC0415 - start-up time: not needed without GPUs

    if pod.annotated:
        value = asked_by_annotation(pod, policy)
        if any(common.unfilled(workload, each) for each in (*value, *value.values())):
            return None  # placeholders among amounts are skipped by the rules on amounts
    if policy.backend.parameters.get("sharedClaims"):
        from gpu_admission.backends import dra_shared  # noqa: PLC0415 - start-up time: needed only for translate --claims

        dra_shared.note(workload, pod)
    labels = _labels_of_owner(workload)
    plan = plans.work_out(pod, pod.metadata if place else {}, place, policy, labels, workload.claim_index)
    return plan if plan.asked or plan.rejections else None


def _labels_of_owner(workload: Workload) -> Mapping[str, Any]:
    return {} if workload.is_pod else as_dict(as_dict(workload.object.get("metadata")).get("labels"))


def asked_by_annotation(pod: Pod, policy: Policy) -> Mapping[str, Any]:
    """Return the annotations by which a pod requests a share of a card; none where it does not."""
    if not pod.annotated:
        return {}
    from gpu_admission.backends import kai_annotations  # noqa: PLC0415 - as above

    return kai_annotations.asked(
        pod, pod.metadata, certain=per_pod.backend_name(pod, policy) in known.READS_ANNOTATIONS
    )


def _is_plain(pod: Pod, policy: Policy) -> bool:
    """Return whether containers request no GPU, or whole ones where the policy shares none: no backend is concerned."""
    plain = known.PLAIN.get(per_pod.backend_name(pod, policy), ())
    if policy.scheduler_name or "translateFrom" in policy.spec:
        plain = ()
    if pod.claims.gpu and "translateFrom" in policy.spec:
        return False
    for container in pod.containers:
        gpus = container.gpus
        if gpus and not (len(gpus) == 1 and _is_plain_request(gpus[0], plain)):
            return False
    return True


def _is_plain_request(gpu: GpuRequest, plain: Collection[str]) -> bool:
    amount = gpu.quantity()
    return gpu.resource.system in plain and (amount is None or not beyond_any_node(gpu.resource, amount.ceil()))


def metadata_place(pod: Pod) -> Pointer | None:
    """Return the pointer to the pods' metadata, even if it is missing; None where the kind has no place for it."""
    if pod.holder is not None:
        return (*pod.holder, "metadata")
    return (*pod.pointer, "metadata") if isinstance(pod.spec.get("metadata"), dict) else None


def refusals(workload: Workload, policy: Policy, kind: Kind) -> Iterator[Problem]:
    """Yield a backend's rejections of one kind."""
    for _, plan in of_pods(workload, policy):
        for rejection in plan.rejections:
            if rejection.kind == kind:
                advice = extended(rejection.advice, _other_policy(policy, rejection))
                evidence = rejection.evidence
                yield Problem(
                    rejection.pointer, rejection.message, advice, severity=rejection.severity, evidence=evidence
                )


def _other_policy(policy: Policy, rejection: Rejection) -> str:
    """Name the other backend to which a request's names belong: the manifest may be for another cluster."""
    system = rejection.system
    if system is None or system == policy.backend.name or per_pod.is_per_pod(policy):
        return ""
    from gpu_admission.backends import registry  # noqa: PLC0415 - as above

    if system not in registry.NAMES:
        return ""
    return f"; these are names of {registry.named(system).title}: use the policy {system}"


def quota(workload: Workload, pod: Pod, asked: ContainerRequest) -> str:
    """Return a clause on where Kueue would count the old name: it reads the template before there are pods.

    For a Pod, and for a Deployment, whose Pods it queues one by one, it counts the names after admission. Sources:
    kubernetes-sigs/kueue pkg/workload/workload.go (totalRequestsFromPodSets), pkg/controller/jobs, and
    site/content/en/docs/tasks/manage/administer_cluster_quotas.md.
    """
    own = as_dict(as_dict(workload.object.get("metadata")).get("labels"))
    if workload.kind in _QUEUED_AS_PODS:
        return ""
    if _KUEUE not in own and _KUEUE not in as_dict(as_dict(pod.spec.get("metadata")).get("labels")):
        return ""
    if not asked.native_request.gpus:
        return "; Kueue counts what is written here, no GPU at all: translate the file"
    old = ", ".join(asked.native_request.gpus)
    if asked.backend_patch is not None and not asked.backend_patch.resources:
        return (
            f"; Kueue counts what is written here, {old}, and nothing of what it becomes: where it is to count "
            "this, leave the file as it is (Pods are translated when they are admitted), and give the ClusterQueue a "
            "quota for it"
        )
    return (
        f"; Kueue counts what is written here, {old}: translate the file, or give the ClusterQueue a quota for that "
        "name, or map it by resources.transformations in Kueue's configuration"
    )
