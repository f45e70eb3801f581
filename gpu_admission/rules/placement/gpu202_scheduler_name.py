"""GPU202: a pod that its sharing backend's scheduler does not place."""

from __future__ import annotations

from gpu_admission.backends import per_pod
from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.policy.model import KEEP_SCHEDULER
from gpu_admission.rules import backend_plan, common, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.backends.plan import PodPlan
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU202"
_UNSET = frozenset({"", "default-scheduler"})  # the API server writes the latter by default


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods with no scheduler, or another than the policy's; one that an author chose is not overwritten."""
    for pod, plan in backend_plan.of_pods(workload, policy):
        wanted = policy.scheduler_name or plan.backend.scheduler
        if not plan.served or wanted is None:
            continue
        place, value = common.scheduler(workload, pod)
        if value == wanted or (per_pod.is_per_pod(policy) and value in plan.backend.sister_schedulers):
            continue
        if value not in _UNSET:
            yield _chosen(workload, pod, plan, (place, value, wanted), policy)
        elif pod.complete and not common.serverless(workload):
            yield _unset(workload, pod, plan, wanted, policy)


def _overwrites(policy: Policy, value: str) -> bool:
    """Return whether a scheduler that an author chose may be replaced: any, or only certain ones (``translate``)."""
    allowed = policy.spec.get("overwriteSchedulerName")
    return allowed is True or (isinstance(allowed, frozenset) and value in allowed)


def _unset(workload: Workload, pod: Pod, plan: PodPlan, wanted: str, policy: Policy) -> Problem:
    place = (*pod.pointer, "schedulerName")
    # At admission the API server has written the default; in a file its author has.
    explicit = workload.origin == "file" and bool(pod.spec.get("schedulerName")) and not common.dumped(workload)
    found = "schedulerName is set to default-scheduler explicitly" if explicit else "schedulerName is not set"
    kept = explicit and bool(policy.spec.get(KEEP_SCHEDULER))
    return Problem(
        place if "schedulerName" in pod.spec else plan.asked[0].native_request.pointer,
        (
            f"{_asks(plan)}, and {found}",
            f": {wanted} allocates those GPUs, the default scheduler does not know which are in use",
        ),
        (f"write schedulerName: {wanted}", " into the pod's spec"),
        fix=(patch.add(ID, workload.document, place, wanted),),
        safety="unsafe" if kept or per_pod.is_per_pod(policy) else "safe",
        severity="info",
        evidence=(),
    )


def _chosen(workload: Workload, pod: Pod, plan: PodPlan, names: tuple[Pointer, str, str], policy: Policy) -> Problem:
    place, value, wanted = names
    own = (*pod.pointer, "schedulerName")
    fix = (patch.replace(ID, own, wanted) if place == own else patch.add(ID, workload.document, own, wanted),)
    unknown = per_pod.is_per_pod(policy)  # the cluster, where the scheduler may run under another name
    where = (
        f"but {plan.backend.title} uses {wanted}" if unknown else f"but in this cluster {wanted} allocates those GPUs"
    )
    return Problem(
        place,
        (f"{_asks(plan)}, and schedulerName is {format_value(value)}", f", {where}"),
        (
            f"write schedulerName: {wanted}",
            ", or leave it out" if place == own else " into the pods' templates, which go before the Job's own",
        ),
        fix=fix if _overwrites(policy, value) and not common.serverless(workload) else (),
        safety="safe",
        severity="warning" if unknown else "error",
    )


def _asks(plan: PodPlan) -> str:
    first = next((one for one in plan.asked if one.native), plan.asked[0])
    return f"{first.container.label} requests {first.native_request.description}"


RULE = Rule(
    id=ID,
    name="scheduler-name",
    severity="info",
    since="0.1.0",
    summary="a pod with a GPU request that the backend's scheduler would not place",
    rationale="""\
The schedulers of Volcano, HAMi, KAI and Koordinator track which part of which card is allocated. A pod that another
scheduler places is not tracked: it gets a card that is allocated to others, or none. Where no scheduler was chosen
(Kubernetes writes `default-scheduler`), the webhook writes the policy's; in a file that names `default-scheduler`
itself only an unsafe fix replaces it. Any other scheduler is an error and is kept, unless the policy has
`overwriteSchedulerName: true`.""",
    references=(
        "https://kubernetes.io/docs/tasks/extend-kubernetes/configure-multiple-schedulers/",
        "Project-HAMi/HAMi: pkg/scheduler/webhook.go",
    ),
    bad="""\
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
          volcano.sh/vgpu-number: 1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  schedulerName: volcano
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          volcano.sh/vgpu-number: 1
""",
    scope="request",
    check=check,
    when=triggers.backend_concerned,
    fix="safe",
    may_resolve=frozenset(),
    policy={"backend": {"name": "volcano-vgpu"}},
)
