"""The checks of a policy, by action."""

from __future__ import annotations

from gpu_admission.rules import ALL

from . import device_variables, guardrails, isolation, metadata, placement, volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpu_admission.core.finding import Action
    from gpu_admission.policy.model import Policy

    from .check import Check

_CHECK_BUILDERS: tuple[Callable[[Policy], Iterator[Check]], ...] = (
    placement.zero,
    placement.too_many,
    placement.foreign,
    placement.scheduler,
    placement.node,
    placement.runtime_class,
    placement.tolerates,
    device_variables.visible,
    device_variables.switched,
    device_variables.completed,
    device_variables.old_images,
    device_variables.unjudged,
    device_variables.hidden,
    device_variables.unblinded,
    isolation.privileged,
    volumes.mounted,
    volumes.card_lists,
    metadata.devices,
    metadata.spoofed,
    isolation.limits_lifted,
    isolation.host_namespaces,
    guardrails.host_requests,
    guardrails.node_targeting,
    guardrails.class_allowed,
    guardrails.namespace_allowed,
    guardrails.node_in_hand,
)
_ORDER = {rule.id: number for number, rule in enumerate(ALL)}


def of(policy: Policy) -> list[Check]:
    """Return the in-tree checks of a policy, in the order of the rules."""
    found = [check for build in _CHECK_BUILDERS for check in build(policy)]
    return sorted(found, key=lambda check: _ORDER[check.rule.id])


def by_action(policy: Policy) -> dict[Action, list[Check]]:
    """Return the checks by action, the policy's mode included; those that are off are omitted."""
    found: dict[Action, list[Check]] = {}
    for check in of(policy):
        action = check.action(policy)
        if action != "off":
            found.setdefault(action, []).append(check)
    return found
