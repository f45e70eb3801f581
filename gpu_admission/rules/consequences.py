"""The action on a finding when a Pod is validated, also where it should have been repaired and was not."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.finding import Action, Safety
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

# A Pod that these rules would have repaired does not run as its author meant: mutation was skipped or failed.
MUST_BE_REPAIRED = frozenset({"GPU001", "GPU101", "GPU202"})

# A Pod from which these rules would have hidden all cards may see those of others: the policy's deny applies.
MUST_BE_BLINDED = frozenset({"GPU301", "GPU302", "GPU310"})


def at_validation(rule: Rule, action: Action, fix: Safety | None, policy: Policy) -> Action:
    """Return the action on a finding of a Pod that is validated, under the policy's mode.

    ``action`` is the policy's action on such a finding, before the mode's ceiling; ``fix`` the safety of the
    repair that the finding came with.
    """
    if fix != "safe" or not policy.fixes(rule):
        return policy.apply_mode(action)
    return policy.apply_mode("deny" if should_have_been_repaired(rule, action, fix, policy) else "warn")


def should_have_been_repaired(rule: Rule, action: Action, fix: Safety | None, policy: Policy) -> bool:
    """Return whether a finding is denied because admission repairs it, and has not."""
    if fix != "safe" or not policy.fixes(rule):
        return False
    if rule.id in MUST_BE_BLINDED:
        return action == "deny"
    setting = policy.settings.get(rule.id)
    milder = setting is not None and setting.action in {"warn", "audit"}  # the administrator chose it
    return rule.id in MUST_BE_REPAIRED and not milder
