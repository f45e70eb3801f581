"""Tolerations that Kubernetes refuses for another field than the key, or for the key's format (for GPU208)."""

from __future__ import annotations

from gpu_admission.core.raw import as_str, escape, format_value
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

# k8s.io/kubernetes pkg/apis/core/validation, validateTolerations; Lt and Gt since 1.35
OPERATORS = ("Exists", "Equal", "Lt", "Gt")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS_TAKEN = (None, "", *OPERATORS)  # tuples: a raw value may be unhashable
_EFFECTS_TAKEN = (None, "", *EFFECTS)
_NO_KEY = (None, "")
_LONGEST = 32
_FARTHEST = 2


@record
class Slip:
    """A fault of a toleration: its ``field``, the messages, and the ``changes`` that repair it.

    ``changes`` are fields and their new values, None for a field to be removed; empty where the repair is unclear.
    """

    field: str
    message: str
    advice: str
    changes: dict[str, Any]


def is_sound(toleration: Mapping[str, Any]) -> bool:
    """Return whether Kubernetes accepts the combination of operator, value and effect."""
    operator = toleration.get("operator")
    if operator not in _OPERATORS_TAKEN or toleration.get("effect") not in _EFFECTS_TAKEN:
        return False
    return not toleration.get("value") if operator == "Exists" else bool(toleration.get("key"))


def taint_in_key(key: str) -> tuple[str, str, str]:
    """Return key, value and effect of a key that holds a whole taint, as kubectl writes it: ``key=value:effect``."""
    head, _, effect = key.partition(":")
    bare, _, value = head.partition("=")
    return bare, value, effect


def find(toleration: Mapping[str, Any], taints: Collection[str] | None) -> Iterator[Slip]:
    """Yield the faults of a toleration of one of these taints; of any taint where they are None."""
    key = as_str(toleration.get("key"))
    bare, held, its_effect = taint_in_key(key)
    if taints is not None and (not bare or bare not in taints):
        return
    if bare and bare != key:
        yield _of_key(toleration, bare, held, its_effect)
        return
    yield from _of_operator(toleration, bare)
    effect = toleration.get("effect")
    if isinstance(effect, str) and effect and effect not in EFFECTS:
        yield _of_word("effect", effect, EFFECTS)


def _of_operator(toleration: Mapping[str, Any], bare: str) -> Iterator[Slip]:
    operator = toleration.get("operator")
    if isinstance(operator, str) and operator and operator not in OPERATORS:
        yield _of_word("operator", operator, OPERATORS)
    elif operator == "Exists" and toleration.get("value"):
        given = format_value(toleration["value"])
        what = f"the toleration of {escape(bare[:80])}" if bare else "the toleration"
        yield Slip(
            "value",
            f"{what} has operator Exists and value: {given}, which Kubernetes refuses together",
            f"leave the value out to tolerate any, or write operator: Equal to tolerate {given} only",
            {"value": None},
        )
    elif toleration.get("key") in _NO_KEY and operator != "Exists":
        yield Slip(
            "operator" if "operator" in toleration else "",
            "the toleration has no key, which Kubernetes takes with operator: Exists only",
            "write the key of the taint, or operator: Exists alone to tolerate every taint",
            {},
        )


def mended(toleration: Mapping[str, Any], taints: Collection[str]) -> Mapping[str, Any]:
    """Return the intended toleration, where the key holds a whole taint; any other unchanged."""
    key = as_str(toleration.get("key"))
    if ":" not in key and "=" not in key:
        return toleration
    made = dict(toleration)
    for slip in find(toleration, taints):
        made.update(slip.changes)
    return made


def _of_word(field: str, word: str, known: tuple[str, ...]) -> Slip:
    from gpu_admission.core.typos import nearest  # noqa: PLC0415 - start-up time: needed only for a mistake

    folded = {valid.lower(): valid for valid in known}
    slip = word.lower().strip()
    long = [valid for valid in folded if len(valid) > _FARTHEST]  # two letters are too few to compare
    near = slip if slip in folded else nearest(slip, long, _FARTHEST) if len(word) <= _LONGEST else None
    advice = f"write {field}: {folded[near]}" if near else f"write one of {', '.join(known)}"
    message = f"the toleration's {field} {format_value(word)} is not a valid one, and Kubernetes refuses a pod with it"
    return Slip(field, message, advice, {field: folded[near]} if near else {})


def _of_key(toleration: Mapping[str, Any], bare: str, value: str, effect: str) -> Slip:
    changes: dict[str, Any] = {"key": bare}
    if effect in EFFECTS and not toleration.get("effect"):
        changes["effect"] = effect
    if value and toleration.get("operator") != "Exists" and not toleration.get("value"):
        changes["value"] = value
    fields = ", ".join(f"{field}: {change}" for field, change in changes.items())
    return Slip(
        "key",
        (
            f"the toleration's key {format_value(toleration['key'])} holds more than the key of the taint, and "
            f"matches none"
        ),
        f"write {fields}",
        changes if effect in {"", *EFFECTS} else {},
    )
