"""Host paths of a pod's mounts that lead to devices: volumes, and sub-paths of volumes above devices."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.core.record import record

from . import env_vars, gpu_markers, host_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

_UNKNOWN = "\0"  # replaces what is unknown before the container starts
_LONGEST = 4096  # of a sub-path expression whose variables are looked up


@record
class HostMount:
    """A path of the node that a pod mounts, and what it leads to.

    ``given`` is the path as the author wrote it. ``devices`` describes the devices, device definitions or controls at
    it; ``other`` the socket at it, or any of these below it. One of the two is None.
    """

    pointer: Pointer
    volume: str
    given: str
    path: str
    devices: str | None
    other: str | None = None


def of_pod(workload: Workload, pod: Pod) -> Iterator[HostMount]:
    """Yield the host paths of a pod that lead to devices or to sockets that give access to them.

    A sub-path that leads to devices is judged with its volume: ``dev/nvidia0`` of ``/`` is that device.
    """
    parents: dict[str, str] = {}
    for index, volume in iter_dicts(pod.spec.get("volumes")):
        given = as_str(as_dict(volume.get("hostPath")).get("path")) if "hostPath" in volume else ""
        if not given:
            continue
        name, path = as_str(volume.get("name")), host_paths.normal(given)
        devices = host_paths.within(path, gpu_markers.DEVICE_PATHS)
        other = None if devices else host_paths.within(path, gpu_markers.SOCKET_PATHS) or host_paths.parent_of(path)
        if devices or other:
            place = (*pod.pointer, "volumes", index, "hostPath", "path")
            yield HostMount(place, name, given, path, devices, other)
        if not devices and path in host_paths.SUB_PATH_PARENTS:
            parents[name] = path  # a short path, so that judging its sub-paths takes linear time
    if parents:
        for container in pod.containers:
            yield from _sub_paths(workload, pod, container, parents)


def _sub_paths(workload: Workload, pod: Pod, container: Container, parents: Mapping[str, str]) -> Iterator[HostMount]:
    for index, mount in iter_dicts(container.spec.get("volumeMounts")):
        name = as_str(mount.get("name"))
        key = "subPathExpr" if as_str(mount.get("subPathExpr")) else "subPath"
        given = as_str(mount.get(key))
        if name not in parents or not given:
            continue
        sub_path = given if key == "subPath" else _expanded(workload, pod, container, given)
        path = f"{parents[name]}/{sub_path}"
        devices = _devices(path)
        if devices:
            place = (*container.pointer, "volumeMounts", index, key)
            yield HostMount(place, name, f"{parents[name].rstrip('/')}/{given}", path, devices)


def _devices(path: str) -> str | None:
    """Return the devices to which a path leads, or can lead where its end is unknown."""
    known, unknown, _ = path.partition(_UNKNOWN)
    if not unknown:
        return host_paths.within(host_paths.normal(path), gpu_markers.DEVICE_PATHS)
    folder, _, start = known.rpartition("/")
    return host_paths.completes(f"{host_paths.normal(folder).rstrip('/')}/{start}")


def _expanded(workload: Workload, pod: Pod, container: Container, given: str) -> str:
    """Return a sub-path with its ``$(NAME)`` replaced as by the kubelet, as far as the manifest defines them.

    Source: kubernetes/kubernetes pkg/kubelet/container/helpers.go (ExpandContainerVolumeMounts).
    """
    if "$" not in given:
        return given
    if len(given) > _LONGEST:
        return given[: given.index("$")] + _UNKNOWN
    names = {part.partition(")")[0] for part in given.split("$(")[1:]}
    values = {
        variable.name: _value(workload, pod, variable) for variable in env_vars.variables(container, sorted(names))
    }
    if container.spec.get("envFrom"):
        values = dict.fromkeys(names, _UNKNOWN) | values
    expanded = env_vars.expand(given, values)
    return given[: given.index("$")] + _UNKNOWN if expanded is None else expanded


def _value(workload: Workload, pod: Pod, variable: env_vars.Variable) -> str:
    """Return the value of a variable; a pod's own name and numbers do not lead to a device."""
    if variable.value is not None:
        return variable.value
    field = variable.field_path
    if field.startswith(("metadata.annotations['", "metadata.labels['")) and field.endswith("']"):
        kind, _, key = field.removeprefix("metadata.").removesuffix("']").partition("['")
        return as_str(as_dict(pod.metadata.get(kind)).get(key))
    if field == "metadata.namespace":
        return workload.ref.namespace or _UNKNOWN
    if field == "metadata.name":
        return as_str(pod.metadata.get("name")) or _plain(pod.metadata)
    return _UNKNOWN if field in {"", "spec.serviceAccountName"} else "-"


def _plain(metadata: Mapping[str, Any]) -> str:
    """Return a stand-in for a generated name: it ends in characters that no device's name ends in."""
    return f"{as_str(metadata.get('generateName'))}-"
