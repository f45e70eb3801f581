"""Reads KAI's annotations as a portable request, and refuses the same as KAI's own admission.

Sources: as in ``kai_annotations``.
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_str, escape, format_value
from gpu_admission.workloads import share_annotations

from . import kai_amounts as amounts
from .kai_annotations import (
    AMOUNTS,
    COMPUTE,
    CONTAINER,
    DEVICES,
    FRACTION,
    FRACTION_LIMIT,
    LIMIT,
    MEMORY,
    MEMORY_LIMIT,
    MODE,
    PREFIX,
    REQUEST,
    WORDS,
    containers,
    for_container,
    is_amount,
    is_portion_limit,
    meant_word,
)
from .portable import WHOLE, GpuShare, format_memory
from .rejection import CONTAINERS, PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Annotations = Mapping[str, Any]

_SIDE_BY_SIDE = "sm-sharing"
_MODES = ("time-slicing", _SIDE_BY_SIDE)
_FINE = 10**9  # resolution of fractions that are compared: KAI reads floating point numbers
_PLACES = 5  # digits behind the point of a limit


def read(container: str, values: Annotations) -> GpuShare:
    """Return the portable request of a container's annotations.

    Raises RejectedRequestError for what KAI itself would refuse.
    """
    own = _of_container(container, values)
    if not any(name in values for name in AMOUNTS) and not own.keys() & {REQUEST, LIMIT}:
        raise _without_amount(next(iter(values)))
    for key in filter(is_portion_limit, values):
        _require_portion_limit(container, key, values)
    count = amounts.number(values.get(DEVICES, "1"))
    if count is None or count < 1:
        raise amounts.unreadable(DEVICES, values.get(DEVICES), 'a whole number in quotes, such as "2"')
    cores = None if COMPUTE not in own else amounts.part_of(*own[COMPUTE], WHOLE, "a card's compute", up_to_all=True)
    memory, most = _memory(values, own)
    lost = _lost(own)
    if memory is None:
        return _fraction(values, count, cores, lost)
    if most is not None and most > memory:
        lost = lost or _grows(format_memory(memory), format_memory(most))
    return GpuShare(memory, count, cores, lost=lost, consumed=_consumed(values, MEMORY, MEMORY_LIMIT))


def _fraction(values: Annotations, count: int, cores: int | None, lost: tuple[str, str] | None) -> GpuShare:
    whole = "; or request whole cards: nvidia.com/gpu: 1"
    thousandths = amounts.part_of(FRACTION, values[FRACTION], 1000, "a card", besides=whole)
    limits = [name for name in (FRACTION_LIMIT, *filter(is_portion_limit, values)) if name in values]
    for name in limits:
        _require_higher(name, values)
        lost = lost or _grows(f"{as_str(values[FRACTION])} of a card", as_str(values[name]))
    consumed = _consumed(values, FRACTION, *limits)
    return GpuShare(None, count, cores, thousandths=thousandths, lost=lost, consumed=consumed)


def _without_amount(key: str) -> RejectedRequestError:
    return RejectedRequestError(
        UNTRANSLATABLE,
        f"without an amount of a card: KAI refuses {escape(key[:120])} alone",
        (f'write {MEMORY} in MiB, such as "8192"', f', or {FRACTION}, such as "0.5", besides; or leave it out'),
    )


def _require_higher(name: str, values: Annotations) -> None:
    """Raise RejectedRequestError for a limit that does not exceed the fraction."""
    most, least = (amounts.part_of(each, values[each], _FINE, "a card") for each in (name, FRACTION))
    if most <= least:
        raise amounts.too_low(name, format_value(values[name]), FRACTION, format_value(values[FRACTION]), equal=True)


def _require_portion_limit(served_container: str, key: str, values: Annotations) -> None:
    """Raise RejectedRequestError for a limit of a fraction that KAI's webhook would refuse."""
    named = key.removeprefix(share_annotations.PORTION_PREFIX).removesuffix(share_annotations.PORTION_LIMIT)
    shown_key, container = escape(key[:120]), escape(served_container[:63])
    if FRACTION not in values:
        reason, advice = f"and {shown_key} goes with {FRACTION} only", f"write {FRACTION}, or leave the limit out"
        raise RejectedRequestError(UNTRANSLATABLE, reason, advice, about=key)
    if named != served_container:
        wanted = f"{share_annotations.PORTION_PREFIX}{container}{share_annotations.PORTION_LIMIT}"
        reason = f'and {shown_key} is for another container than the one that is given the share, "{container}"'
        raise RejectedRequestError(UNTRANSLATABLE, reason, f"write {wanted}", about=key)
    if len(as_str(values[key]).partition(".")[2]) > _PLACES:
        reason = f"and {shown_key}: {format_value(values[key])} has more than {_PLACES} digits behind the point"
        raise RejectedRequestError(PERCENT, reason, "write fewer digits", about=key)


def _consumed(values: Annotations, *amount: str) -> Iterator[str]:
    """Yield the annotations that a request was read from: those of the amount, and all for the container."""
    yield from (DEVICES, CONTAINER, *amount)
    yield from (key for key in values if for_container(key) is not None)


def in_bytes(values: Annotations) -> dict[str, int]:
    """Return the readable amounts of memory in bytes by annotation, except those in MiB."""
    names = (MEMORY_LIMIT, *(key for key in values if is_amount(key)))
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
        reason = "memory and a fraction", ", and KAI uses only one of them"
        raise RejectedRequestError.amount(UNTRANSLATABLE, reason, f"keep {MEMORY} or {FRACTION}")
    in_mib = _older_memory(values)
    request, limit = (amounts.in_bytes(*own[word]) if word in own else None for word in (REQUEST, LIMIT))
    shorthand = amounts.in_bytes(MEMORY_LIMIT, values[MEMORY_LIMIT]) if MEMORY_LIMIT in values else None
    if limit is not None and _has_its_limit(values):
        raise _in_two_ways(own[LIMIT][0], MEMORY if MEMORY in values else FRACTION)
    if request is not None and in_mib is not None and request != in_mib:
        what = f"{format_memory(in_mib)} and {format_memory(request)} at once, and KAI refuses annotations that differ"
        raise RejectedRequestError.amount(UNTRANSLATABLE, what, f"keep one of {MEMORY} and {own[REQUEST][0]}")
    most = limit if limit is not None else shorthand
    memory = request or in_mib or (None if FRACTION in values else limit)
    if memory is not None and most is not None and most < memory:
        name = own[LIMIT][0] if limit is not None else MEMORY_LIMIT
        raise amounts.too_low(name, format_memory(most), "the request", format_memory(memory))
    return memory, most


def _in_two_ways(limit: str, old: str) -> RejectedRequestError:
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        ("a share of a card in two ways", f", and KAI takes no {limit} beside {old}"),
        (f"leave out {old}", ", or the limit"),
    )


def _has_its_limit(values: Annotations) -> bool:
    """Return whether a user wrote a limit of the newer kind beside a request of the older."""
    if FRACTION in values:
        return FRACTION_LIMIT not in values and not any(map(is_portion_limit, values))
    return MEMORY in values and MEMORY_LIMIT not in values


def _of_container(container: str, values: Annotations) -> dict[str, tuple[str, Any]]:
    """Return word -> key and value of the annotations that name a container.

    Raises RejectedRequestError where they name another one, or none of the pod, or have a word that is not KAI's.
    """
    _require_one_container(container, values)
    found = {}
    for key, value in values.items():
        _, word = for_container(key) or ("", "")
        near = meant_word(word)
        if near and near != word:
            raise RejectedRequestError(
                UNTRANSLATABLE,
                f"and KAI knows no annotation {escape(key[:120])}",
                f"write {PREFIX}{escape(container[:63])}.{near}",
                about=key,
            )
        if word:
            found[word] = (key, value)
    return found


def _require_one_container(container: str, values: Annotations) -> None:
    """Raise RejectedRequestError where annotations name another container, or several."""
    names = containers(values)
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
            about=next(key for key in values if key == CONTAINER or for_container(key) is not None),
        )


def _lost(own: Mapping[str, tuple[str, Any]]) -> tuple[str, str] | None:
    """Return why annotations beside the amounts cannot be expressed for another backend, and what to do."""
    key, mode = own.get(MODE, ("", _MODES[0]))
    if mode not in _MODES:
        raise amounts.unreadable(key, mode, " or ".join(_MODES))
    if mode == _SIDE_BY_SIDE:
        return "and only KAI lets a single pod compute concurrently with others (sm-sharing)", f"leave {key} out"
    other = next((own[word][0] for word in own if word not in WORDS), None)
    return None if other is None else (f"and {escape(other[:120])} is known only to KAI", "leave it out")


def _grows(memory: str, most: str) -> tuple[str, str]:
    return (
        f"which may grow from {memory} to {most} while others leave it free, and only KAI does that",
        f"request a fixed amount: {most}, or {memory}",
    )
