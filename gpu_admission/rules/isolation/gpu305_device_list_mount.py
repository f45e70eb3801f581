"""GPU305: a mount by which NVIDIA's toolkit adds a card."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, format_value, iter_dicts
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import gpu_markers, host_paths, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU305"
_FOLDER = gpu_markers.DEVICE_LIST_MOUNT.rpartition("/")[2]  # every spelling of the path contains it
_BEGINNINGS = (gpu_markers.DEVICE_LIST_MOUNT, f"/var{gpu_markers.DEVICE_LIST_MOUNT}")
# Volumes whose source is made by the kubelet or its plugins, never /dev/null of the node. Claims are not among them:
# the volume of a claim may be any path of the node.
NEVER_NULL = frozenset({"configMap", "downwardAPI", "emptyDir", "image", "nfs", "projected", "secret"})


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find mounts of node paths where the toolkit reads a list of cards."""
    for pod in workload.pods:
        sources: dict[str, str | None] | None = None
        for container in pod.containers:
            for index, mount in iter_dicts(container.spec.get("volumeMounts")):
                given = as_str(mount.get("mountPath"))
                if _FOLDER not in given or not _names_card(given):
                    continue
                sources = _sources(pod) if sources is None else sources
                source = sources.get(as_str(mount.get("name")), "a volume that the manifest does not show")
                if source is not None:
                    yield Problem(
                        (*container.pointer, "volumeMounts", index, "mountPath"),
                        (
                            f"{container.label} mounts {source} at {format_value(given)}",
                            (
                                ", which NVIDIA's container toolkit reads as a request for a card if the source is "
                                "/dev/null or a link to it"
                            ),
                        ),
                        ("remove the mount", " and request GPUs under resources.limits"),
                    )


def _names_card(path: str) -> bool:
    """Return whether a mount path is in the toolkit's list, as text or by the links that a node follows."""
    return host_paths.lexical(path).startswith(_BEGINNINGS) or host_paths.normal(path).startswith(_BEGINNINGS)


def _sources(pod: Pod) -> dict[str, str | None]:
    """Return the description of each volume of a pod; None for those that can never be /dev/null."""
    return {as_str(volume.get("name")): _source(volume) for _, volume in iter_dicts(pod.spec.get("volumes"))}


def _source(volume: Mapping[str, Any]) -> str | None:
    if "hostPath" in volume:
        return f"{format_value(as_str(as_dict(volume.get('hostPath')).get('path')))} of the node"
    return "a volume" if NEVER_NULL.isdisjoint(volume) else None


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
    summary="a mount of a node path where NVIDIA's toolkit reads a list of cards",
    rationale="""\
Where NVIDIA's toolkit takes device lists as volume mounts, each mount of `/dev/null` whose path begins with
`/var/run/nvidia-container-devices` adds a card: `…/all` every card of the node. The prefix is compared without a slash,
so `/var/run/nvidia-container-devicesall` does the same. It is meant for the device plugin alone. Container runtimes
resolve links before the toolkit reads the mounts, so any path of the node may be `/dev/null`: every hostPath is refused
there, and so is a claim. An empty volume, a ConfigMap and the like have no effect and are not reported.""",
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
      hostPath: {{path: /dev/null}}
""",
    good=f"{_HEAD}      resources:\n        limits:\n          nvidia.com/gpu: 1\n",
    check=check,
    when=triggers.device_list_mount,
    reads=Reads(mounts={f"{gpu_markers.DEVICE_LIST_MOUNT}*": NEVER_NULL}),
)
