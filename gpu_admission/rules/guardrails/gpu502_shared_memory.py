"""GPU502: processes that share memory between GPUs, and only 64 MiB or a disk to share it in."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, device_count, shm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU502"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers of training jobs, and with several GPUs, without their own memory-backed /dev/shm."""
    for pod in workload.pods:
        if not pod.complete or not pod.wants_gpu or pod.spec.get("hostIPC") is True:
            continue
        trains = shm.is_training(workload, pod)
        for container in pod.containers:
            if container.role not in {"app", "sidecar"} or not pod.serves(container):
                continue
            reason = _reason(container, policy, trains=trains)
            if reason:
                yield from _problems(workload, pod, container, policy, reason)


def _reason(container: Container, policy: Policy, *, trains: bool) -> str:
    """Return why the container's processes probably share memory, for a message; empty if they do not."""
    count = sum(device_count.count(gpu) for gpu in container.gpus if device_count.takes_cards(gpu, policy))
    if count >= policy.guardrails.gpu_threshold:
        return f"requests {count} GPUs" if count > 1 else "requests a GPU"
    return "has a GPU in a training job" if trains else ""


def _not_mounted(workload: Workload, pod: Pod, container: Container, policy: Policy, reason: str) -> Problem:
    fix = () if common.serverless(workload) else shm.added(ID, workload, pod, container, policy)
    size = policy.guardrails.shared_memory_size
    return Problem(
        container.pointer,
        (
            f"{container.label} {reason} but mounts nothing at /dev/shm",
            ", which then holds 64 MiB: NCCL and data loaders that share more fail",
        ),
        ("mount an emptyDir volume with medium: Memory", f"{f' and sizeLimit: {size}' if size else ''} at /dev/shm"),
        fix=fix,
        safety="safe" if size is not None and len(pod.containers) == 1 else "unsafe",
        evidence=(reason,),
    )


def _problems(workload: Workload, pod: Pod, container: Container, policy: Policy, reason: str) -> Iterator[Problem]:
    mounted = shm.find(pod, container)
    if mounted is None:
        yield _not_mounted(workload, pod, container, policy, reason)
    elif mounted.on_disk:
        yield Problem(
            mounted.pointer,
            (
                f"{container.label} {reason} but mounts {mounted.on_disk}",
                f" (volume {format_value(mounted.volume)}) at /dev/shm: what its processes share goes through a disk",
            ),
            "mount an emptyDir volume with medium: Memory there",
            fix=mounted.repair(ID, workload.document),
            safety="unsafe",
            evidence=(reason, mounted.volume, mounted.on_disk),
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
        limits:
          nvidia.com/gpu: 8
"""

RULE = Rule(
    id=ID,
    name="shared-memory",
    severity="warning",
    since="0.1.0",
    summary="training, or several GPUs in one container, without a memory-backed volume at /dev/shm",
    rationale="""\
Container runtimes give a pod 64 MiB at `/dev/shm`. NCCL shares buffers between the GPUs of a node there, and the
workers of data loaders pass batches there: programs that need more end with a bus error, or fall back to a slower way.
An `emptyDir` with `medium: Memory` removes the limit; what is written there counts as memory of the container. Judged
are containers that request at least so many whole GPUs (`guardrails.sharedMemory.gpus` of the policy, 2 by default),
and every container with a GPU in training jobs: Kubeflow's jobs and runtimes, and Pods that one of those jobs owns.

The fix adds the volume. It is safe where the policy gives its size (`guardrails.sharedMemory.size`) and the pod has one
container; several containers share one `/dev/shm` until one of them gets its own, so there it is unsafe.""",
    references=(
        "https://kubernetes.io/docs/concepts/storage/volumes/#emptydir-memory-configuration-example",
        "NVIDIA/nccl: user guide, troubleshooting, shared memory",
        "containerd/containerd: internal/cri/server/podsandbox/sandbox_run_linux.go",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=_POD,
    good=f"""\
{_POD}      volumeMounts:
        - name: dshm
          mountPath: /dev/shm
  volumes:
    - name: dshm
      emptyDir:
        medium: Memory
        sizeLimit: 16Gi
""",
    policy={"guardrails": {"sharedMemory": {"size": "16Gi"}}},
    default="off",
    scope="request",
    check=check,
    fix="safe",
    may_resolve=frozenset(),
)
