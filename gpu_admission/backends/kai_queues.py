"""The queue in which KAI puts a pod: the label of its top owner, its own, its project's name, or ``default-queue``.

Source: kai-scheduler/KAI-Scheduler pkg/podgrouper/podgrouper/plugins/defaultgrouper/default_grouper.go.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, escape, format_value

from . import kai_annotations
from .portable import BackendPatch
from .rejection import QUEUE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.workloads.pod import Pod


def completion(pod: Pod, labels: Mapping[str, Any], default: str | None) -> BackendPatch:
    """Return the queue of Run:ai's older label, or the policy's for a pod that names none in any way that KAI reads.

    ``labels`` are the pod's and, first, its owner's. Raises RejectedRequestError where they name a queue that cannot
    exist, and (as a warning) where the pod names one in the wrong place.
    """
    value = labels.get(kai_annotations.QUEUE)
    if value:
        return BackendPatch()
    if value == "":
        raise _empty()
    old = as_str(labels.get(kai_annotations.OLD_QUEUE))
    if old:
        return BackendPatch(labels={kai_annotations.QUEUE: old})
    misplaced = as_str(as_dict(pod.metadata.get("annotations")).get(kai_annotations.QUEUE))
    if misplaced:
        raise _misplaced(misplaced)
    queue = None if labels.get(kai_annotations.PROJECT) else default
    return BackendPatch(labels={kai_annotations.QUEUE: queue}) if queue else BackendPatch()


def _empty() -> RejectedRequestError:
    return RejectedRequestError(
        QUEUE,
        (
            f"and the label {kai_annotations.QUEUE} is empty",
            ": there is no queue of that name, and KAI never schedules it",
        ),
        ("write the name of a queue", f", or leave the label out: KAI then takes {kai_annotations.DEFAULT_QUEUE}"),
    )


def _misplaced(name: str) -> RejectedRequestError:
    return RejectedRequestError(
        QUEUE,
        (
            f"and the pod has {kai_annotations.QUEUE}: {format_value(name)} as an annotation",
            ", which KAI does not read",
        ),
        f"write {kai_annotations.QUEUE}: {escape(name[:63])} among the labels of the pod",
        severity="warning",
    )
