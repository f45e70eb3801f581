"""GPU009: more GPUs than the policy or the largest node allows, or a count that it does not."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, device_count, triggers

from . import claimed_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU009"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers and pods that request too many devices; silent where the policy sets no limits.

    A pod is judged only where none of its containers is too large by itself, which is the same mistake.
    """
    if not policy.limits and not policy.cards:
        return
    judged = set(common.gpus(workload))
    for pod in workload.pods:
        devices = [
            gpu for gpu in pod.gpus if gpu in judged and gpu.resource.unit == "device" and device_count.count(gpu) > 0
        ]
        found = [problem for gpu in devices if (problem := _container(gpu, policy)) is not None]
        if not found and devices:
            found = [problem for problem in (_pod(pod, devices, policy),) if problem is not None]
        yield from found
        if pod.claims.gpu and not found:
            yield from claimed_count.problems(pod, policy)


def _container(gpu: GpuRequest, policy: Policy) -> Problem | None:
    count, most, counts = device_count.count(gpu), policy.limits.get("perContainer"), policy.limits.get("counts")
    place, wants_gpu = gpu.pointer(), common.asking(gpu, gpu.value)
    if most is not None and count > most:
        return Problem(
            place,
            (wants_gpu, f", and this cluster's policy allows {most} per container"),
            f"request {most} at most",
        )
    if counts and count not in counts:
        allowed = ", ".join(map(str, sorted(counts)))
        return Problem(
            place, (wants_gpu, f", and this cluster's policy allows only {allowed}"), f"request one of {allowed}"
        )
    largest = device_count.largest_node(policy, device_count.vendor(gpu, policy))
    if largest and device_count.takes_cards(gpu, policy) and count > largest:
        message = (f"{wants_gpu}, and the largest node has {largest}", ": the pod would stay Pending forever")
        return Problem(place, message, (f"request {largest} at most", ", and spread the work over several pods"))
    return None


def _pod(pod: Pod, devices: list[GpuRequest], policy: Policy) -> Problem | None:
    most, last = policy.limits.get("perPod"), devices[-1]
    total = device_count.needed(pod, set(devices).__contains__)
    if most is not None and total > most:
        message = (
            f"the containers of the pod request {total} GPUs together, and this cluster's policy allows {most} per pod"
        )
        return Problem(last.pointer(), message, f"request {most} at most", evidence=(total,))
    vendors = dict.fromkeys(device_count.vendor(gpu, policy) for gpu in devices)
    return next((each for vendor in vendors if (each := _beyond_node(pod, devices, vendor, policy)) is not None), None)


def _beyond_node(pod: Pod, devices: list[GpuRequest], vendor: str, policy: Policy) -> Problem | None:
    """Return the problem of a pod that needs more cards of one vendor than any node has."""
    cards = [
        gpu for gpu in devices if device_count.vendor(gpu, policy) == vendor and device_count.takes_cards(gpu, policy)
    ]
    whole, largest = device_count.needed(pod, set(cards).__contains__), device_count.largest_node(policy, vendor)
    if not largest or whole <= largest:
        return None
    message = f"the containers of the pod request {whole} GPUs together, and the largest node has {largest}"
    return Problem(
        cards[-1].pointer(),
        (message, ": it would stay Pending forever"),
        f"request {largest} at most",
        evidence=(whole,),
    )


RULE = Rule(
    id=ID,
    name="too-many-gpus",
    severity="warning",
    since="0.1.0",
    summary="more GPUs than the policy or the largest node allows, or a count that it does not",
    rationale="""\
A pod runs on one node: one that requests more GPUs than the largest node has stays Pending forever, with only an event.
Administrators also set limits: a number per container or pod, or only counts that divide their nodes evenly (1, 2, 4,
8). All numbers come from the policy (`limits`, and `perNode` of its cards); without them the rule reports nothing. A
pod is counted as by the scheduler: app containers and sidecars add up, init containers run one after the other.""",
    references=(
        "https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers",
        "kubernetes/component-helpers: resource/helpers.go",
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
          nvidia.com/gpu: 16
""",
    good="""\
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
          nvidia.com/gpu: 8
""",
    scope="request",
    when=triggers.limits,
    check=check,
    policy={"limits": {"perContainer": 8, "perPod": 16, "counts": [1, 2, 4, 8]}},
)
