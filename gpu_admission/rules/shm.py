"""The volume at /dev/shm of a container, and how to mount a memory-backed one (for GPU502)."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from . import host_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

_PATH = "/dev/shm"  # noqa: S108 - where programs look for shared memory
_NAME = "dshm"
_MEMORY = "Memory"
# Kinds of Kubeflow's training operator (v1) end with this; its trainer (v2) has a group of its own.
_TRAINING_GROUP, _TRAINING_KIND = "kubeflow.org", "Job"
_TRAINER_GROUP = "trainer.kubeflow.org"
_OTHERS = ("persistentVolumeClaim", "ephemeral", "csi", "nfs", "configMap", "secret", "projected", "downwardAPI")


class Mounted:
    """A volume that is mounted at /dev/shm.

    ``pointer`` is that of the mount's path, ``on_disk`` describes the volume if it is not in memory,
    empty if it is or if that is unknown.
    """

    __slots__ = ("_has_room", "_is_empty_dir", "_place", "on_disk", "pointer", "volume")

    def __init__(self, pointer: Pointer, volume: str, place: Pointer, source: Mapping[str, Any]) -> None:
        self.pointer = pointer
        self.volume = volume
        self._place = place
        # A volume without any source is an emptyDir (SetDefaults_Volume of k8s.io/kubernetes pkg/apis/core/v1).
        self._is_empty_dir = bool(source) and all(
            value is None for key, value in source.items() if key not in {"name", "emptyDir"}
        )
        self._has_room = isinstance(source.get("emptyDir"), dict | None)
        kind = next((key for key in _OTHERS if source.get(key) is not None), "")
        self.on_disk = f"a {kind} volume" if kind else ""
        if self._is_empty_dir and not as_dict(source.get("emptyDir")).get("medium"):
            self.on_disk = "an emptyDir volume on disk"

    def repair(self, rule: str, document: object) -> tuple[Operation, ...]:
        """Return the operations that make an emptyDir on disk one in memory; none for other volumes."""
        if not self._is_empty_dir or not self._has_room or not self.on_disk:
            return ()
        return (patch.add(rule, document, (*self._place, "emptyDir", "medium"), _MEMORY),)


def is_training(workload: Workload, pod: Pod) -> bool:
    """Return whether a pod is one of a training job, by its own kind or its owner's."""
    if workload.is_pod:
        owners = [each for _, each in iter_dicts(pod.metadata.get("ownerReferences"))]
        return any(
            _is_training_kind(as_str(o.get("apiVersion")).partition("/")[0], as_str(o.get("kind"))) for o in owners
        )
    return _is_training_kind(workload.group, workload.kind)


def _is_training_kind(group: str, kind: str) -> bool:
    return group == _TRAINER_GROUP or (group == _TRAINING_GROUP and kind.endswith(_TRAINING_KIND))


def find(pod: Pod, container: Container) -> Mounted | None:
    """Return the volume that a container mounts at /dev/shm, or None.

    A volume that the pod spec does not name (a StatefulSet's claim template, a mount that an operator completes) is
    assumed to be in memory.
    """
    for index, mount in iter_dicts(container.spec.get("volumeMounts")):
        path = as_str(mount.get("mountPath"))
        if "shm" in path and host_paths.lexical(path) == _PATH:
            name = as_str(mount.get("name"))
            place, source = _volume(pod, name)
            return Mounted((*container.pointer, "volumeMounts", index, "mountPath"), name, place, source)
    return None


def _volume(pod: Pod, name: str) -> tuple[Pointer, Mapping[str, Any]]:
    for index, volume in iter_dicts(pod.spec.get("volumes")):
        if volume.get("name") == name:
            return (*pod.pointer, "volumes", index), volume
    return (), {}


def added(rule: str, workload: Workload, pod: Pod, container: Container, policy: Policy) -> tuple[Operation, ...]:
    """Return the operations that mount a memory-backed volume at /dev/shm of a container.

    A volume that an earlier repair added is used again. Empty where the lists are not lists, or another
    volume has the name.
    """
    volumes, mounts = pod.spec.get("volumes"), container.spec.get("volumeMounts")
    if not isinstance(volumes, list | None) or not isinstance(mounts, list | None):
        return ()
    _, present = _volume(pod, _NAME)
    if present and as_dict(present.get("emptyDir")).get("medium") != _MEMORY:
        return ()
    size = policy.guardrails.shared_memory_size
    source = {"medium": _MEMORY} if size is None else {"medium": _MEMORY, "sizeLimit": size}
    mount = {"name": _NAME, "mountPath": _PATH}
    found = [patch.add(rule, workload.document, (*container.pointer, "volumeMounts", patch.APPEND), mount)]
    if not present:
        volume = {"name": _NAME, "emptyDir": source}
        found.append(patch.add(rule, workload.document, (*pod.pointer, "volumes", patch.APPEND), volume))
    return tuple(found)
