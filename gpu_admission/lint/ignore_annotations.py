"""The annotation that silences findings: where it may stand, and how it is read."""

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

# A rule, then whatever separates it from the reason: a dash, a colon, or just a space.
_ENTRY = re.compile(r"\s*(?P<word>[A-Za-z][\w-]*)(?P<rest>$|[\s:\N{EN DASH}\N{EM DASH}-].*)", re.DOTALL)
_SLIPS = 2  # letters that are wrong in a key that was meant
_SEPARATORS = " \t\r\n:-\N{EN DASH}\N{EM DASH}"


def carriers(document: Any, policy: Policy, name: str) -> Iterator[tuple[Pointer, str, Any]]:
    """Yield where the annotation stands: the pointer of the object or the pod template, its key, and what it says.

    The key is another than the name where it is so near that it must have been meant.
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

    A part after a comma that begins with no rule belongs to the reason before it.
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
    """Tell whether a word is meant as a rule, be it misspelt: in a reason, plain words follow one another."""
    return bool(meant(word, rules)) or word[:3].upper() == "GPU" or ("-" in word and not rest.strip())
