"""The engine: every rule over one object, under one policy.

Three questions, all pure: what is wrong with the object (``validate``), what would admission make of it
(``mutate``), and both at once (``review``). A mutation is a rule's safe fix; there is no second list.
"""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Finding
from gpu_admission.core.record import record
from gpu_admission.policy.model import level
from gpu_admission.workloads import workload as workloads
from gpu_admission.workloads.claim_index import NO_CLAIMS

from .rule import POD, SCOPES, TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gpu_admission.core.finding import Problem, Safety
    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claim_index import ClaimIndex
    from gpu_admission.workloads.workload import Origin, Workload

    from .rule import Rule, Scan, Scope

    Findings = dict[Rule, list[tuple[Workload, Problem]]]
    Rules = dict[Rule, None]  # in order, and quick to look into
    Judged = list[tuple[Workload, Rules]]

_FILE = "file"
_ROUNDS = 64  # fixes that had to wait for one another; a pod has no more containers than that

_SAFE: tuple[Safety, ...] = ("safe",)
_ANY_SAFETY: tuple[Safety, ...] = ("safe", "unsafe")
_PASSES = 4  # with unsafe fixes; two are enough for all that is known


class Mutation:
    """What the safe fixes made of an object.

    ``object`` is the result, ``patch`` the operations that lead to it. ``judged`` are views, each with the rules
    that can have findings on it, for whoever judges the result: of the result itself, or of what it was before
    repairs that make no difference to anything that is left to find.
    """

    __slots__ = ("_object", "_pending", "found", "judged", "patch")

    def __init__(self, obj: Any, operations: tuple[Operation, ...], judged: Judged) -> None:
        self._object = obj
        self._pending: list[Operation] = []
        self.patch = operations
        self.judged = judged
        self.found: Findings = {}  # what rules said of this very object, while a fix was looked for

    @property
    def object(self) -> Any:
        """The result; who only sends the patch never computes it."""
        if self._pending:
            self._object, self._pending = patch.apply(self._object, self._pending), []
        return self._object

    def append(self, operations: list[Operation]) -> None:
        """Add operations after which what was found still holds."""
        self._pending += operations
        self.patch = (*self.patch, *operations)

    @property
    def applied(self) -> tuple[str, ...]:
        """The IDs of the rules whose fixes were applied, each once, in order."""
        return tuple(dict.fromkeys(operation.rule for operation in self.patch))


@record
class Review:
    """An object as admission leaves it, and every finding: what is left, and what was repaired."""

    mutation: Mutation
    findings: list[Finding]


class Engine:
    """The rules under a policy.

    ``rules`` are judged in their order, which is also the order of the fixes. An engine keeps no state
    between objects. ``claim_index`` is what is seen of claims beside the objects that are judged.
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
        self._rules_for = {
            (sight, holds): _Choice([rule for rule in self.rules if _can_judge(rule, sight, holds)])
            for sight in (_FILE, POD, TEMPLATE)
            for holds in SCOPES
        }

    def validate(self, document: Any, origin: Origin = "file") -> list[Finding]:
        """Return the findings on every Kubernetes object of a document, sorted by place and rule."""
        return self.judge(self.read(document, origin))

    def read(self, document: Any, origin: Origin = "file", before: Sequence[Workload] = ()) -> list[Workload]:
        """Return the objects of a document as this engine judges them (``workload.read``)."""
        return workloads.read(document, self.policy, origin, before, self.claim_index)

    def judge(self, views: Iterable[Workload]) -> list[Finding]:
        """Return the findings on objects already read, sorted by place and rule."""
        return self._judge([(workload, self._judges(workload)) for workload in views], {})

    def introduced(self, new: Any, old: Any) -> list[Finding]:
        """Return the findings that an update brought to an object at admission, sorted by place and rule.

        What was wrong with the old object is not held against its update. Of Pods, rules that ``compare`` judge
        themselves what became of the old one.
        """
        from . import changes  # noqa: PLC0415 - updates are admission's, and gpu-lint's start-up is rationed

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
        """Return the findings that a mutation by this engine left, sorted by place and rule."""
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

        ``unsafe`` applies the unsafe fixes too. ``consent`` applies fixes even where the policy keeps a rule
        from mutating. ``admitted`` leaves out the fixes that only files get: admission mutates Pods, and a
        template is shown as its Pods will be. The document given is left as it was.

        Safe fixes go rule after rule, or together where they make no difference to one another, and what they made
        is looked at again until nothing is left to repair. With unsafe ones the rules are gone through until they
        rest: what one makes of an object may wake an earlier one (what was ``nvidia.com/gpus`` is counted once it
        is ``nvidia.com/gpu``).
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
        """Return what admission makes of a document: findings that stay, and those it repairs, marked so."""
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
        """Judge the views by every rule but those whose problems are already found."""
        facts = [(rule, *each) for rule, problems in found.items() for each in problems]
        for workload, rules in judged:
            for rule in rules:
                if rule not in found:
                    facts += [(rule, workload, problem) for problem in rule.check(workload, self.policy)]
        findings = [self._finding(*fact) for fact in facts]
        return sorted([finding for finding in findings if finding is not None])

    def _judges(self, workload: Workload) -> Rules:
        """Return the rules that can have findings on an object: at admission not all can be judged on all.

        On mirror Pods none can: they are neither refused nor repaired, and are not what runs.
        """
        if workload.is_mirror:
            return {}
        sight = _FILE if workload.origin == "file" else POD if workload.defaulted else TEMPLATE
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
        """Apply the fixes of rules until they rest; those that get in one another's way are worked out anew."""
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
        """Tell whether repairs of these rules make no difference to what else was found, or will be."""
        for rule in repaired:
            silenced = self._silenced.get(rule)
            if silenced is None or any([each in rules for each in silenced for _, rules in state.judged]):
                return False
        return True

    def _batch(self, rules: tuple[Rule, ...], state: Mutation, *, unsafe: bool) -> tuple[list[Operation], Findings]:
        """Return the operations of all fixes that can be applied together, in the order of the rules.

        Beside them, what the rules that are repaired still find; nothing where some fix has to wait.
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
                    break  # what comes after it may mean something else then
        return batch, {} if waiting else repaired

    def _find(self, rule: Rule, state: Mutation) -> list[tuple[Workload, Problem]]:
        """Return the problems of a rule in what a mutation has come to, looked for once."""
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


class _Choice:
    """Of the rules that can judge a sort of object, those that have anything to say on a certain one.

    It depends on nothing but what the surveys of their occasions return: every combination that is met is
    remembered, and there are no more of them than pods can differ in, however many pods come.
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


def _can_judge(rule: Rule, sight: str, holds: Scope) -> bool:
    return SCOPES.index(rule.scope) <= SCOPES.index(holds) and (sight == _FILE or sight in rule.admission_kinds)


def _is_pod(views: Sequence[Workload]) -> bool:
    return len(views) == 1 and views[0].defaulted


def _compared(rule: Rule, new: Workload, old: Workload, policy: Policy) -> Iterable[Problem]:
    return () if rule.compare is None else rule.compare(new, old, policy)
