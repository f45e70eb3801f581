"""GPU501: a container with a GPU whose memory is not guaranteed, or that requests no CPU."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, host_requests
from gpu_admission.workloads.container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.host_requests import HostRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU501"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find memory requests that differ from the limit or are missing, and missing CPU requests, beside a GPU.

    Missing values are only judged where the pod spec is known to be complete.
    """
    for pod in workload.pods:
        if not pod.wants_gpu:
            continue
        whole = [host_requests.of_pod(workload, pod, name) for name in ("memory", "cpu")]
        served = [each for each in pod.containers if pod.serves(each) and not common.is_patch(workload, each)]
        own = [[host_requests.of_container(workload, each, name) for each in served] for name in ("memory", "cpu")]
        memory, cpu = ([total] if total.is_given else each for total, each in zip(whole, own, strict=True))
        for found in memory:
            if found.is_decided:
                yield from _memory(workload, pod, found)
        for found in cpu:
            if found.is_decided and found.is_nothing and pod.complete:
                yield _cpu(found)


def _memory(workload: Workload, pod: Pod, found: HostRequest) -> Iterator[Problem]:
    if found.limit is MISSING:
        if found.is_nothing:
            if pod.complete:
                yield _missing(found, "a memory limit", "may be killed when its node runs short of memory")
            return
        path = (*found.pointer, "limits", "memory")
        fix = (patch.add(ID, workload.document, path, found.request),) if found.has_room else ()
        yield _unequal(found, "sets no memory limit", "limits", found.request, fix)
    elif found.most is not None and found.least is not None and found.least < found.most:
        fix = (patch.replace(ID, found.side_pointer, found.limit),)
        yield _unequal(found, f"sets a limit of {format_value(found.limit)}", "requests", found.limit, fix)


def _unequal(found: HostRequest, beside: str, side: str, value: object, fix: tuple[patch.Operation, ...]) -> Problem:
    return Problem(
        found.side_pointer,
        (
            f"{found.label} has a GPU, requests memory: {format_value(found.request)}",
            (
                f" and {beside}: what it uses beyond its request is not reserved, and it may be killed when its node "
                "runs short of memory"
            ),
        ),
        (f"set resources.{side}.memory to {format_value(value)}", ", or both to what it needs"),
        fix=fix,
        safety="unsafe",
        evidence=("memory", found.limit, found.request),
    )


def _cpu(found: HostRequest) -> Problem:
    consequence = "may get no CPU to feed its GPU"
    if not found.is_given:
        return _missing(found, "a CPU request", consequence)
    raw = found.limit if found.request is MISSING else found.request
    return Problem(
        found.side_pointer,
        (f"{found.label} has a GPU and requests cpu: {format_value(raw)}", f", so it {consequence}"),
        "set resources.requests.cpu to what it needs",
        evidence=("cpu", found.limit, found.request),
    )


def _missing(found: HostRequest, what: str, consequence: str) -> Problem:
    return Problem(
        found.existing_pointer,
        (f"{found.label} has a GPU and does not set {what}", f", so it {consequence}"),
        f"set resources.{'limits.memory' if found.name == 'memory' else 'requests.cpu'} to what it needs",
        evidence=(found.name,),
    )


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
        requests:
          cpu: 8
          memory: {request}
        limits:
          memory: 64Gi
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="memory-and-cpu-request",
    severity="warning",
    since="0.1.0",
    summary="a container with a GPU whose memory request is not its limit, or that requests no CPU",
    rationale="""\
Memory beyond a container's request is not reserved for it: when the node runs short, the kernel and the kubelet kill
such containers first, and with them hours of training. A container without a CPU request can be placed where no CPU is
left to load data, and its GPU idles. A limit without a request is fine (Kubernetes copies it), and so is a pod whose
own `resources` (Kubernetes 1.34) cover all containers. Only containers that get a GPU are judged. A LimitRange of the
namespace may fill in what is missing: admission judges Pods after that, files before it.

The fix raises the request to the limit, or sets the limit to the request; what the container needs is only known to its
author, so it is unsafe.""",
    references=(
        "https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/",
        "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=_POD.format(request="16Gi"),
    good=_POD.format(request="64Gi"),
    default="off",
    scope="request",
    check=check,
    fix="unsafe",
)
