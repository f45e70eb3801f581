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
from .rule import POD, TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from .finding import Problem, Safety
    from .patch import Operation
    from .policy import Policy
    from .rule import Rule
    from .workload import Origin, Workload

_ROUNDS = 64  # fixes of one rule that had to wait for one another; a pod has no more containers than that

_PASSES = 4  # with unsafe fixes; two are enough for all that is known


class Mutation:
    """What the safe fixes made of an object.

    ``object`` is the result, ``patch`` the operations that lead to it; ``workloads`` are the views of the
    result, for whoever judges it next.
    """

    __slots__ = ("object", "patch", "workloads")

    def __init__(self, obj: Any, operations: tuple[Operation, ...], views: list[Workload]) -> None:
        self.object = obj
        self.patch = operations
        self.workloads = views

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

    __slots__ = ("policy", "rules")

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self.policy = policy
        self.rules = tuple(rule for rule in rules if policy.in_force(rule))

    def validate(self, document: Any, origin: Origin = "file") -> list[Finding]:
        """Return the findings on every Kubernetes object of a document, sorted by place and rule."""
        return self.judge(workloads.read(document, self.policy, origin))

    def judge(self, views: Iterable[Workload]) -> list[Finding]:
        """Return the findings on objects already read, sorted by place and rule."""
        found = [finding for workload in views for finding in self._judge(workload)]
        found.sort()
        return found

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
            for rule in self.rules
            if (rule.fix == "safe" or (unsafe and rule.fix == "unsafe"))
            and not (admitted and POD not in rule.sees)
            and (consent or self.policy.fixes(rule))
        ]
        for _ in range(_PASSES if unsafe else 1):
            before = len(state.patch)
            for rule in repairing:
                state = self._repair(rule, state, origin, unsafe=unsafe)
            if len(state.patch) == before:
                break
        return state

    def review(self, document: Any, origin: Origin = "file") -> Review:
        """Return what admission makes of a document: findings that stay, and those it repairs, marked so."""
        mutation = self.mutate(document, origin, admitted=True)
        after = self.judge(mutation.workloads)
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

    def _judge(self, workload: Workload) -> Iterator[Finding]:
        for rule in self.rules:
            if _sees(rule, workload):
                for problem in rule.check(workload, self.policy):
                    finding = self._finding(rule, workload, problem)
                    if finding is not None:
                        yield finding

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
            batch, waiting = self._batch(rule, state.workloads, unsafe=unsafe)
            if not batch:
                break
            document = patch.apply(state.object, batch)
            state = Mutation(document, (*state.patch, *batch), workloads.read(document, self.policy, origin))
            if not waiting:
                break
        return state

    def _batch(self, rule: Rule, views: Iterable[Workload], *, unsafe: bool) -> tuple[list[Operation], bool]:
        batch: list[Operation] = []
        waiting = False
        for workload in views:
            if not _sees(rule, workload):
                continue
            for problem in rule.check(workload, self.policy):
                if not self._applies(rule, problem, unsafe=unsafe):
                    continue
                if patch.conflict(batch, problem.fix):
                    waiting = True
                else:
                    batch += problem.fix
        return batch, waiting

    def _applies(self, rule: Rule, problem: Problem, *, unsafe: bool) -> bool:
        wanted: tuple[Safety, ...] = ("safe", "unsafe") if unsafe else ("safe",)
        return problem.safety in wanted and self.policy.action(rule, problem.severity or rule.severity) != "off"


def _sees(rule: Rule, workload: Workload) -> bool:
    """Tell whether a rule can judge an object at all: in a file always, at admission by what the object is."""
    if workload.origin == "file":
        return True
    return (POD if workload.defaulted else TEMPLATE) in rule.sees


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
