"""The engine: all rules on one object, under one policy.

Three pure operations: the findings on an object (``validate``), the object after mutation (``mutate``), and both at
once (``review``). Mutations are the safe fixes of rules; there is no second list.
"""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Finding
from gpu_admission.policy.model import level
from gpu_admission.workloads import workload as workloads
from gpu_admission.workloads.claim_index import NO_CLAIMS

from .mutation import Mutation, Review
from .rule import POD, TEMPLATE
from .rule_choice import FILE, choices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gpu_admission.core.finding import Problem, Safety
    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claim_index import ClaimIndex
    from gpu_admission.workloads.workload import Origin, Workload

    from .mutation import Findings, Judged
    from .rule import Rule
    from .rule_choice import Rules

_ROUNDS = 64  # rounds of conflicting fixes; a pod has fewer containers

_SAFE: tuple[Safety, ...] = ("safe",)
_ANY_SAFETY: tuple[Safety, ...] = ("safe", "unsafe")
_PASSES = 4  # with unsafe fixes; two suffice for all known cases


class Engine:
    """The rules under a policy.

    ``rules`` are judged in their order, which is also the order of the fixes. An engine has no state between objects.
    ``claim_index`` has the claims among the inputs.
    """

    __slots__ = ("_fixable", "_repairs", "_rules_for", "_silenced", "claim_index", "policy", "rules")

    def __init__(self, rules: Sequence[Rule], policy: Policy, claim_index: ClaimIndex = NO_CLAIMS) -> None:
        self.policy = policy
        self.claim_index = claim_index
        self.rules = tuple(rule for rule in rules if policy.is_enabled(rule))
        self._fixable = tuple((rule, policy.fixes(rule)) for rule in self.rules if rule.fix is not None)
        self._repairs: dict[tuple[bool, bool, bool], tuple[Rule, ...]] = {}
        by_id = {rule.id: rule for rule in self.rules}
        self._silenced = {
            rule: [by_id[each] for each in rule.may_resolve if each in by_id]
            for rule in self.rules
            if rule.may_resolve is not None
        }
        self._rules_for = choices(self.rules)

    def validate(self, document: Any, origin: Origin = "file") -> list[Finding]:
        """Return the findings on every Kubernetes object of a document, sorted by place and rule."""
        return self.judge(self.read(document, origin))

    def read(self, document: Any, origin: Origin = "file", before: Sequence[Workload] = ()) -> list[Workload]:
        """Return the views of the objects of a document (``workload.read``)."""
        return workloads.read(document, self.policy, origin, before, self.claim_index)

    def judge(self, views: Iterable[Workload]) -> list[Finding]:
        """Return the findings on objects already read, sorted by place and rule."""
        return self._judge([(workload, self._judges(workload)) for workload in views], {})

    def introduced(self, new: Any, old: Any) -> list[Finding]:
        """Return the findings that an update brought to an object at admission, sorted by place and rule.

        Findings on the old object are not reported on its update. On Pods, rules with ``compare`` judge both objects.
        """
        from . import changes  # noqa: PLC0415 - start-up time: needed only at admission

        now, before = (self.read(each, "admission") for each in (new, old))
        comparing: Findings = {}
        compared: list[Finding | None] = []
        if _is_pod(now) and _is_pod(before) and not now[0].is_mirror:
            comparing = {rule: [] for rule in self.rules if rule.compare is not None}
            for rule in comparing:
                compared += [
                    self._finding(rule, now[0], each) for each in _compared(rule, now[0], before[0], self.policy)
                ]
        found, known = ([(view, self._judges(view)) for view in views] for views in (now, before))
        brought = changes.introduced(self._judge(found, comparing), self._judge(known, comparing), new, old)
        return sorted([*brought, *[finding for finding in compared if finding is not None]])

    def remaining(self, mutation: Mutation) -> list[Finding]:
        """Return the findings that remain after a mutation by this engine, sorted by place and rule."""
        return self._judge(mutation.judged, mutation.found)

    def mutate(
        self,
        document: Any,
        origin: Origin = "file",
        *,
        unsafe: bool = False,
        consent: bool = False,
        admitted: bool = False,
    ) -> Mutation:
        """Return the document with every safe fix applied, and the operations that did it.

        ``unsafe`` applies the unsafe fixes too. ``consent`` applies fixes that the policy disables. ``admitted`` only
        applies those of admission, which mutates Pods: a template is returned as its Pods will be. The document given
        is not changed.

        Safe fixes are applied in the order of the rules, together where they are independent, and repeated until none
        is left. With unsafe ones all rules are repeated until none applies: a fix may cause findings of an earlier rule
        (``nvidia.com/gpus`` is counted once it is ``nvidia.com/gpu``).
        """
        return self._mutated(
            self._state(document, (), origin), origin, unsafe=unsafe, consent=consent, admitted=admitted
        )

    def _mutated(
        self, state: Mutation, origin: Origin, *, unsafe: bool = False, consent: bool = False, admitted: bool = False
    ) -> Mutation:
        repairing = self._repairing(unsafe=unsafe, consent=consent, admitted=admitted)
        turns = [(rule,) for rule in repairing] if unsafe else [repairing]
        for _ in range(_PASSES if unsafe else 1):
            before = len(state.patch)
            for rules in turns:
                state = self._repair(rules, state, origin, unsafe=unsafe)
            if len(state.patch) == before:
                break
        return state

    def _repairing(self, *, unsafe: bool, consent: bool, admitted: bool) -> tuple[Rule, ...]:
        known = self._repairs.get((unsafe, consent, admitted))
        if known is None:
            known = tuple(
                rule
                for rule, allowed in self._fixable
                if (unsafe or rule.fix == "safe")
                and (consent or allowed)
                and not (admitted and POD not in rule.admission_kinds)
            )
            self._repairs[unsafe, consent, admitted] = known
        return known

    def review(self, document: Any, origin: Origin = "file") -> Review:
        """Return the result of admission on a document: the remaining findings, and the repaired ones, marked so."""
        given = self._state(document, (), origin)
        as_given = given.judged
        mutation = self._mutated(given, origin, admitted=True)
        after = self.remaining(mutation)
        if mutation.patch:
            remaining_keys = {(finding.rule, finding.pointer) for finding in after}
            applied = set(mutation.applied)
            repaired = [(view, dict.fromkeys(rule for rule in rules if rule.id in applied)) for view, rules in as_given]
            after += [
                finding.marked_repaired()
                for finding in self._judge(repaired, {})
                if finding.fix == "safe" and (finding.rule, finding.pointer) not in remaining_keys
            ]
            after.sort()
        return Review(mutation, after)

    def _state(
        self,
        document: Any,
        operations: tuple[Operation, ...],
        origin: Origin,
        before: Sequence[Workload] = (),
    ) -> Mutation:
        views = self.read(document, origin, before)
        return Mutation(document, operations, [(workload, self._judges(workload)) for workload in views])

    def _judge(self, judged: Judged, found: Findings) -> list[Finding]:
        """Judge the views by every rule, except those whose problems are already known."""
        facts = [(rule, *each) for rule, problems in found.items() for each in problems]
        for workload, rules in judged:
            for rule in rules:
                if rule not in found:
                    facts += [(rule, workload, problem) for problem in rule.check(workload, self.policy)]
        findings = [self._finding(*fact) for fact in facts]
        return sorted([finding for finding in findings if finding is not None])

    def _judges(self, workload: Workload) -> Rules:
        """Return the rules that can have findings on an object; at admission not every rule judges every object.

        No rule judges mirror Pods: they are not what runs, and are neither denied nor repaired.
        """
        if workload.is_mirror:
            return {}
        sight = FILE if workload.origin == "file" else POD if workload.defaulted else TEMPLATE
        return self._rules_for[sight, workload.scope].of(workload, self.policy)

    def _finding(self, rule: Rule, workload: Workload, problem: Problem) -> Finding | None:
        action = self.policy.action(rule, problem.severity or rule.severity)
        if action == "off":
            return None
        return Finding(
            rule=rule.id,
            name=rule.name,
            severity=level(action),
            action=self.policy.apply_mode(action),
            message=problem.message,
            advice=problem.advice,
            pointer=problem.pointer,
            container=workload.container_at(problem.pointer),
            ref=workload.ref,
            fix=problem.safety,
            evidence=problem.evidence,
            summary=problem.summary,
            remedy=problem.remedy,
        )

    def _repair(self, rules: tuple[Rule, ...], state: Mutation, origin: Origin, *, unsafe: bool) -> Mutation:
        """Apply the fixes of rules until none is left; conflicting ones are computed again after the others."""
        for _ in range(_ROUNDS):
            batch, repaired = self._batch(rules, state, unsafe=unsafe)
            if not batch:
                break
            if repaired and not unsafe and self._is_calm(repaired, state):
                state.found.update(repaired)
                state.append(batch)
                break
            before = [workload for workload, _ in state.judged]
            state = self._state(patch.apply(state.object, batch), (*state.patch, *batch), origin, before)
        return state

    def _is_calm(self, repaired: Iterable[Rule], state: Mutation) -> bool:
        """Return whether repairs of these rules do not affect other findings."""
        for rule in repaired:
            silenced = self._silenced.get(rule)
            if silenced is None or any([each in rules for each in silenced for _, rules in state.judged]):
                return False
        return True

    def _batch(self, rules: tuple[Rule, ...], state: Mutation, *, unsafe: bool) -> tuple[list[Operation], Findings]:
        """Return the operations of all fixes that can be applied together, in the order of the rules.

        With them, the problems that remain of the repaired rules; none where a fix has to wait.
        """
        batch: list[Operation] = []
        repaired: Findings = {}
        claims = patch.ClaimedPlaces()
        waiting = False
        for rule in rules:
            found = self._find(rule, state)
            if not found:
                continue
            kept = []
            for each in found:
                if not self._applies(rule, each[1], unsafe=unsafe):
                    kept.append(each)
                elif claims.conflict(each[1].fix):
                    waiting = True
                else:
                    claims.take(each[1].fix)
                    batch += each[1].fix
            if len(kept) < len(found):
                repaired[rule] = kept
                if rule not in self._silenced:
                    break  # it may change the findings of later rules
        return batch, {} if waiting else repaired

    def _find(self, rule: Rule, state: Mutation) -> list[tuple[Workload, Problem]]:
        """Return the problems of a rule in the present state of a mutation, computed once."""
        found = state.found.get(rule)
        if found is None:
            found = state.found[rule] = []
            for workload, rules in state.judged:
                if rule in rules:
                    found += [(workload, problem) for problem in rule.check(workload, self.policy)]
        return found

    def _applies(self, rule: Rule, problem: Problem, *, unsafe: bool) -> bool:
        wanted = _ANY_SAFETY if unsafe else _SAFE
        return problem.safety in wanted and self.policy.action(rule, problem.severity or rule.severity) != "off"


def _is_pod(views: Sequence[Workload]) -> bool:
    return len(views) == 1 and views[0].defaulted


def _compared(rule: Rule, new: Workload, old: Workload, policy: Policy) -> Iterable[Problem]:
    return () if rule.compare is None else rule.compare(new, old, policy)
