"""Keys of a pod's metadata that schedulers write and device plugins trust: findings on writes and changes."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, format_value
from gpu_admission.engine import changes
from gpu_admission.rules import backend_plan, gpu_markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

FIELDS = (("annotations", gpu_markers.TRUSTED_ANNOTATIONS), ("labels", gpu_markers.TRUSTED_LABELS))
OPT_OUT = (("annotations", gpu_markers.OPT_OUT_ANNOTATIONS), ("labels", gpu_markers.OPT_OUT_LABELS))


def compare(new: Workload, old: Workload, policy: Policy) -> Iterator[Problem]:
    """Find those keys that an update of a Pod writes, changes or removes.

    Removing an opt-out does no harm: the backend's webhook reads it when a pod is created.
    """
    place: Pointer = (*new.pointer, "metadata")
    held, given = (as_dict(workload.object.get("metadata")) for workload in (old, new))
    for field, owners in FIELDS:
        yield from _in_field((*place, field), as_dict(held.get(field)), as_dict(given.get(field)), owners)
    for field, ways in OPT_OUT:
        before, now = as_dict(held.get(field)), as_dict(given.get(field))
        for key, value, system in ways:
            if now.get(key) == value and before.get(key) != value:
                yield opted_out((*place, field, key), value, system)
    for pod, was in zip(new.pods, old.pods, strict=False):
        yield from _in_request(pod, was, policy)


def _in_field(
    at: Pointer, held: Mapping[str, Any], given: Mapping[str, Any], owners: gpu_markers.MarkerOwners
) -> Iterator[Problem]:
    for key in changes.differing(held, given):
        system = owners.of(as_str(key))
        if system and key in held:
            yield _rewritten((*at, key), held[key], system, removed=key not in given)
        elif system:
            yield written((*at, key), given[key], system)


def _in_request(pod: Pod, was: Pod, policy: Policy) -> Iterator[Problem]:
    """Find another request by annotation in a pod that is bound to a node: schedulers count by it."""
    if not was.spec.get("nodeName"):
        return
    asked = backend_plan.asked_by_annotation(was, policy)
    if asked:
        for key in changes.differing(asked, backend_plan.asked_by_annotation(pod, policy)):
            yield _asked_anew((*pod.metadata_pointer, "annotations", key))


def written(place: Pointer, value: object, system: str) -> Problem:
    """Return the problem of a key that only a scheduler writes."""
    return Problem(
        place,
        (
            f"the {_what(place)}: {format_value(value)} is written by the scheduler of {system}",
            " to record which card a pod gets, and is trusted whoever wrote it",
        ),
        ("remove it", f": {system} sets it by itself when the pod is scheduled"),
    )


def _rewritten(place: Pointer, value: object, system: str, *, removed: bool) -> Problem:
    return Problem(
        place,
        (
            f"this update {'removes' if removed else 'changes'} the {_what(place)}",
            (
                f", in which the scheduler of {system} keeps the GPU that this pod has ({format_value(value)}), so its "
                "share could be given to another pod as well"
            ),
        ),
        f"leave it as {system} wrote it until the pod has ended",
    )


def opted_out(place: Pointer, value: str, system: str) -> Problem:
    """Return the problem of a label or an annotation that opts out."""
    return Problem(
        place,
        (
            f"the {str(place[-2])[:-1]} {place[-1]}: {value} hides the pod from the webhook of {system}",
            ", so it runs without the limits on shared GPUs",
        ),
        f"remove the {str(place[-2])[:-1]}",
    )


def _asked_anew(place: Pointer) -> Problem:
    return Problem(
        place,
        (
            f"this update changes the {_what(place)}",
            (
                ", the pod's share of a GPU, while the pod runs: its scheduler counts by it, and would "
                "give to others what the pod still uses"
            ),
        ),
        ("leave it unchanged until the pod has ended", ", and request another amount in a new pod"),
    )


def _what(place: Pointer) -> str:
    return f"{str(place[-2])[:-1]} {format_value(place[-1])}"
