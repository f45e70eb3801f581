"""GPU507: a pod that requests no GPU and controls its node with all GPUs."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import gpu_markers, mounts, privileges, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU507"
_INSTEAD = (
    "request a GPU under resources.limits if the pod needs one",
    "; else leave it out, or have the administrator exempt the namespace",
)


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find privileges, and mounts of parents of device paths and of sockets, in pods that request no GPU.

    Reads of each container ``securityContext.privileged`` (true) and ``securityContext.capabilities.add`` (SYS_ADMIN
    or ALL, in any case, with or without CAP_), and of the pod ``volumes[].hostPath.path``: a path of
    ``gpu_markers.SOCKET_PATHS`` or below it, and any path above those and ``markers.DEVICE_PATHS``.
    """
    for pod in workload.pods:
        if pod.complete and not pod.wants_gpu:
            yield from _problems(workload, pod)


def _problems(workload: Workload, pod: Pod) -> Iterator[Problem]:
    for container in pod.containers:
        for place, what in privileges.of_container(container):
            yield Problem(
                place,
                (f"{container.label} {what}", " and so can use every GPU of its node, but requests none"),
                _INSTEAD,
            )
    for found in mounts.of_pod(workload, pod):
        if found.other:
            yield Problem(
                found.pointer,
                (
                    f"volume {format_value(found.volume)} mounts {format_value(found.given)} of the node",
                    f", and with it {found.other}: its containers can reach GPUs, and the pod requests none",
                ),
                _INSTEAD,
            )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: tools
spec:
  containers:
    - name: tools
      image: example.com/tools:1
"""

RULE = Rule(
    id=ID,
    name="node-in-hand",
    severity="error",
    since="0.1.0",
    summary="a pod without a GPU request that is privileged, or mounts a parent of devices or a socket of the runtime",
    rationale="""\
A privileged container (or one with CAP_SYS_ADMIN), a mount of `/`, `/dev` or another folder above device nodes, and the
sockets of the container runtime or the kubelet all lead to every GPU of the node, and no scheduler counts it. Node
agents of most clusters need them, so the rule is off by default; switch it on for clusters where tenants may create
such pods and exempt namespaces are known. Paths of devices themselves are always reported by GPU304.""",
    references=(
        "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
        "https://kubernetes.io/docs/concepts/storage/volumes/#hostpath",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/privileged.go",
    ),
    bad=f"{_POD}      securityContext:\n        privileged: true\n",
    good=f"{_POD}      securityContext:\n        privileged: false\n",
    default="off",
    check=check,
    when=triggers.node_in_hand,
    reads=Reads(
        privileged=True, capabilities=privileges.CAPABILITIES, host_paths=gpu_markers.SOCKET_PATHS, host_parents=True
    ),
)
