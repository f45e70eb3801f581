"""The new findings of an update, distinguished from the old ones by an identity.

The identity of a finding is the rule, the place, and the evidence, which is the raw value that the rule judged. The
message is not part of it: messages truncate long values, so two different values may look the same.
"""

from __future__ import annotations

from collections import Counter

from gpu_admission.core.raw import as_dict, as_str, is_one_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gpu_admission.core.finding import Action, Finding
    from gpu_admission.core.pointer import Pointer

    Value = tuple[object, ...]
    Identity = tuple[str, Action, Pointer, Value]

_TERMINAL = frozenset({"Succeeded", "Failed"})
_ABSENT: Value = ("absent",)


def is_terminal(pod: Any) -> bool:
    """Return whether a Pod has terminated, and so does not hold a card any more.

    One that is being deleted may run until the end of its grace period, and holds its card until then. An update of a
    Pod cannot change the phase, only one of its ``status`` can.
    """
    return is_one_of(as_dict(as_dict(pod).get("status")).get("phase"), _TERMINAL)


def introduced(now: Iterable[Finding], before: Iterable[Finding], new: Any, old: Any) -> list[Finding]:
    """Return the findings on a new object that were not among those on the old one.

    Findings with the same identity are counted: one more than before is new.
    """
    known = Counter(identity(finding, old) for finding in before)
    found = []
    for finding in now:
        itself = identity(finding, new)
        if known[itself] > 0:
            known[itself] -= 1
        else:
            found.append(finding)
    return found


def identity(finding: Finding, obj: Any) -> Identity:
    """Return the identity of a finding across an update: rule and action, stable place, raw evidence.

    The evidence is that of the rule (``Problem.evidence``), or the value at the finding's place.
    """
    place, value = _look_up(obj, finding.pointer)
    evidence = value if finding.evidence is None else fingerprint(finding.evidence)
    return finding.rule, finding.action, place, evidence


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys of either mapping whose raw values differ, in order."""
    return [key for key in {**old, **new} if not (key in old and key in new and _same(old[key], new[key]))]


def _same(one: Any, other: Any) -> bool:
    return one is other or fingerprint(one) == fingerprint(other)


def fingerprint(value: Any) -> Value:
    """Return a hashable form of a raw value: equal for equal JSON, in any order of keys.

    It is not recursive, because values may be nested deeply.
    """
    found: list[object] = []
    waiting = [value]
    while waiting:
        value = waiting.pop()
        found.append(type(value).__name__)
        if isinstance(value, dict):
            found.append(len(value))
            for key in sorted(value, key=_sorted_by):
                waiting += (value[key], key)
        elif isinstance(value, list | tuple):
            found.append(len(value))
            waiting += value
        else:
            found.append(value)
    return tuple(found)


def _sorted_by(key: object) -> tuple[str, str]:
    return type(key).__name__, str(key)


def _look_up(obj: Any, pointer: Pointer) -> tuple[Pointer, Value]:
    """Return the stable name of a place, and its raw value.

    Items of lists are identified by name, because indices change with the list. The value of a variable that refers to
    others depends on them, so its value here is all variables of its container.
    """
    here = obj
    place: list[str | int] = []
    variables: Any = None
    for token in pointer:
        is_there = token in here if isinstance(here, dict) else isinstance(here, list) and token in range(len(here))
        if not is_there:
            return (*place, *pointer[len(place) :]), _ABSENT
        here = here[token]
        place.append(_name(here) if isinstance(token, int) else token)
        if token == "env" and isinstance(here, list):
            variables = here
    value = fingerprint(here)
    if variables is not None and here is not variables and _refers(value):
        value = fingerprint(variables)
    return tuple(place), value


def _refers(value: Value) -> bool:
    """Return whether a value refers to variables."""
    return any(isinstance(each, str) and "$(" in each for each in value)


def _name(item: Any) -> str:
    """Return the name of an item of a list, such as an object or a container; empty if it has none."""
    fields = as_dict(item)
    return as_str(fields.get("name")) or as_str(as_dict(fields.get("metadata")).get("name"))
