"""The results of mutation and review."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.core.finding import Finding, Problem
    from gpu_admission.core.patch import Operation
    from gpu_admission.workloads.workload import Workload

    from .rule import Rule
    from .rule_choice import Rules

    Findings = dict[Rule, list[tuple[Workload, Problem]]]
    Judged = list[tuple[Workload, Rules]]


class Mutation:
    """The result of the safe fixes on an object.

    ``object`` is the result, ``patch`` the operations that lead to it. ``judged`` are views, each with the rules that
    can have findings on it, by which the result is judged: views of the result, or of the object before repairs that do
    not affect other findings.
    """

    __slots__ = ("_object", "_pending", "found", "judged", "patch")

    def __init__(self, obj: Any, operations: tuple[Operation, ...], judged: Judged) -> None:
        self._object = obj
        self._pending: list[Operation] = []
        self.patch = operations
        self.judged = judged
        self.found: Findings = {}  # problems of rules that were judged while fixes were collected

    @property
    def object(self) -> Any:
        """The result, computed on demand: a response only needs the patch."""
        if self._pending:
            self._object, self._pending = patch.apply(self._object, self._pending), []
        return self._object

    def append(self, operations: list[Operation]) -> None:
        """Add operations that do not affect the problems found."""
        self._pending += operations
        self.patch = (*self.patch, *operations)

    @property
    def applied(self) -> tuple[str, ...]:
        """The IDs of the rules whose fixes were applied, each once, in order."""
        return tuple(dict.fromkeys(operation.rule for operation in self.patch))


@record
class Review:
    """An object after admission, and all findings: the remaining and the repaired ones."""

    mutation: Mutation
    findings: list[Finding]
