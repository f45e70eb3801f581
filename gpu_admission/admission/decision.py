"""The decision: the bytes of an AdmissionReview in, the bytes of its answer out.

Pure but for the policies it is given. Two kinds of failure are never mixed: what the policy refuses is an
answer with ``allowed: false``; what is no AdmissionReview is an HTTP error, so that the cluster's
failurePolicy decides.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from gpu_admission import rules
from gpu_admission.core import workload as workloads
from gpu_admission.core.engine import Engine
from gpu_admission.core.kinds import known
from gpu_admission.files import policyfile
from gpu_admission.rules import essence

from . import envelope, jsontext, rulings, seam, verdict
from .rulings import Rulings
from .seam import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gpu_admission.core.policy import Policy

    from .envelope import Request
    from .policies import PolicySet
    from .rulings import Ruling

    Lookup = Callable[[str | None], Policy | None]
    Policies = Callable[[], Iterable[Policy]]


class Decider:
    """Answers reviews under whatever policy ``lookup`` returns for a name (None is the first policy).

    Where a review names no policy, the first of ``all_policies`` judges that is for the request's namespace
    (``spec.match``). A policy that is named judges nothing outside of its namespaces either.

    Thread-safe: the only state is a bench of judges, one a policy, which may be filled twice but never wrongly.
    Without ``remember``, every Pod is judged from scratch, which only measurements want.
    """

    def __init__(self, lookup: Lookup, *, all_policies: Policies | None = None, remember: bool = True) -> None:
        self._lookup = lookup
        self._all = all_policies
        self._remember = remember
        self._judges: dict[str, _Judge] = {}

    def __call__(self, body: bytes, endpoint: str, name: str | None = None) -> Answer:
        """Answer one review; ``endpoint`` is ``mutate`` or ``validate``."""
        policy = self._lookup(name)
        if policy is None:
            return _error(HTTPStatus.NOT_FOUND, "no such policy is loaded")
        try:
            request = envelope.read(body)
        except envelope.NotAReview as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        if name is None:
            policy = self._first_for(request.namespace) or policy
        ruling, remembered = self._judge(policy).rule(request, endpoint)
        written = envelope.write(request.uid, ruling.rest)
        return Answer(HTTPStatus.OK, written, record=_record(request, ruling, policy), remembered=remembered)

    def _first_for(self, namespace: str) -> Policy | None:
        """Return the first policy that is for a namespace; None where none is, and nothing is judged."""
        policies = self._all() if self._all is not None else ()
        return next((policy for policy in policies if policy.governs(namespace)), None)

    def _judge(self, policy: Policy) -> _Judge:
        judge = self._judges.get(policy.name)
        if judge is None or judge.policy is not policy:
            judge = self._judges[policy.name] = _Judge(policy, remember=self._remember)
        return judge


class _Judge:
    """An engine under one policy, and what it ruled of late on new Pods."""

    __slots__ = ("_engine", "_rulings", "policy")

    def __init__(self, policy: Policy, *, remember: bool) -> None:
        self.policy = policy
        self._engine = Engine(rules.ALL, policy)
        self._rulings = {"mutate": Rulings(), "validate": Rulings()} if remember else {}

    def rule(self, request: Request, endpoint: str) -> tuple[Ruling, bool]:
        """Rule on one request, and tell whether an earlier ruling was found: on a Pod of which rules read the same."""
        if not verdict.concerns(request, self.policy):
            return rulings.NOTHING_TO_SAY, False
        if not (request.is_new_pod and workloads.is_pod(request.object)):  # the object has its own say, too
            return self._anew(request, endpoint), False
        request.object = essence.of(request.object)
        memory = self._rulings.get(endpoint)
        key = jsontext.packed(request.object) if memory is not None else None
        if memory is None or key is None:
            return self._anew(request, endpoint), False
        known = memory.get(key)
        if known is not None:
            return known, True
        ruling = self._anew(request, endpoint)
        memory.keep(key, ruling)
        return ruling, False

    def _anew(self, request: Request, endpoint: str) -> Ruling:
        return rulings.rule(verdict.judge(request, endpoint, self._engine), self.policy)


def _record(request: Request, ruling: Ruling, policy: Policy) -> Record:
    return Record(
        uid=request.uid,
        operation=request.operation,
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        policy=policy.name,
        decision=ruling.decision,
        rules=ruling.rules,
        applied=ruling.applied,
    )


def _error(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, seam.error_body(status, message), record=Record(decision="error"))


def kinds(policies: Mapping[str, Policy]) -> frozenset[str]:
    """Return the kinds that metrics may name: those of the table and the policies' own, a bounded number."""
    own = {entry["kind"] for policy in policies.values() for entry in policy.workloads}
    return frozenset({kind for _, kind, _ in known()} | own)


def _decider(policies: PolicySet) -> Decider:
    def loaded() -> Iterable[Policy]:
        return policies.current.values()  # of the moment: they are replaced as a whole

    return Decider(policies.get, all_policies=loaded)


ENGINE = seam.Engine(load=policyfile.load, decider=_decider, kinds=kinds)
