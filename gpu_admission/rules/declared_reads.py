"""What the enabled rules of a policy read of pods without a GPU, so that the webhook must review such pods."""

from __future__ import annotations

from gpu_admission.engine import reads
from gpu_admission.engine.rule import POD

from . import ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.engine.reads import Reads
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy


def by_rules(policy: Policy, sight: str) -> list[Reads]:
    """Return the markers of all rules that matter on what admission sees (``pod`` or ``template``)."""
    return reads.union([of_rule(rule, policy) for rule in ALL if _matters(rule, policy, sight)])


def at_mutation(policy: Policy, rules: Iterable[Rule] = ALL) -> list[Reads]:
    """Return the markers, of these rules, of those Pods that have to be mutated before they are validated."""
    return reads.union([rule.reads_at_mutation for rule in rules if _matters(rule, policy, POD)])


def of_rule(rule: Rule, policy: Policy) -> Reads:
    """Return the markers of one rule under a policy."""
    return rule.reads(policy) if callable(rule.reads) else rule.reads


def _matters(rule: Rule, policy: Policy, sight: str) -> bool:
    """Return whether a rule denies, warns of or repairs what it finds, or is one that the policy itself requires.

    A rule in ``audit`` by default is no reason to review every pod. The policy's mode does not count: a policy on trial
    has to show what it would do.
    """
    if sight not in rule.admission_kinds or not policy.is_enabled(rule):
        return False
    setting = policy.settings.get(rule.id)
    asked_for = setting is not None and setting.action is not None
    return asked_for or policy.action(rule, rule.severity) != "audit" or (rule.fix == "safe" and policy.fixes(rule))
