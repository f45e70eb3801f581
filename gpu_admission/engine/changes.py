"""What an update brought to an object: its new findings, told from the old ones by what they are about.

A finding has an identity: the rule, the place, and the evidence, which is the raw value that the rule judged. How a
finding is worded plays no part in it: messages cut long values, so two different values may read alike.
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
    """Tell whether a Pod has ended for good: it holds no card any more, and never will again.

    One that is being deleted may run until its grace period is over, and holds its card as long. The phase is the API
    server's own: an update of a Pod cannot change it, only one of its ``status`` can.
    """
    return is_one_of(as_dict(as_dict(pod).get("status")).get("phase"), _TERMINAL)


def introduced(now: Iterable[Finding], before: Iterable[Finding], new: Any, old: Any) -> list[Finding]:
    """Return the findings on a new object that were not among those on the old one.

    Findings that cannot be told apart are counted: a second one like the first is new.
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
    """Return what makes a finding the same one after an update: rule and action, lasting place, raw evidence.

    The evidence is what the rule named (``Problem.evidence``), or the value at the finding's own place.
    """
    place, value = _look_up(obj, finding.pointer)
    evidence = value if finding.evidence is None else fingerprint(finding.evidence)
    return finding.rule, finding.action, place, evidence


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys whose raw values differ between two mappings, of either, in order."""
    return [key for key in {**old, **new} if not (key in old and key in new and _same(old[key], new[key]))]


def _same(one: Any, other: Any) -> bool:
    return one is other or fingerprint(one) == fingerprint(other)


def fingerprint(value: Any) -> Value:
    """Return a raw value as something to compare and to look up: equal for equal JSON, whatever the order of keys.

    Values may be nested as deeply as a reader lets them: nothing here calls itself.
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
    """Return the lasting name of a place, and the raw value that stands there.

    Items of lists go by their names: their numbers change when the list does. A variable that refers to others is
    worth what they are worth, so all of its container's are its value.
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
    """Return what an item of a list is called, an object or a container among them; empty for what has no name."""
    fields = as_dict(item)
    return as_str(fields.get("name")) or as_str(as_dict(fields.get("metadata")).get("name"))
