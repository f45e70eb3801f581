"""Manifests that install a device plugin, a driver or a scheduler: what they do by trade is no mistake of theirs.

At admission their namespace tells them apart; a file that names none is known by who owns the pods and by the images,
all of them. Only the linter goes by that: anybody may write any image's name into a pod.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.workloads.workload import Workload


def installs(workload: Workload) -> bool:
    """Tell whether an object is a DaemonSet (or a Pod that one owns) of nothing but one component's images."""
    if not _is_daemon(workload):
        return False
    from gpu_admission.backends import components, registry  # noqa: PLC0415 - every backend, for DaemonSets with findings

    images = [as_str(container.spec.get("image")) for _, container in workload.containers()]
    return components.recognised(images, workload.ref.namespace, components.every(registry.ALL)) is not None


def _is_daemon(workload: Workload) -> bool:
    if workload.group == "apps" and workload.kind == "DaemonSet":
        return True
    owners = as_dict(workload.object.get("metadata")).get("ownerReferences")
    return workload.kind == "Pod" and any(as_str(owner.get("kind")) == "DaemonSet" for _, owner in iter_dicts(owners))
