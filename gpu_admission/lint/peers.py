"""Recognises manifests that install a device plugin, a driver or a scheduler, whose device access is intended.

At admission their namespace identifies them; a file without one is recognised by the owner of the pods and by all of
their images. The template of an operator, whose namespace and images are placeholders, is recognised by its service
account. Only the linter does this: a user may write any image's name into a pod, and an object with an invalid
namespace never reaches admission.
"""

from __future__ import annotations

import re

from gpu_admission.core.raw import as_dict, as_str, is_placeholder, iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.backends.components import Component
    from gpu_admission.workloads.workload import Workload

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # what the API server accepts (RFC 1123)
_KUSTOMIZES = "system"  # the namespace in kubebuilder's projects, which kustomize replaces
_NO_IMAGE = re.compile(r"\s")  # not allowed in image references


def installs(workload: Workload) -> bool:
    """Return whether an object is a DaemonSet (or a Pod that one owns) with the images of one component only.

    Or the template of one that an operator of such a component fills in.
    """
    if not _is_daemon(workload):
        return False
    from gpu_admission.backends import components, registry  # noqa: PLC0415 - every backend, for DaemonSets with findings

    namespace, parts = workload.ref.namespace, tuple(components.every(registry.ALL))
    filled_in = namespace is None or _NAMESPACE.fullmatch(namespace) is not None
    images = [as_str(container.spec.get("image")) for _, container in workload.containers()]
    given = [image for image in images if not (_NO_IMAGE.search(image) or is_placeholder(image))]
    own = namespace if filled_in and namespace != _KUSTOMIZES else None
    if len(given) == len(images):
        return components.recognised(images, own, parts) is not None
    return not filled_in and _is_operand(workload, given, parts)


def _is_operand(workload: Workload, images: Sequence[str], parts: Sequence[Component]) -> bool:
    """Return whether all pods have service accounts of one operator, and the images given are that operator's."""
    from gpu_admission.backends import components  # noqa: PLC0415 - as above

    accounts = {as_str(pod.spec.get("serviceAccountName")) for pod in workload.pods}
    return any(
        accounts <= set(part.operands) and (not images or components.recognised(images, None, (part,)) is not None)
        for part in parts
        if part.operands
    )


def _is_daemon(workload: Workload) -> bool:
    if workload.group == "apps" and workload.kind == "DaemonSet":
        return True
    owners = as_dict(workload.object.get("metadata")).get("ownerReferences")
    return workload.kind == "Pod" and any(as_str(owner.get("kind")) == "DaemonSet" for _, owner in iter_dicts(owners))
