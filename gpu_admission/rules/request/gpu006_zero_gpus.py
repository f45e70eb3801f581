"""GPU006: an explicit zero of a GPU resource."""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, triggers
from gpu_admission.workloads.container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU006"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find limits of zero devices; a null counts where it is not a patch's way to delete a key."""
    for gpu in common.gpus(workload):
        if gpu.resource.unit != "device" or not _is_zero(gpu) or _contradicted(gpu):
            continue
        if gpu.limit is None and common.is_patch(workload, gpu.container):
            continue
        value = "which Kubernetes reads as 0" if gpu.limit is None else "which reserves none"
        yield Problem(
            gpu.pointer("limits"),
            (
                common.asking(gpu, gpu.limit),
                f", {value}; under the NVIDIA runtime it may still see every GPU of the node",
            ),
            (f"leave {gpu.name} out where no GPU is needed", " (and set NVIDIA_VISIBLE_DEVICES to void), or request 1"),
        )


def _contradicted(gpu: GpuRequest) -> bool:
    """Return whether a share is requested on zero cards, which GPU102 reports, like every portable zero."""
    system = known.CARD_COUNTERS.get(gpu.name, gpu.resource.system)
    shares = [other for other in gpu.container.gpus if other.resource.system == system and other is not gpu]
    counted = system in known.CARD_COUNTERS.values()  # a number of cards, and an amount of memory of each
    return system == "portable" or (counted and any(other.wants_gpu for other in shares))


def _is_zero(gpu: GpuRequest) -> bool:
    """Return whether the limit is zero and no request contradicts it."""
    limit, request = gpu.quantity("limits"), gpu.quantity("requests")
    return limit is not None and limit.is_zero and (gpu.request is MISSING or request == limit)


RULE = Rule(
    id=ID,
    name="zero-gpus",
    severity="warning",
    since="0.1.0",
    summary="an explicit zero of a GPU resource",
    rationale="""\
`nvidia.com/gpu: 0` is accepted and means the same as leaving the key out: the scheduler reserves nothing, and the
device plugin is not called. A zero does not keep a container away from the GPUs: an image that sets
`NVIDIA_VISIBLE_DEVICES=all` itself (as CUDA images do) then sees every GPU of the node. A key without a value
(`nvidia.com/gpu:`) is usually a forgotten number: Kubernetes reads it as 0.""",
    references=(
        "https://github.com/NVIDIA/k8s-device-plugin#running-gpu-jobs",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: prepare
spec:
  containers:
    - name: prepare
      image: example.com/prepare:1
      resources:
        limits:
          nvidia.com/gpu: 0
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: prepare
spec:
  containers:
    - name: prepare
      image: example.com/prepare:1
      env:
        - name: NVIDIA_VISIBLE_DEVICES
          value: void
""",
    scope="request",
    check=check,
    when=triggers.amount_in_doubt,
)
