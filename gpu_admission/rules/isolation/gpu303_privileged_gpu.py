"""GPU303: a privileged container in a pod with a GPU."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import device_count, privileges, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU303"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers that are privileged, or treated so by NVIDIA's toolkit, in pods that request a GPU."""
    for pod in workload.pods:
        if not pod.wants_gpu:
            continue
        severity: Severity | None = "info" if _takes_all(pod, policy) else None
        for container in pod.containers:
            for place, what in privileges.of_container(container):
                yield Problem(
                    place,
                    (f"{container.label} {what} in a pod with a GPU", ", so it can use every card of the node"),
                    (
                        "remove it",
                        (
                            ": a GPU that is requested under resources.limits needs no privileges (RDMA needs the "
                            "capability IPC_LOCK, debuggers SYS_PTRACE)"
                        ),
                    ),
                    severity=severity,
                )


def _takes_all(pod: Pod, policy: Policy) -> bool:
    """Return whether a pod requests all cards of the policy's largest node, so that no other pod has any of them."""
    node = device_count.largest_node(policy)
    return 0 < node <= device_count.needed(pod, lambda gpu: device_count.takes_cards(gpu, policy))


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
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="privileged-gpu",
    severity="warning",
    since="0.1.0",
    summary="privileged, or CAP_SYS_ADMIN, in a pod with a GPU",
    rationale="""\
A privileged container has all devices of the node, so all GPUs, however many it requested; NVIDIA's toolkit treats
CAP_SYS_ADMIN alike, and MIG can be reconfigured with it. The limits of a sharing backend do not apply to it either. A
GPU needs no privileges: the device plugin provides its devices. It is a warning, because many workloads have privileges
that they do not need (examples of time-slicing, RDMA jobs over whole nodes); the policy `strict` refuses it. For a pod
that requests every card of the largest node (`cluster.cards` with `perNode`) it is only info.""",
    references=(
        "NVIDIA/nvidia-container-toolkit: cmd/nvidia-container-runtime-hook/container_config.go",
        "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
    ),
    bad=f"{_POD}      securityContext:\n        privileged: true\n",
    good=_POD,
    scope="request",
    check=check,
    when=triggers.privilege,
)
