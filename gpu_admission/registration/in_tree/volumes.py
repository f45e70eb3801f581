"""The checks on volumes: paths of the node that lead to devices, and mounts that are read as a list of cards."""

from __future__ import annotations

from gpu_admission.backends import registry
from gpu_admission.registration import path_conditions
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import declared_reads, gpu_markers, host_paths
from gpu_admission.rules.isolation import gpu304_device_host_path, gpu305_device_list_mount

from . import variables
from .check import Check, pair, per_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy

_VOLUMES = "object.spec.?volumes.orValue([]).filter(v, has(v.hostPath))"
_PATH = "v.hostPath.path"


def mounted(policy: Policy) -> Iterator[Check]:
    """GPU304: host paths of devices, and in a pod with a GPU the folders above them, and sockets."""
    reads = declared_reads.of_rule(gpu304_device_host_path.RULE, policy)
    devices = _leads(_PATH, reads.host_paths)
    licensed = registry.named(policy.backend.name).host_paths
    if licensed:
        excused = f"variables.shares && ({_leads(_PATH, licensed)})"
        devices = f"{devices} && !({excused})"
    leads = f"(has(m.subPath) || has(m.subPathExpr)) && {path_conditions.sub_path(reads)}"
    where = f"has(c.volumeMounts) && r.size() > 0 && c.volumeMounts.exists(m, {leads})"
    sub = per_container(where, "'a sub-path'", "variables.all")
    by_volume = f"r.filter(v, {devices}).map(v, {pair('v.name', _PATH)})"
    advice = "; remove the volume: a GPU that is requested under resources.limits brings its devices along"
    yield Check(
        "GPU304",
        f"[{_VOLUMES}].map(r, {by_volume} + {sub})[0]",
        'volume or container "{who}" mounts {what} of the node, and with it devices of GPUs that were not requested'
        + advice,
    )
    yield from _parents()


def above_devices() -> str:
    """Return findings, one for each volume that is a folder above devices, or a socket that provides them."""
    sockets = _leads(_PATH, frozenset(gpu_markers.SOCKET_PATHS))
    return f"{_VOLUMES}.filter(v, {_is_above(_PATH)} || {sockets}).map(v, {pair('v.name', _PATH)})"


def _parents() -> Iterator[Check]:
    found = above_devices()
    message = (
        'volume "{who}" mounts {what} of the node, and with it devices, or a socket that hands them out; mount only '
        "what is needed, such as one folder of its own for data"
    )
    yield Check("GPU304", f"(variables.wants ? {found} : [])", message)
    yield Check("GPU304", f"(variables.wants ? [] : {found})", message, severity="info")


def card_lists(_policy: Policy) -> Iterator[Check]:
    """GPU305: mounts that NVIDIA's toolkit reads as a list of cards, of volumes whose source may be /dev/null."""
    folder = gpu_markers.DEVICE_LIST_MOUNT
    leads = path_conditions.leads_to("m.mountPath", rf"{path_conditions.below([f'{folder}*'])}|(^|/)\.\.(/|$)")
    harmless = any_of(f"has(v.{each})" for each in sorted(gpu305_device_list_mount.NEVER_NULL)).replace("\n", " ")
    source = f"object.spec.?volumes.orValue([]).exists(v, v.name == m.name && !({harmless}))"
    listed = f"m.mountPath.contains({text(folder.rpartition('/')[2])}) && {leads} && {source}"
    mounts = f"has(c.volumeMounts) ? c.volumeMounts.filter(m, {listed}).map(m, m.mountPath).join(', ') : ''"
    yield Check(
        "GPU305",
        variables.findings(f"({mounts})"),
        'container "{who}" has a mount at {what}, which NVIDIA\'s container toolkit reads as a request for a card if '
        "its source is /dev/null or a link to it; remove the mount and request GPUs under resources.limits",
        on_ephemeral=True,
    )


def _leads(path: str, places: frozenset[str]) -> str:
    """Return the condition that a path leads to one of these places, tested cheaply first."""
    may = f"{path}.size() > {path_conditions.LONGEST} || {path_conditions.may_lead(path, places)}"
    return f"({may}) && {path_conditions.leads_to(path, path_conditions.below(places))}"


def _is_above(path: str) -> str:
    """Return the condition that a path is a folder above devices: first in its usual form, then in any other."""
    plain = {each for folder in host_paths.PARENTS for each in _written(folder)}
    roots = [root.removeprefix("/var") for root in gpu_markers.DRIVER_ROOTS]
    odd = [f"{path}.contains({text(part)})" for part in ("//", "/.", "/proc/", *roots)]
    odd += [f"{path}.endsWith('/')", f"!{path}.startsWith('/')"]
    disguised = path_conditions.leads_to(path, f"^{host_paths.above()}")
    return f"({path} in {texts(sorted(plain))} || ({any_of(odd)}) && {disguised})"


def _written(folder: str) -> tuple[str, ...]:
    return (folder, f"/var{folder}") if folder.startswith("/run") else (folder,)
