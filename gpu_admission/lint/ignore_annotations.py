"""The annotation that suppresses findings: where it is allowed, and its syntax."""

from __future__ import annotations

import re

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict
from gpu_admission.core.typos import distance
from gpu_admission.workloads import discovery, workload

from .rule_selection import meant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

# A rule, then a separator before the reason: a dash, a colon, or just a space.
_ENTRY = re.compile(r"\s*(?P<word>[A-Za-z][\w-]*)(?P<rest>$|[\s:\N{EN DASH}\N{EM DASH}-].*)", re.DOTALL)
_SLIPS = 2  # wrong letters in a misspelt key
_SEPARATORS = " \t\r\n:-\N{EN DASH}\N{EM DASH}"


def carriers(document: Any, policy: Policy, name: str) -> Iterator[tuple[Pointer, str, Any]]:
    """Yield each such annotation: the pointer of the object or the pod template, its key, and its value.

    Misspelt keys are included.
    """
    places = {pointer: None for pointer, _ in discovery.objects(document)}
    for found in workload.read(document, policy):
        places.update({pod.holder: None for pod in found.pods if pod.holder is not None})
    for place in places:
        metadata = as_dict(as_dict(pointers.resolve(document, place)).get("metadata"))
        annotations = as_dict(metadata.get("annotations"))
        for key, value in annotations.items():
            if distance(key.lower(), name, _SLIPS) <= _SLIPS:
                yield place, key, value


def entries(value: str, rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """Return the rules and reasons of an annotation: ``GPU201 - untainted, spot nodes, GPU003``.

    A part after a comma that does not begin with a rule belongs to the reason before it.
    """
    found: list[tuple[str, str]] = []
    for part in value.split(","):
        match = _ENTRY.fullmatch(part)
        if match and (not found or _is_rule(match["word"], match["rest"], rules)):
            found.append((match["word"], match["rest"].strip(_SEPARATORS)))
        elif found:
            word, reason = found[-1]
            found[-1] = (word, f"{reason},{part}".strip(_SEPARATORS))
        elif part.strip():
            found.append((part.strip(), ""))
    return found


def _is_rule(word: str, rest: str, rules: Sequence[Rule]) -> bool:
    """Return whether a word is meant as a rule, perhaps misspelt: in a reason, plain words follow one another."""
    return bool(meant(word, rules)) or word[:3].upper() == "GPU" or ("-" in word and not rest.strip())
