"""GPU304: a hostPath to GPU devices, or to a socket that gives access to them."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, gpu_markers, host_paths, mounts, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU304"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find mounts of host paths to devices; a parent or a socket is an error only in a pod that requests a GPU."""
    for pod in workload.pods:
        for found in mounts.of_pod(workload, pod):
            if found.devices and _is_licensed(workload, pod, found.path, policy):
                continue
            severity: Severity = "error" if found.devices or pod.wants_gpu else "info"
            yield Problem(
                found.pointer,
                (
                    f"volume {format_value(found.volume)} mounts {format_value(found.given)} of the node",
                    (
                        f", and with it {found.devices or found.other}, so its containers can reach cards that they "
                        "did not request"
                    ),
                ),
                ("remove the volume", ": a GPU that is requested under resources.limits brings its devices along")
                if found.devices
                else "mount only what is needed, such as one folder of its own for data",
                severity=severity,
            )


def _is_licensed(workload: Workload, pod: Pod, path: str, policy: Policy) -> bool:
    """Return whether the pod's backend requires this mount, and the pod's request is valid."""
    for served, plan in backend_plan.of_pods(workload, policy):
        if served is pod and plan.served and plan.translatable:
            return any(host_paths.inside(path, place) for place in plan.backend.host_paths)
    return False


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
    name="device-host-path",
    severity="error",
    since="0.1.0",
    summary="a hostPath to GPU devices, device definitions or the sockets that give access to them",
    rationale="""\
Devices come from the device plugin, which allocates cards to containers. A hostPath to `/dev/nvidia0`, `/dev/dri`, the
CDI definitions, the pipe of the MPS daemon, the kubelet's device sockets or the container runtime's bypasses it, and so
does a folder above them. `..`, doubled slashes, a missing first slash, `/var/run` for `/run`, the links
`/proc/<pid>/root` and `/proc/<pid>/cwd`, `/dev/char`, the roots of containerised drivers, and a `subPath` or
`subPathExpr` from a folder to a device are resolved. Parents and sockets are common in pods without a GPU: there they
are only info (GPU507 refuses them). `/dev/shm`, `/dev/infiniband`, `/dev/fuse` and the like are not GPUs. A path that a
sharing backend requires of its pods (KAI's `/tmp/nvidia-mps`) is allowed.""",
    references=(
        "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/",
        "https://kubernetes.io/docs/concepts/storage/volumes/#hostpath",
        "cncf-tags/container-device-interface: SPEC.md",
    ),
    bad=f"{_POD}  volumes:\n    - name: dev\n      hostPath: {{path: /dev/nvidia0}}\n",
    good=_POD,
    check=check,
    when=triggers.host_path,
    # parents and sockets are common
    reads=Reads(host_paths=gpu_markers.DEVICE_PATHS, sub_paths=gpu_markers.DEVICE_PATHS),
)
