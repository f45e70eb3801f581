"""KAI's annotations: for which container they request a share of a card, and for how much of it.

A pod requests a share in one of two ways: for the container in ``gpu-fraction-container-name`` (else the first) by
``gpu-memory`` or ``gpu-fraction``; or, from release 0.18 on, for one container that the key itself names, by
``nvidia.com/container.<name>.gpu-memory.request`` and ``.limit``, which KAI calls NvFractions. KAI's webhook writes the
second beside the first, and its binder does the same once a card is chosen: both together are valid where they agree.
This module reads and refuses the same as KAI's own admission.

Sources: kai-scheduler/KAI-Scheduler pkg/common/resources (gpu_sharing.go, gpu_sharing_nvfractions.go,
gpu_sharing_container_ref.go, gpu_sharing_validation.go), pkg/admission/webhook/v1alpha2/nvfractions and
docs/gpu-sharing/README.md; kai-scheduler/api utilities/resources/gpu_sharing_validation.go for the two limits of
one name (``gpu-memory.limit``, ``gpu-fraction.limit``).
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_dict, as_str, escape, format_value
from gpu_admission.core.typos import nearest
from gpu_admission.workloads import resources

from . import kai_amounts as amounts
from .portable import WHOLE, GpuShare, format_memory
from .rejection import CONTAINERS, PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Pod

    Annotations = Mapping[str, Any]

MEMORY = "gpu-memory"
FRACTION = "gpu-fraction"
MEMORY_LIMIT = "gpu-memory.limit"
FRACTION_LIMIT = "gpu-fraction.limit"
DEVICES = "gpu-fraction-num-devices"
CONTAINER = resources.CONTAINER_ANNOTATION
QUEUE = "kai.scheduler/queue"
OLD_QUEUE = "runai/queue"  # before release 0.6
DEFAULT_QUEUE = "default-queue"
PROJECT = "project"  # names the queue where no label does
SCHEDULER = "kai-scheduler"
SYSTEM = "kai"
POD_WIDE = (MEMORY, FRACTION, MEMORY_LIMIT, FRACTION_LIMIT, DEVICES, CONTAINER)
_AMOUNTS = (MEMORY, FRACTION)
_ALONE = resources.SHARE_ANNOTATIONS
_MARKS = (FRACTION, MEMORY_LIMIT, DEVICES, CONTAINER)

REQUEST, LIMIT = resources.CONTAINER_AMOUNTS
MODE = "gpu-compute.mode"
COMPUTE = "gpu-compute.request"  # of pull request 2368 of KAI-Scheduler, according to its constant's name
_WORDS = (REQUEST, LIMIT, MODE, COMPUTE)
_PREFIX = resources.CONTAINER_PREFIX
_BINDERS = ("gpus.devices", "gpu-compute.portion")  # written once a card is chosen: GPU307 reports a user's
_SIDE_BY_SIDE = "sm-sharing"
_MODES = ("time-slicing", _SIDE_BY_SIDE)
MPS = "mps"
_FINE = 10**9  # resolution of fractions that are compared: KAI reads floating point numbers
_PLACES = 5  # digits behind the point of a limit
_SLIPS = 3  # edit distance within which an unknown word counts as misspelt


def asked(pod: Pod, metadata: Mapping[str, Any], *, certain: bool) -> dict[str, Any]:
    """Return the annotations by which a pod requests a share of a card from KAI, empty where there are none.

    ``certain`` means that the cluster runs KAI: elsewhere ``gpu-memory`` alone may belong to other software.
    """
    annotations = as_dict(metadata.get("annotations"))
    own = {key: value for key, value in annotations.items() if _split(key) is not None}
    named = any(_is_amount(key) for key in own)
    if not named and not any(name in annotations for name in _AMOUNTS):
        return _without_amount(pod, annotations, certain=certain)
    marked = named or any(name in annotations for name in _MARKS) or QUEUE in as_dict(metadata.get("labels"))
    if not (certain or marked or pod.spec.get("schedulerName") == SCHEDULER):
        return {}
    values = {name: annotations[name] for name in POD_WIDE if name in annotations} | own
    return values | {key: value for key, value in annotations.items() if _is_portion_limit(key)}


def _without_amount(pod: Pod, annotations: Annotations, *, certain: bool) -> dict[str, Any]:
    """Return the annotations that qualify a share where none gives its amount, for `read` to reject."""
    if not (certain or pod.spec.get("schedulerName") == SCHEDULER):
        return {}
    return {key: values for key, values in annotations.items() if key in _ALONE or _is_portion_limit(key)}


def served(pod: Pod, values: Annotations) -> Container | None:
    """Return the container that KAI would give the share to.

    Where none has the given name, it is the first, for `read` to reject; None where only a part of the pod is visible,
    and the container may be in another.
    """
    candidates = [each for each in pod.containers if each.role != "ephemeral"]
    wanted = _names(values)
    named = next((each for name in wanted for each in candidates if each.name == name), None)
    if named is not None or (wanted and not pod.complete):
        return named
    return next((each for each in candidates if each.role == "app"), None)


def read(container: str, values: Annotations) -> GpuShare:
    """Return the portable request of a container's annotations.

    Raises RejectedRequestError for what KAI itself would refuse.
    """
    own = _of_container(container, values)
    if not any(name in values for name in _AMOUNTS) and not own.keys() & {REQUEST, LIMIT}:
        key = next(iter(values))
        raise RejectedRequestError(
            UNTRANSLATABLE,
            f"without an amount of a card: KAI refuses {escape(key[:120])} alone",
            (f'write {MEMORY} in MiB, such as "8192"', f', or {FRACTION}, such as "0.5", besides; or leave it out'),
        )
    for key in filter(_is_portion_limit, values):
        _require_portion_limit(container, key, values)
    count = amounts.number(values.get(DEVICES, "1"))
    if count is None or count < 1:
        raise amounts.unreadable(DEVICES, values.get(DEVICES), 'a whole number in quotes, such as "2"')
    cores = None if COMPUTE not in own else amounts.part_of(*own[COMPUTE], WHOLE, "a card's compute", up_to_all=True)
    memory, most = _memory(values, own)
    lost = _lost(own)
    if memory is not None:
        if most is not None and most > memory:
            lost = lost or _grows(format_memory(memory), format_memory(most))
        return GpuShare(memory, count, cores, lost=lost, consumed=_consumed(values, MEMORY, MEMORY_LIMIT))
    whole = "; or request whole cards: nvidia.com/gpu: 1"
    thousandths = amounts.part_of(FRACTION, values[FRACTION], 1000, "a card", besides=whole)
    for name in (FRACTION_LIMIT, *filter(_is_portion_limit, values)):
        if name in values:
            most, least = (amounts.part_of(each, values[each], _FINE, "a card") for each in (name, FRACTION))
            if most <= least:
                raise amounts.too_low(
                    name, format_value(values[name]), FRACTION, format_value(values[FRACTION]), equal=True
                )
            lost = lost or _grows(f"{as_str(values[FRACTION])} of a card", as_str(values[name]))
    consumed = _consumed(values, FRACTION, FRACTION_LIMIT, *filter(_is_portion_limit, values))
    return GpuShare(None, count, cores, thousandths=thousandths, lost=lost, consumed=consumed)


def _require_portion_limit(served_container: str, key: str, values: Annotations) -> None:
    """Raise RejectedRequestError for a limit of a fraction that KAI's webhook would refuse."""
    named = key.removeprefix(resources.PORTION_PREFIX).removesuffix(resources.PORTION_LIMIT)
    shown_key, container = escape(key[:120]), escape(served_container[:63])
    if FRACTION not in values:
        reason, advice = f"and {shown_key} goes with {FRACTION} only", f"write {FRACTION}, or leave the limit out"
        raise RejectedRequestError(UNTRANSLATABLE, reason, advice, about=key)
    if named != served_container:
        wanted = f"{resources.PORTION_PREFIX}{container}{resources.PORTION_LIMIT}"
        reason = f'and {shown_key} is for another container than the one that is given the share, "{container}"'
        raise RejectedRequestError(UNTRANSLATABLE, reason, f"write {wanted}", about=key)
    if len(as_str(values[key]).partition(".")[2]) > _PLACES:
        reason = f"and {shown_key}: {format_value(values[key])} has more than {_PLACES} digits behind the point"
        raise RejectedRequestError(PERCENT, reason, "write fewer digits", about=key)


def _consumed(values: Annotations, *amount: str) -> Iterator[str]:
    """Yield the annotations that a request was read from: those of the amount, and all for the container."""
    yield from (DEVICES, CONTAINER, *amount)
    yield from (key for key in values if _split(key) is not None)


def in_bytes(values: Annotations) -> dict[str, int]:
    """Return the readable amounts of memory in bytes by annotation, except those in MiB."""
    names = (MEMORY_LIMIT, *(key for key in values if _is_amount(key)))
    found = {name: amounts.parsed(values[name]) for name in names if name in values}
    return {name: amount for name, amount in found.items() if amount}


def _older_memory(values: Annotations) -> int | None:
    """Return what ``gpu-memory`` requests, in bytes. Raises RejectedRequestError where that cannot be read."""
    if MEMORY not in values:
        return None
    in_mib = amounts.number(values[MEMORY])
    if not in_mib:
        wanted = f'a whole number of MiB in quotes, such as "{amounts.in_mib(values[MEMORY])}"'
        raise amounts.unreadable(MEMORY, values[MEMORY], wanted)
    return in_mib * MIB


def _memory(values: Annotations, own: Mapping[str, tuple[str, Any]]) -> tuple[int | None, int | None]:
    """Return the requested memory in bytes, and its limit; None where there is none.

    Raises RejectedRequestError where two annotations contradict each other.
    """
    if MEMORY in values and FRACTION in values:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE, ("memory and a fraction", ", and KAI uses only one of them"), f"keep {MEMORY} or {FRACTION}"
        )
    in_mib = _older_memory(values)
    request, limit = (amounts.in_bytes(*own[word]) if word in own else None for word in (REQUEST, LIMIT))
    shorthand = amounts.in_bytes(MEMORY_LIMIT, values[MEMORY_LIMIT]) if MEMORY_LIMIT in values else None
    if limit is not None and _has_its_limit(values):
        old = MEMORY if MEMORY in values else FRACTION
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            ("a share of a card in two ways", f", and KAI takes no {own[LIMIT][0]} beside {old}"),
            (f"leave out {old}", ", or the limit"),
        )
    if request is not None and in_mib is not None and request != in_mib:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            f"{format_memory(in_mib)} and {format_memory(request)} at once, and KAI refuses annotations that differ",
            f"keep one of {MEMORY} and {own[REQUEST][0]}",
        )
    most = limit if limit is not None else shorthand
    memory = request or in_mib or (None if FRACTION in values else limit)
    if memory is not None and most is not None and most < memory:
        name = own[LIMIT][0] if limit is not None else MEMORY_LIMIT
        raise amounts.too_low(name, format_memory(most), "the request", format_memory(memory))
    return memory, most


def _has_its_limit(values: Annotations) -> bool:
    """Return whether a user wrote a limit of the newer kind beside a request of the older."""
    if FRACTION in values:
        return FRACTION_LIMIT not in values and not any(map(_is_portion_limit, values))
    return MEMORY in values and MEMORY_LIMIT not in values


def _of_container(container: str, values: Annotations) -> dict[str, tuple[str, Any]]:
    """Return word -> key and value of the annotations that name a container.

    Raises RejectedRequestError where they name another one, or none of the pod, or have a word that is not KAI's.
    """
    names = _names(values)
    if len(names) > 1:
        listed = " and ".join(f'"{escape(name[:63])}"' for name in names[:2])
        raise RejectedRequestError(
            CONTAINERS,
            (f"for the containers {listed}", ", and KAI gives a share to one container of a pod"),
            "move the second GPU container to a pod of its own",
        )
    if names and names[0] != container:
        raise RejectedRequestError(
            UNTRANSLATABLE,
            (f'for a container "{escape(names[0][:63])}"', ", and the pod has none of that name"),
            f'name one of spec.containers, such as "{escape(container[:63])}"',
            about=next(key for key in values if key == CONTAINER or _split(key) is not None),
        )
    found = {}
    for key, value in values.items():
        _, word = _split(key) or ("", "")
        near = _meant(word)
        if near and near != word:
            raise RejectedRequestError(
                UNTRANSLATABLE,
                f"and KAI knows no annotation {escape(key[:120])}",
                f"write {_PREFIX}{escape(container[:63])}.{near}",
                about=key,
            )
        if word:
            found[word] = (key, value)
    return found


def _names(values: Annotations) -> list[str]:
    """Return the containers that annotations name, each once; a value that is not a string names none of the pod."""
    found = [split[0] for key in values if (split := _split(key)) is not None]
    if CONTAINER in values:
        found.append(as_str(values[CONTAINER]))
    return list(dict.fromkeys(found))


def _split(key: object) -> tuple[str, str] | None:
    """Return the container and the word of an annotation for one container; None for the binder's, and others."""
    name, word = resources.for_container(key)
    return None if word is None or word in _BINDERS else (name, word)


def _is_amount(key: str) -> bool:
    split = _split(key)
    return split is not None and _meant(split[1]) in {REQUEST, LIMIT}


def _meant(word: str) -> str | None:
    """Return the word that was meant; None for one that a newer release of KAI may define."""
    if word in {"gpu-memory", "gpu-mem"}:
        return REQUEST
    return nearest(word.lower(), _WORDS, _SLIPS)


def _is_portion_limit(key: object) -> bool:
    values = as_str(key)
    return values.startswith(resources.PORTION_PREFIX) and values.endswith(resources.PORTION_LIMIT)


def _lost(own: Mapping[str, tuple[str, Any]]) -> tuple[str, str] | None:
    """Return why annotations beside the amounts cannot be expressed for another backend, and what to do."""
    key, mode = own.get(MODE, ("", _MODES[0]))
    if mode not in _MODES:
        raise amounts.unreadable(key, mode, " or ".join(_MODES))
    if mode == _SIDE_BY_SIDE:
        return "and only KAI lets a single pod compute concurrently with others (sm-sharing)", f"leave {key} out"
    other = next((own[word][0] for word in own if word not in _WORDS), None)
    return None if other is None else (f"and {escape(other[:120])} is known only to KAI", "leave it out")


def _grows(memory: str, most: str) -> tuple[str, str]:
    return (
        f"which may grow from {memory} to {most} while others leave it free, and only KAI does that",
        f"request a fixed amount: {most}, or {memory}",
    )
