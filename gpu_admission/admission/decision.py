"""The decision: the bytes of an AdmissionReview in, the bytes of its answer out.

Pure but for the policies it is given. Two kinds of failure are never mixed: what the policy refuses is an
answer with ``allowed: false``; what is no AdmissionReview is an HTTP error, so that the cluster's
failurePolicy decides.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from gpu_admission import rules
from gpu_admission.core.engine import Engine
from gpu_admission.core.kinds import known
from gpu_admission.files import policyfile

from . import envelope, review_result, seam, verdict
from .seam import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpu_admission.core.policy import Policy

    from .envelope import Request
    from .review_result import ReviewResult

    Lookup = Callable[[str | None], Policy | None]


class Decider:
    """Answers reviews under whatever policy ``lookup`` returns for a name (None is the first policy).

    Thread-safe: the only state is the engine of each policy, which may be made twice but is never wrong.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._engines: dict[str, Engine] = {}

    def __call__(self, body: bytes, endpoint: str, name: str | None = None) -> Answer:
        """Answer one review; ``endpoint`` is ``mutate`` or ``validate``."""
        policy = self._lookup(name)
        if policy is None:
            return _error(HTTPStatus.NOT_FOUND, "no such policy is loaded")
        try:
            request = envelope.read(body)
        except envelope.NotAReview as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        result = review_result.ALLOWED
        if verdict.concerns(request, policy):
            result = review_result.from_verdict(verdict.judge(request, endpoint, self._engine(policy)), policy)
        return Answer(
            HTTPStatus.OK, envelope.write(request.uid, result.response), record=_record(request, result, policy)
        )

    def _engine(self, policy: Policy) -> Engine:
        engine = self._engines.get(policy.name)
        if engine is None or engine.policy is not policy:
            engine = self._engines[policy.name] = Engine(rules.ALL, policy)
        return engine


def _record(request: Request, result: ReviewResult, policy: Policy) -> Record:
    return Record(
        uid=request.uid,
        operation=request.operation,
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        policy=policy.name,
        decision=result.decision,
        rules=result.rules,
        applied=result.applied,
    )


def _error(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, seam.error_body(status, message), record=Record(decision="error"))


def kinds(policies: Mapping[str, Policy]) -> frozenset[str]:
    """Return the kinds that metrics may name: those of the table and the policies' own, a bounded number."""
    own = {entry["kind"] for policy in policies.values() for entry in policy.workloads}
    return frozenset({kind for _, kind, _ in known()} | own)


ENGINE = seam.Engine(load=policyfile.load, decider=lambda policies: Decider(policies.get), kinds=kinds)
