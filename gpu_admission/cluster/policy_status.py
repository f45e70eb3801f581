"""The status of a GPUPolicy: whether its latest version is in force, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu_admission.core.raw import as_dict, iter_dicts
from gpu_admission.policyfile.crd import LONGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

READY = "Ready"
IN_FORCE, SHADOWED, INVALID = "InForce", "Shadowed", "Invalid"


def active_generation(obj: dict[str, Any]) -> int:
    """Return the last usable generation of an object, by its status; 0 where none is known."""
    found = as_dict(obj.get("status")).get("activeGeneration")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def is_for_all(obj: dict[str, Any]) -> bool:
    """Return whether a policy is for every namespace, so that none after it applies."""
    return not as_dict(as_dict(obj.get("spec")).get("match")).get("namespaces")


def desired(obj: dict[str, Any], mistakes: Sequence[str], *, shadow: str, notes: Sequence[str], now: str) -> Any:
    """Return the status that an object should have, or None where it has it.

    ``mistakes`` are the reasons why its version cannot be used, ``shadow`` is a policy before it that is for every
    namespace, ``notes`` are hints for its author; ``now`` is the time in Kubernetes' format.
    """
    generation = as_dict(obj.get("metadata")).get("generation")
    generation = generation if isinstance(generation, int) else 0
    active = active_generation(obj) if mistakes else generation
    reason, message = _state(mistakes, shadow, notes, active)
    condition = {
        "type": READY,
        "status": "False" if mistakes else "True",
        "reason": reason,
        "message": message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…",
        "observedGeneration": generation,
    }
    status = as_dict(obj.get("status"))
    conditions = [each for _, each in iter_dicts(status.get("conditions"))]
    others = [each for each in conditions if each.get("type") != READY]
    before = next((each for each in conditions if each.get("type") == READY), {})
    if {**before, **condition} == before and (status.get("activeGeneration") or 0) == active:
        return None
    since = before.get("lastTransitionTime") if before.get("status") == condition["status"] else None
    made: dict[str, Any] = {"conditions": [*others, {**condition, "lastTransitionTime": since or now}]}
    return {**made, "activeGeneration": active} if active else made


def _state(mistakes: Sequence[str], shadow: str, notes: Sequence[str], active: int) -> tuple[str, str]:
    if mistakes:
        kept = f"generation {active} stays in force" if active else "this policy is not in force"
        return INVALID, "\n".join([f"{kept}, because of:", *mistakes])
    state = (
        f"the policy {shadow} comes before it by name and is for every namespace, so this one never judges: give"
        f" {shadow} a spec.match, or this one a name before it"
    )
    reason, text = (SHADOWED, state) if shadow else (IN_FORCE, "this version is in force")
    return reason, "\n".join([text, *notes])
