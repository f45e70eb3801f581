"""GPU304: a hostPath that leads to GPU devices, or to a socket that hands them out."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import mapping, mappings, shown, text

from . import hostpaths, markers, occasions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU304"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find volumes of host paths to devices; a parent or a socket is an error only in a pod that asks for a GPU."""
    for pod in workload.pods:
        for index, volume in mappings(pod.spec.get("volumes")):
            said = text(mapping(volume.get("hostPath")).get("path")) if "hostPath" in volume else ""
            if not said.startswith("/"):
                continue
            path = hostpaths.normal(said)
            devices = hostpaths.within(path, markers.DEVICE_PATHS)
            what = devices or hostpaths.within(path, markers.SOCKET_PATHS)
            below = None if what else hostpaths.parent_of(path)
            if what or below:
                severity: Severity = "error" if devices or pod.asks else "info"
                yield Problem(
                    (*pod.pointer, "volumes", index, "hostPath", "path"),
                    f"volume {shown(text(volume.get('name')))} mounts {shown(said)} of the node, "
                    f"and with it {what or below}, so its containers can reach cards that they did not request",
                    "remove the volume: a GPU that is requested under resources.limits brings its devices along"
                    if devices
                    else "mount only what is needed, such as one folder of its own for data",
                    severity=severity,
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
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="device-host-path",
    severity="error",
    since="0.1.0",
    summary="a hostPath to GPU devices, device definitions or the sockets that hand them out",
    rationale="""\
Devices come from the device plugin, which knows whose card is whose. A hostPath to `/dev/nvidia0`, `/dev/dri`, the
CDI definitions, the pipe of the MPS daemon, the kubelet's device sockets or the container runtime's goes around it,
and so does a folder above them. `..`, doubled slashes, `/var/run` for `/run` and `/proc/1/root` are seen through.
Parents and sockets are ordinary life in pods without a GPU: there they are information only. `/dev/shm`,
`/dev/infiniband`, `/dev/fuse` and the like are no GPUs.""",
    references=(
        "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/",
        "https://kubernetes.io/docs/concepts/storage/volumes/#hostpath",
        "cncf-tags/container-device-interface: SPEC.md",
    ),
    bad=f"{_POD}  volumes:\n    - name: dev\n      hostPath: {{path: /dev/nvidia0}}\n",
    good=_POD,
    check=check,
    when=occasions.host_path,
    reads=Reads(host_paths=markers.DEVICE_PATHS),  # parents and sockets are ordinary life
)
