"""The engine: every rule over one object, under one policy.

Three questions, all pure: what is wrong with the object (``validate``), what would admission make of it
(``mutate``), and both at once (``review``). A mutation is a rule's safe fix; there is no second list.
"""

from __future__ import annotations

from . import patch
from . import pointer as pointers
from . import workload as workloads
from .finding import Finding
from .policy import level
from .rule import NEEDS, POD, TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .finding import Problem, Safety
    from .patch import Operation
    from .policy import Policy
    from .rule import Needs, Rule
    from .workload import Origin, Workload

    Found = dict[Rule, list[tuple[Workload, Problem]]]

_FILE = "file"
_ROUNDS = 64  # fixes of one rule that had to wait for one another; a pod has no more containers than that

_PASSES = 4  # with unsafe fixes; two are enough for all that is known


class Mutation:
    """What the safe fixes made of an object.

    ``object`` is the result, ``patch`` the operations that lead to it; ``workloads`` are the views of the
    result, for whoever judges it next.
    """

    __slots__ = ("found", "object", "patch", "workloads")

    def __init__(self, obj: Any, operations: tuple[Operation, ...], views: list[Workload]) -> None:
        self.object = obj
        self.patch = operations
        self.workloads = views
        self.found: Found = {}  # what rules said of this very object, while a fix was looked for

    @property
    def applied(self) -> tuple[str, ...]:
        """The IDs of the rules whose fixes were applied, each once, in order."""
        return tuple(dict.fromkeys(operation.rule for operation in self.patch))


class Review:
    """An object as admission leaves it, and every finding: what is left, and what was repaired."""

    __slots__ = ("findings", "mutation")

    def __init__(self, mutation: Mutation, findings: list[Finding]) -> None:
        self.mutation = mutation
        self.findings = findings


class Engine:
    """The rules under a policy.

    ``rules`` are judged in their order, which is also the order of the fixes. An engine keeps no state
    between objects.
    """

    __slots__ = ("_fixable", "_rules_for", "policy", "rules")

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self.policy = policy
        self.rules = tuple(rule for rule in rules if policy.in_force(rule))
        self._fixable = tuple((rule, policy.fixes(rule)) for rule in self.rules if rule.fix is not None)
        self._rules_for: dict[tuple[str, Needs], tuple[Rule, ...]] = {
            (sight, holds): tuple(rule for rule in self.rules if _can_judge(rule, sight, holds))
            for sight in (_FILE, POD, TEMPLATE)
            for holds in NEEDS
        }

    def validate(self, document: Any, origin: Origin = "file") -> list[Finding]:
        """Return the findings on every Kubernetes object of a document, sorted by place and rule."""
        return self.judge(workloads.read(document, self.policy, origin))

    def judge(self, views: Iterable[Workload]) -> list[Finding]:
        """Return the findings on objects already read, sorted by place and rule."""
        return self._judge(views, {})

    def left(self, mutation: Mutation) -> list[Finding]:
        """Return the findings that a mutation by this engine left, sorted by place and rule."""
        return self._judge(mutation.workloads, mutation.found)

    def mutate(
        self,
        document: Any,
        origin: Origin = "file",
        *,
        unsafe: bool = False,
        consent: bool = False,
        admitted: bool = False,
    ) -> Mutation:
        """Return the document with every safe fix applied, rule after rule, and the operations that did it.

        ``unsafe`` applies the unsafe fixes too. ``consent`` applies fixes even where the policy keeps a rule
        from mutating. ``admitted`` leaves out the fixes that only files get: admission mutates Pods, and a
        template is shown as its Pods will be. The document given is left as it was.

        Safe fixes never wake an earlier rule. An unsafe one may (what was ``nvidia.com/gpus`` is counted once
        it is ``nvidia.com/gpu``), so with those the rules are gone through until they rest.
        """
        state = Mutation(document, (), workloads.read(document, self.policy, origin))
        repairing = [
            rule
            for rule, allowed in self._fixable
            if (unsafe or rule.fix == "safe") and (consent or allowed) and not (admitted and POD not in rule.sees)
        ]
        for _ in range(_PASSES if unsafe else 1):
            before = len(state.patch)
            for rule in repairing:
                if self._find(rule, state):
                    state = self._repair(rule, state, origin, unsafe=unsafe)
            if len(state.patch) == before:
                break
        return state

    def review(self, document: Any, origin: Origin = "file") -> Review:
        """Return what admission makes of a document: findings that stay, and those it repairs, marked so."""
        mutation = self.mutate(document, origin, admitted=True)
        after = self.left(mutation)
        if mutation.patch:
            left = {(finding.rule, finding.pointer) for finding in after}
            applied = set(mutation.applied)
            after += [
                finding.marked_repaired()
                for finding in self.validate(document, origin)
                if finding.fix == "safe" and finding.rule in applied and (finding.rule, finding.pointer) not in left
            ]
            after.sort()
        return Review(mutation, after)

    def _judge(self, views: Iterable[Workload], found: Found) -> list[Finding]:
        """Judge the views by every rule but those whose problems are already found."""
        facts = [
            (rule, workload, problem)
            for workload in views
            for rule in self._judges(workload)
            if rule not in found
            for problem in rule.check(workload, self.policy)
        ]
        facts += [(rule, *each) for rule, problems in found.items() for each in problems]
        findings = [self._finding(*fact) for fact in facts]
        return sorted(finding for finding in findings if finding is not None)

    def _judges(self, workload: Workload) -> tuple[Rule, ...]:
        """Return the rules that can have findings on an object: at admission not all can be judged on all."""
        sight = _FILE if workload.origin == "file" else POD if workload.defaulted else TEMPLATE
        return self._rules_for[sight, workload.holds]

    def _finding(self, rule: Rule, workload: Workload, problem: Problem) -> Finding | None:
        action = self.policy.action(rule, problem.severity or rule.severity)
        if action == "off":
            return None
        return Finding(
            rule=rule.id,
            name=rule.name,
            severity=level(action),
            action=self.policy.ceiling(action),
            message=problem.message,
            advice=problem.advice,
            pointer=problem.pointer,
            container=workload.container_at(problem.pointer),
            ref=workload.ref,
            fix=problem.safety,
        )

    def _repair(self, rule: Rule, state: Mutation, origin: Origin, *, unsafe: bool) -> Mutation:
        """Apply one rule's fixes; those that get in one another's way are worked out anew on the result."""
        for _ in range(_ROUNDS):
            batch, waiting = self._batch(rule, state, unsafe=unsafe)
            if not batch:
                break
            document = patch.apply(state.object, batch)
            state = Mutation(document, (*state.patch, *batch), workloads.read(document, self.policy, origin))
            if not waiting:
                break
        return state

    def _batch(self, rule: Rule, state: Mutation, *, unsafe: bool) -> tuple[list[Operation], bool]:
        batch: list[Operation] = []
        claims = patch.Claims()
        waiting = False
        for _, problem in self._find(rule, state):
            if not self._applies(rule, problem, unsafe=unsafe):
                continue
            if claims.conflict(problem.fix):
                waiting = True
            else:
                claims.take(problem.fix)
                batch += problem.fix
        return batch, waiting

    def _find(self, rule: Rule, state: Mutation) -> list[tuple[Workload, Problem]]:
        """Return the problems of a rule in what a mutation has come to, looked for once."""
        if rule not in state.found:
            state.found[rule] = [
                (workload, problem)
                for workload in state.workloads
                if rule in self._judges(workload)
                for problem in rule.check(workload, self.policy)
            ]
        return state.found[rule]

    def _applies(self, rule: Rule, problem: Problem, *, unsafe: bool) -> bool:
        wanted: tuple[Safety, ...] = ("safe", "unsafe") if unsafe else ("safe",)
        return problem.safety in wanted and self.policy.action(rule, problem.severity or rule.severity) != "off"


def _can_judge(rule: Rule, sight: str, holds: Needs) -> bool:
    return NEEDS.index(rule.needs) <= NEEDS.index(holds) and (sight == _FILE or sight in rule.sees)


def worsened(now: Iterable[Finding], before: Iterable[Finding]) -> list[Finding]:
    """Return the findings that an update brought: those that the old object did not have already.

    Two findings are the same when rule and words agree and they name the same place; places that moved
    because a list grew are compared by the container's name.
    """
    old = {_lasting(finding) for finding in before}
    return [finding for finding in now if _lasting(finding) not in old]


def _lasting(finding: Finding) -> tuple[str, str, str | None, str]:
    place = "" if finding.container else pointers.to_text(finding.pointer)
    return (finding.rule, finding.message, finding.container, place)
