"""GPU204: the runtime class that GPUs need is missing, or one is set where no GPU is requested."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import triggers, visible_devices
from gpu_admission.rules.common import asked_vendors, serverless
from gpu_admission.rules.gpu_markers import NVIDIA_RUNTIME_CLASSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU204"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods without the policy's runtime class, and GPU-less pods with NVIDIA's; the former are repaired."""
    for pod in workload.pods:
        if not pod.complete:
            continue
        given = as_str(pod.spec.get("runtimeClassName"))
        vendors = asked_vendors(pod, policy)
        if not given:
            # A claim's devices need no runtime class.
            by_runtime = pod.has_gpu_request or pod.shared_container is not None
            if by_runtime and _lacks(policy.runtime_class, vendors) and not serverless(workload):
                yield _missing(workload, pod, as_str(policy.runtime_class))
        elif given in NVIDIA_RUNTIME_CLASSES and not vendors and not _excused(pod):
            yield _idle(pod, given)


def _lacks(wanted: str | None, vendors: frozenset[str]) -> bool:
    """Return whether a class is configured that serves these cards: NVIDIA's classes serve NVIDIA's cards only."""
    return bool(wanted) and bool(vendors & {"nvidia"} if wanted in NVIDIA_RUNTIME_CLASSES else vendors)


def _excused(pod: Pod) -> bool:
    """Return whether a pod may get its GPU by a resource claim, or hides all cards from every container."""
    return pod.claims.unknown or all(visible_devices.blinded(container) for container in pod.containers)


def _missing(workload: Workload, pod: Pod, wanted: str) -> Problem:
    place = (*pod.pointer, "runtimeClassName")
    return Problem(
        pod.pointer,
        (
            "the pod requests a GPU but sets no runtimeClassName",
            f", and GPUs of this cluster need {format_value(wanted)}",
        ),
        f"write runtimeClassName: {wanted}",
        fix=(patch.add(ID, workload.document, place, wanted),),
        safety="safe",
        evidence=(),
    )


def _idle(pod: Pod, given: str) -> Problem:
    return Problem(
        (*pod.pointer, "runtimeClassName"),
        (
            f"the pod sets runtimeClassName to {format_value(given)} but requests no GPU",
            ", and under that class an image that sets NVIDIA_VISIBLE_DEVICES sees every card of the node",
        ),
        (
            "request a GPU under resources.limits",
            ", or remove runtimeClassName, or set NVIDIA_VISIBLE_DEVICES to void in every container",
        ),
    )


_HEAD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
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
    name="runtime-class",
    severity="warning",
    since="0.1.0",
    summary="the runtime class for GPUs is missing, or is set without a GPU request",
    rationale="""\
Where NVIDIA's runtime is not the node's default, a pod reaches its GPU only under the right `runtimeClassName`: without
it the container starts and finds no driver. The policy names the class (`runtimeClassName`). Conversely, a pod under
NVIDIA's class that requests no GPU gets the cards in `NVIDIA_VISIBLE_DEVICES` of its image, which is `all` in CUDA
images: it uses cards that are allocated to others.""",
    references=(
        "https://kubernetes.io/docs/concepts/containers/runtime-class/",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
    ),
    bad=f"{_HEAD}{_CONTAINERS}",
    good=f"{_HEAD}  runtimeClassName: nvidia\n{_CONTAINERS}",
    policy={"runtimeClassName": "nvidia"},
    when=triggers.runtime_class,
    check=check,
    reads=Reads(runtime_classes=NVIDIA_RUNTIME_CLASSES),
    fix="safe",
    may_resolve=frozenset(),
)
