"""In which queue KAI puts a pod: the label of its top owner, its own, its project's name, or ``default-queue``.

Source: kai-scheduler/KAI-Scheduler pkg/podgrouper/podgrouper/plugins/defaultgrouper/default_grouper.go.
"""

from __future__ import annotations

from gpu_admission.core.shape import mapping, printable, shown, text

from . import kai_words
from .portable import Emission
from .refusal import QUEUE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.core.workload import Pod


def completion(pod: Pod, labels: Mapping[str, Any], default: str | None) -> Emission:
    """Return the queue of Run:ai's older label, or the policy's for a pod that names none in any way that KAI reads.

    ``labels`` are the pod's and, first, its owner's. Raises Refused where they name a queue that there cannot be, and
    (as a warning) where the pod names one in the wrong place.
    """
    said = labels.get(kai_words.QUEUE)
    if said:
        return Emission()
    if said == "":
        raise Refused(
            QUEUE,
            f"and the label {kai_words.QUEUE} is empty: there is no queue of that name, and KAI never schedules it",
            f"write the name of a queue, or leave the label out: KAI then takes {kai_words.DEFAULT_QUEUE}",
        )
    old = text(labels.get(kai_words.OLD_QUEUE))
    if old:
        return Emission(labels={kai_words.QUEUE: old})
    misplaced = text(mapping(pod.metadata.get("annotations")).get(kai_words.QUEUE))
    if misplaced:
        raise Refused(
            QUEUE,
            f"and the pod has {kai_words.QUEUE}: {shown(misplaced)} as an annotation, where KAI does not look",
            f"write {kai_words.QUEUE}: {printable(misplaced[:63])} among the labels of the pod",
            severity="warning",
        )
    queue = None if labels.get(kai_words.PROJECT) else default
    return Emission(labels={kai_words.QUEUE: queue}) if queue else Emission()
