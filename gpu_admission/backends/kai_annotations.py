"""KAI's annotations: which of a pod's request a share of a card, and for which container.

A pod requests a share in one of two ways: for the container in ``gpu-fraction-container-name`` (else the first) by
``gpu-memory`` or ``gpu-fraction``; or, from release 0.18 on, for one container that the key itself names, by
``nvidia.com/container.<name>.gpu-memory.request`` and ``.limit``, which KAI calls NvFractions. KAI's webhook writes the
second beside the first, and its binder does the same once a card is chosen: both together are valid where they agree.

Sources: kai-scheduler/KAI-Scheduler pkg/common/resources (gpu_sharing.go, gpu_sharing_nvfractions.go,
gpu_sharing_container_ref.go, gpu_sharing_validation.go), pkg/admission/webhook/v1alpha2/nvfractions and
docs/gpu-sharing/README.md; kai-scheduler/api utilities/resources/gpu_sharing_validation.go for the two limits of
one name (``gpu-memory.limit``, ``gpu-fraction.limit``).
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str
from gpu_admission.core.typos import nearest
from gpu_admission.workloads import share_annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod

    Annotations = Mapping[str, Any]

MEMORY = "gpu-memory"
FRACTION = "gpu-fraction"
MEMORY_LIMIT = "gpu-memory.limit"
FRACTION_LIMIT = "gpu-fraction.limit"
DEVICES = "gpu-fraction-num-devices"
CONTAINER = share_annotations.CONTAINER_ANNOTATION
QUEUE = "kai.scheduler/queue"
OLD_QUEUE = "runai/queue"  # before release 0.6
DEFAULT_QUEUE = "default-queue"
PROJECT = "project"  # names the queue where no label does
SCHEDULER = "kai-scheduler"
SYSTEM = "kai"
POD_WIDE = (MEMORY, FRACTION, MEMORY_LIMIT, FRACTION_LIMIT, DEVICES, CONTAINER)
AMOUNTS = (MEMORY, FRACTION)
_ALONE = share_annotations.SHARE_ANNOTATIONS
_MARKS = (FRACTION, MEMORY_LIMIT, DEVICES, CONTAINER)

REQUEST, LIMIT = share_annotations.CONTAINER_AMOUNTS
MODE = "gpu-compute.mode"
COMPUTE = "gpu-compute.request"  # of pull request 2368 of KAI-Scheduler, according to its constant's name
WORDS = (REQUEST, LIMIT, MODE, COMPUTE)
PREFIX = share_annotations.CONTAINER_PREFIX
_BINDERS = ("gpus.devices", "gpu-compute.portion")  # written once a card is chosen: GPU307 reports a user's
MPS = "mps"
_SLIPS = 3  # edit distance within which an unknown word counts as misspelt


def asked(pod: Pod, metadata: Mapping[str, Any], *, certain: bool) -> dict[str, Any]:
    """Return the annotations by which a pod requests a share of a card from KAI, empty where there are none.

    ``certain`` means that the cluster runs KAI: elsewhere ``gpu-memory`` alone may belong to other software.
    """
    annotations = as_dict(metadata.get("annotations"))
    own = {key: value for key, value in annotations.items() if for_container(key) is not None}
    named = any(is_amount(key) for key in own)
    if not named and not any(name in annotations for name in AMOUNTS):
        return _without_amount(pod, annotations, certain=certain)
    marked = named or any(name in annotations for name in _MARKS) or QUEUE in as_dict(metadata.get("labels"))
    if not (certain or marked or pod.spec.get("schedulerName") == SCHEDULER):
        return {}
    values = {name: annotations[name] for name in POD_WIDE if name in annotations} | own
    return values | {key: value for key, value in annotations.items() if is_portion_limit(key)}


def _without_amount(pod: Pod, annotations: Annotations, *, certain: bool) -> dict[str, Any]:
    """Return the annotations that qualify a share where none gives its amount, for `read` to reject."""
    if not (certain or pod.spec.get("schedulerName") == SCHEDULER):
        return {}
    return {key: values for key, values in annotations.items() if key in _ALONE or is_portion_limit(key)}


def served(pod: Pod, values: Annotations) -> Container | None:
    """Return the container that KAI would give the share to.

    Where none has the given name, it is the first, for `read` to reject; None where only a part of the pod is visible,
    and the container may be in another.
    """
    candidates = [each for each in pod.containers if each.role != "ephemeral"]
    wanted = containers(values)
    named = next((each for name in wanted for each in candidates if each.name == name), None)
    if named is not None or (wanted and not pod.complete):
        return named
    return next((each for each in candidates if each.role == "app"), None)


def containers(values: Annotations) -> list[str]:
    """Return the containers that annotations name, each once; a value that is not a string names none of the pod."""
    found = [split[0] for key in values if (split := for_container(key)) is not None]
    if CONTAINER in values:
        found.append(as_str(values[CONTAINER]))
    return list(dict.fromkeys(found))


def for_container(key: object) -> tuple[str, str] | None:
    """Return the container and the word of an annotation for one container; None for the binder's, and others."""
    name, word = share_annotations.for_container(key)
    return None if word is None or word in _BINDERS else (name, word)


def is_amount(key: str) -> bool:
    """Return whether an annotation gives a container's amount of memory, even if it is misspelt."""
    split = for_container(key)
    return split is not None and meant_word(split[1]) in {REQUEST, LIMIT}


def meant_word(word: str) -> str | None:
    """Return the word that was meant; None for one that a newer release of KAI may define."""
    if word in {"gpu-memory", "gpu-mem"}:
        return REQUEST
    return nearest(word.lower(), WORDS, _SLIPS)


def is_portion_limit(key: object) -> bool:
    """Return whether an annotation limits a container's fraction of a card."""
    values = as_str(key)
    return values.startswith(share_annotations.PORTION_PREFIX) and values.endswith(share_annotations.PORTION_LIMIT)
