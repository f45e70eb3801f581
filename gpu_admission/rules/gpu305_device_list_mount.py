"""GPU305: a mount that names a card to NVIDIA's toolkit."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown, text

from . import hostpaths, markers, occasions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.container import Container
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU305"
_FOLDER = markers.DEVICE_LIST_MOUNT.rpartition("/")[2]  # no spelling of the path can do without it


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find volume mounts at or below the folder whose entries are read as a list of cards."""
    for _, container in workload.containers():
        for index, said in _suspects(container):
            if said.startswith("/") and hostpaths.inside(hostpaths.normal(said), markers.DEVICE_LIST_MOUNT):
                yield Problem(
                    (*container.pointer, "volumeMounts", index, "mountPath"),
                    f"{container.label} mounts a volume at {shown(said)}, "
                    "which NVIDIA's container toolkit reads as a request for that card",
                    "remove the mount and request GPUs under resources.limits",
                )


def _suspects(container: Container) -> list[tuple[int, str]]:
    """Return the mounts whose path names the folder somewhere."""
    mounts = container.spec.get("volumeMounts")
    if not isinstance(mounts, list):
        return []
    said = [text(mount.get("mountPath")) if isinstance(mount, dict) else "" for mount in mounts]
    return [(index, path) for index, path in enumerate(said) if _FOLDER in path]


_HEAD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
"""

RULE = Rule(
    id=ID,
    name="device-list-mount",
    severity="error",
    since="0.1.0",
    summary="a mount under /var/run/nvidia-container-devices",
    rationale="""\
Where NVIDIA's toolkit takes device lists as volume mounts, each mount below `/var/run/nvidia-container-devices`
names a card to hand over: `…/all` every card of the node. It is meant for the device plugin alone. A pod that
mounts something there itself, be it an empty volume, gets cards that it did not request.""",
    references=(
        "https://github.com/NVIDIA/k8s-device-plugin#configuration-option-details",
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
    ),
    bad=f"""\
{_HEAD}      volumeMounts:
        - name: devices
          mountPath: /var/run/nvidia-container-devices/all
  volumes:
    - name: devices
      emptyDir: {{}}
""",
    good=f"{_HEAD}      resources:\n        limits:\n          nvidia.com/gpu: 1\n",
    check=check,
    when=occasions.device_list_mount,
    reads=Reads(mounts=(f"{markers.DEVICE_LIST_MOUNT}*",)),
)
