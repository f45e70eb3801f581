"""The decision: the bytes of an AdmissionReview in, the bytes of its response out.

Two kinds of failure are never mixed: what the policy refuses is a response with ``allowed: false``; what is not an
AdmissionReview is an HTTP error, so that the cluster's failurePolicy decides.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader
from gpu_admission.workloads.claim_index import CLAIM, DEVICE_CLASS, TEMPLATE
from gpu_admission.workloads.kinds import known

from . import admission_review, decide, review_result, types
from .types import Response, ReviewRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gpu_admission.policy.model import Policy
    from gpu_admission.webhook.policy_store import PolicyStore

    from .admission_review import Request
    from .review_result import ReviewResult

    Lookup = Callable[[str | None], Policy | None]
    Policies = Callable[[], Iterable[Policy]]


_MOST_ENGINES = 256  # by policy name: GPUPolicy objects are created and deleted


class Decider:
    """Answers reviews under the policy that ``lookup`` returns for a name (None is the first policy).

    Where a review names no policy, the first of ``all_policies`` that matches the request's namespace (``spec.match``)
    is used. A named policy judges nothing outside of its namespaces either.

    Thread-safe: the only state is the engine of each policy, which two threads may both make.
    """

    def __init__(self, lookup: Lookup, *, all_policies: Policies | None = None) -> None:
        self._lookup = lookup
        self._all = all_policies
        self._engines: dict[str, Engine] = {}
        rules.load_all()  # not while a review waits

    def __call__(self, body: bytes, endpoint: str, name: str | None = None) -> Response:
        """Answer one review; ``endpoint`` is ``mutate`` or ``validate``."""
        policy = self._lookup(name)
        if policy is None:
            return _error(HTTPStatus.NOT_FOUND, "no such policy is loaded")
        try:
            request = admission_review.decode(body)
        except admission_review.NotAReviewError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        if name is None:
            policy = self._first_for(request.namespace) or policy
        result = review_result.ALLOWED
        if decide.is_in_scope(request, policy):
            result = review_result.from_decision(decide.decide(request, endpoint, self._engine(policy)), policy)
        return Response(
            HTTPStatus.OK,
            admission_review.encode(request.uid, result.response),
            record=_record(request, result, policy),
        )

    def _first_for(self, namespace: str) -> Policy | None:
        """Return the first policy that matches a namespace; None where none does, and nothing is judged."""
        policies = self._all() if self._all is not None else ()
        return next((policy for policy in policies if policy.governs(namespace)), None)

    def _engine(self, policy: Policy) -> Engine:
        engine = self._engines.get(policy.name)
        if engine is None or engine.policy is not policy:
            if len(self._engines) >= _MOST_ENGINES:  # most are of deleted policies
                self._engines = {}
            engine = self._engines[policy.name] = Engine(rules.ALL, policy)
        return engine


def _record(request: Request, result: ReviewResult, policy: Policy) -> ReviewRecord:
    return ReviewRecord(
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


def _error(status: HTTPStatus, message: str) -> Response:
    return Response(status, types.error_body(status, message), record=ReviewRecord(decision="error"))


def kinds(policies: Mapping[str, Policy]) -> frozenset[str]:
    """Return the kinds that may be a label of metrics: those of the table and of the policies, a bounded number."""
    own = {entry["kind"] for policy in policies.values() for entry in policy.workloads}
    return frozenset({kind for _, kind, _ in known()} | own | {CLAIM, TEMPLATE, DEVICE_CLASS})


def _decider(policies: PolicyStore) -> Decider:
    def loaded() -> Iterable[Policy]:
        return policies.current.values()  # not stored: they are replaced as a whole

    return Decider(policies.get, all_policies=loaded)


ENGINE = types.ReviewEngine(load=loader.load, decider=_decider, kinds=kinds)
