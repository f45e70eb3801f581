"""Checks of the amounts in a native request: zeros, suspicious units, percentages out of range, more than a card."""

from __future__ import annotations

from gpu_admission.core.quantity import GIB

from .checks import unit_name
from .portable import LEAST_MEMORY, MOST_MEMORY, ceil_div, format_memory
from .rejection import EXCEEDS, PERCENT, UNIT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.quantity import Quantity

    from .base import ClusterFacts
    from .native_request import NativeRequest
    from .portable import GpuShare


def no_memory(native_request: NativeRequest, name: str, example: str) -> Iterator[RejectedRequestError]:
    """Yield a rejection where a resource that counts memory is zero."""
    amount = _amount_of(native_request, name)
    if amount is not None and amount.is_zero:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            "which requests no memory at all",
            (f"leave {name} out where no GPU is needed", f", or write an amount, such as {name}: {example}"),
            about=name,
        )


def zero_is_all(native_request: NativeRequest, name: str, title: str) -> Iterator[RejectedRequestError]:
    """Yield a warning where zero memory means a whole card, as in HAMi and Volcano.

    Source: Project-HAMi/HAMi pkg/device/nvidia/device.go, volcano-sh/volcano pkg/scheduler/api/devices/util.go.
    """
    amount = _amount_of(native_request, name)
    if amount is not None and amount.is_zero:
        yield RejectedRequestError(
            UNIT,
            (f"and {title} takes {name}: 0 for no limit", ": all of each card, or its own default"),
            (f"leave {name} out to take whole cards", ", or write the memory in MiB"),
            about=name,
        )


def no_cards(native_request: NativeRequest, name: str) -> Iterator[RejectedRequestError]:
    """Yield a rejection where memory or compute is requested on zero cards."""
    amount = _amount_of(native_request, name)
    if amount is not None and amount.is_zero and native_request.wants_gpu:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            "which requests no GPU at all",
            (f"write {name}: 1", "; or leave all of it out where no GPU is needed"),
            about=name,
        )


def suspicious(
    native_request: NativeRequest, name: str, unit: int, facts: ClusterFacts, *, slices: tuple[int, ...] = ()
) -> Iterator[RejectedRequestError]:
    """Yield a warning where an amount of a memory resource looks 1024 times too large or too small.

    ``unit`` is the bytes per unit of the resource, ``slices`` the permitted amounts (empty: all). It is an error where
    even 1024 times less is more than any GPU has, since no unit in the policy explains it. Amounts above the policy's
    largest card are reported by GPU105.
    """
    amount = _amount_of(native_request, name)
    if amount is None or amount.is_zero:
        return
    value = amount.ceil()
    if facts.largest is not None and value * unit > facts.largest:
        return
    guess = _meant(value, unit, facts)
    if guess is not None:
        guess = next((each for each in slices if each >= guess), guess)
        yield RejectedRequestError.amount(
            UNIT,
            (f"{value} {unit_name(unit)}", f": {name} counts {unit_name(unit)} here; did you mean {guess}?"),
            (f"write {name}: {guess}", f", or whatever the process needs in {unit_name(unit)}"),
            severity="error" if value * unit > 256 * MOST_MEMORY else None,
            about=name,
        )


def suspicious_bytes(native_request: NativeRequest, name: str) -> Iterator[RejectedRequestError]:
    """Yield an error for an amount of bytes that probably lacks its suffix."""
    amount = _amount_of(native_request, name)
    if amount is not None:
        yield from too_few_bytes(name, amount.ceil())


def too_few_bytes(name: str, count: int) -> Iterator[RejectedRequestError]:
    """Yield an error for fewer bytes than any process needs on a GPU."""
    if 0 < count < LEAST_MEMORY:
        meant = f"{count}Gi" if count < 1024 else f"{count}Mi" if count < 1024 * 1024 else "8Gi"
        yield _other_bytes(name, format_memory(count), meant)


def too_many_bytes(name: str, count: int) -> Iterator[RejectedRequestError]:
    """Yield an error for more bytes than any GPU has."""
    if count > MOST_MEMORY:
        guesses = [ceil_div(count, 1024**slip) for slip in range(1, 4)]
        guess = next((guess for guess in guesses if LEAST_MEMORY <= guess <= MOST_MEMORY), 8 * GIB)
        yield _other_bytes(
            name, f"{format_memory(count)}, more than any GPU has", format_memory(guess).removeprefix("about ")
        )


def _other_bytes(name: str, amount_text: str, meant: str) -> RejectedRequestError:
    return RejectedRequestError.amount(
        UNIT,
        (amount_text, f": {name} counts bytes; did you mean {meant}?"),
        (f"write {name}: {meant}", ", or whatever the process needs, with its suffix"),
        severity="error",
        about=name,
    )


def percents(native_request: NativeRequest, *names: str, most: int = 100) -> Iterator[RejectedRequestError]:
    """Yield a rejection for each percentage that is not from 1 to ``most``."""
    for name in names:
        amount = _amount_of(native_request, name)
        if amount is None:
            continue
        value = amount.ceil()
        if not 1 <= value <= most:
            yield RejectedRequestError(
                PERCENT,
                (f"and {name} is {value} percent", f": a percentage must be from 1 to {most}"),
                f"write {name} as a number from 1 to {most}",
                about=name,
            )


def _amount_of(native_request: NativeRequest, name: str) -> Quantity | None:
    """Return the amount of a resource, None where it is absent or unreadable."""
    gpu = native_request.gpus.get(name)
    amount = None if gpu is None else gpu.quantity()
    return None if amount is None or amount.is_negative else amount


def _meant(value: int, unit: int, facts: ClusterFacts) -> int | None:
    """Return the amount that was probably meant, or None where the one given is plausible."""
    most = facts.largest or MOST_MEMORY
    if value * unit > 4 * most:
        for divisor in (1024, unit, unit * 1024):
            guess = ceil_div(value, divisor)
            if LEAST_MEMORY <= guess * unit <= most:
                return guess
        return None if value * unit <= MOST_MEMORY else 8 * GIB // unit
    if value * unit < LEAST_MEMORY:
        guess = value * 1024
        return guess if LEAST_MEMORY <= guess * unit <= most else None
    return None


def exceeds(request: GpuShare, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
    """Yield a rejection where a request for a GPU exceeds the memory of the largest card."""
    if request.memory is not None and facts.largest is not None and request.memory > facts.largest:
        yield too_much(request.memory, facts)


def too_much(memory: int, facts: ClusterFacts) -> RejectedRequestError:
    """Return the rejection of more memory on one GPU than any card of the policy has."""
    largest = facts.largest or 0
    model = max(facts.cards, key=lambda card: card.memory).model
    guesses = [ceil_div(memory, 1024**slip) for slip in range(1, 4)]  # one unit off, or a suffix on a number of units
    guess = next((guess for guess in guesses if LEAST_MEMORY <= guess <= largest), None)
    hint = "" if guess is None else f" (was {format_memory(guess)} meant?)"
    return RejectedRequestError.amount(
        EXCEEDS,
        (
            f"{format_memory(memory)} on one GPU",
            (
                f", and the largest card of this cluster, {model}, has "
                f"{format_memory(largest)}: it would stay Pending forever"
            ),
        ),
        f"request at most {format_memory(largest)} per GPU{hint}",
    )
