"""GPU302: a container beside the GPU's has no word on which cards it shall see."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown

from . import devices
from .common import asked_vendors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.container import Container
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU302"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers without NVIDIA_VISIBLE_DEVICES where the policy wants a value; the repair adds it.

    What the author wrote stays (GPU301 judges it); a policy that says nothing leaves everything.
    """
    if not (devices.wanted(policy, asks=False) or devices.wanted(policy, asks=True)):
        return
    every = policy.visible_devices.get("everyPod") is True
    for pod in workload.pods:
        vendors = asked_vendors(pod, policy)
        if not pod.complete or not ("nvidia" in vendors or every):
            continue
        for container in pod.containers:
            served = pod.serves(container)
            value = devices.wanted(policy, asks=served)
            if value and _unsaid(container) and not (served and "nvidia" not in _vendors(container)):
                yield _problem(workload, container, value, served=served)


def _vendors(container: Container) -> set[str]:
    return {gpu.resource.vendor for gpu in container.gpus if gpu.asks} or {"nvidia"}


def _unsaid(container: Container) -> bool:
    env = container.spec.get("env")
    if env is not None and not isinstance(env, list):
        return False  # does not decode
    return devices.NVIDIA not in container.env_names


def _problem(workload: Workload, container: Container, value: str, *, served: bool) -> Problem:
    place = (*container.pointer, "env")
    has_list = isinstance(container.spec.get("env"), list)
    end = (*place, patch.APPEND)
    entry = {"name": devices.NVIDIA, "value": value}
    why = "asks for a GPU" if served else "asks for no GPU"
    so = "the policy wants a value there" if served else "an image that sets it to all would see every card of the node"
    return Problem(
        place if has_list else container.pointer,
        f"{container.label} {why} and does not set {devices.NVIDIA}, and {so}",
        f"add {devices.NVIDIA} with the value {shown(value)} to its env",
        fix=(patch.Operation(ID, "add", end, entry) if has_list else patch.add(ID, workload.document, end, entry),),
        safety="safe",
        evidence=(served,),
    )


_HEAD = """\
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
    - name: log
      image: example.com/log:1
"""

RULE = Rule(
    id=ID,
    name="visible-devices-void",
    severity="info",
    since="0.1.0",
    summary="a container without a GPU in a GPU pod is not told to see none",
    rationale="""\
CUDA images set `NVIDIA_VISIBLE_DEVICES=all` themselves. A sidecar or init container built from one, in a pod that
lands on a GPU node, sees every card there without having requested any. `void` in its env makes NVIDIA's runtime
leave it alone. What value goes where, and whether into every pod, is the policy's to say (`visibleDevices`).""",
    references=("NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",),
    bad=_HEAD,
    good=f"{_HEAD}      env:\n        - name: NVIDIA_VISIBLE_DEVICES\n          value: void\n",
    policy={"visibleDevices": {"gpuLess": "void", "served": "leave"}},
    check=check,
    fix="safe",
    silences=frozenset({"GPU301", "GPU310"}),
)
