"""The choice of the rules that can have findings on an object."""

from __future__ import annotations

from .rule import POD, SCOPES, TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

    from .rule import Rule, Scan, Scope

    Rules = dict[Rule, None]  # ordered, with fast look-up

FILE = "file"


def choices(rules: Sequence[Rule]) -> dict[tuple[str, Scope], RuleChoice]:
    """Return the choices of rules, by where an object is judged and by its scope."""
    return {
        (sight, holds): RuleChoice([rule for rule in rules if _can_judge(rule, sight, holds)])
        for sight in (FILE, POD, TEMPLATE)
        for holds in SCOPES
    }


def _can_judge(rule: Rule, sight: str, holds: Scope) -> bool:
    return SCOPES.index(rule.scope) <= SCOPES.index(holds) and (sight == FILE or sight in rule.admission_kinds)


class RuleChoice:
    """The choice of rules that can have findings on an object, of those for its kind and scope.

    It only depends on the flags that the scans of their triggers return. Every combination is cached; their number is
    bounded by that of the flags, not of the pods.
    """

    __slots__ = ("_rules", "_rules_on", "_scans")

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._scans: list[Scan] = list(dict.fromkeys(rule.when.scan for rule in rules if rule.when is not None))
        self._rules_on: dict[tuple[int, ...], Rules] = {}

    def of(self, workload: Workload, policy: Policy) -> Rules:
        """Return the rules that can have findings on an object."""
        flags_met = tuple([scan(workload, policy) for scan in self._scans])
        rules = self._rules_on.get(flags_met)
        if rules is None:
            flags = dict(zip(self._scans, flags_met, strict=True))
            chosen = [rule for rule in self._rules if rule.when is None or flags[rule.when.scan] & rule.when.flag]
            rules = self._rules_on[flags_met] = dict.fromkeys(chosen)
        return rules
