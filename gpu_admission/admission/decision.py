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

from . import envelope, seam, verdict, wording
from .seam import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpu_admission.core.policy import Policy

    from .envelope import Request
    from .verdict import Verdict

    Lookup = Callable[[str | None], Policy | None]


class Decider:
    """Answers reviews under whatever policy ``lookup`` returns for a name (None is the first policy).

    Thread-safe: the only state is a cache of engines, one a policy, which may be filled twice but never
    wrongly.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._engines: dict[str, tuple[Policy, Engine]] = {}

    def __call__(self, body: bytes, endpoint: str, name: str | None = None) -> Answer:
        """Answer one review; ``endpoint`` is ``mutate`` or ``validate``."""
        policy = self._lookup(name)
        if policy is None:
            return _error(HTTPStatus.NOT_FOUND, "no such policy is loaded")
        try:
            request = envelope.read(body)
        except envelope.NotAReview as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        judged = verdict.judge(request, endpoint, self._engine(policy))
        return Answer(HTTPStatus.OK, _response(request, judged, policy), record=_record(request, judged, policy))

    def _engine(self, policy: Policy) -> Engine:
        kept = self._engines.get(policy.name)
        if kept is None or kept[0] is not policy:
            kept = (policy, Engine(rules.ALL, policy))
            self._engines[policy.name] = kept
        return kept[1]


def _response(request: Request, judged: Verdict, policy: Policy) -> bytes:
    if not (judged.findings or judged.patch):
        return envelope.write(request.uid, allowed=True)
    allowed = judged.allowed
    return envelope.write(
        request.uid,
        allowed=allowed,
        message="" if allowed else wording.denial(judged, policy),
        warnings=wording.warnings(judged) if judged.findings else (),
        patch=verdict.patch_document(judged),
        audit=wording.audit(judged),
    )


def _record(request: Request, judged: Verdict, policy: Policy) -> Record:
    allowed = judged.allowed
    decision = "denied" if not allowed else "mutated" if judged.patch else "allowed"
    return Record(
        uid=request.uid,
        operation=request.operation,
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        policy=policy.name,
        decision=decision,
        rules=[(finding.rule, action) for finding, action in judged.findings],
        applied=sorted({operation.rule for operation in judged.patch}) if judged.patch and allowed else (),
    )


def _error(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, seam.error_body(status, message), record=Record(decision="error"))


def kinds(policies: Mapping[str, Policy]) -> frozenset[str]:
    """Return the kinds that metrics may name: those of the table and the policies' own, a bounded number."""
    own = {entry["kind"] for policy in policies.values() for entry in policy.workloads}
    return frozenset({kind for _, kind, _ in known()} | own)


ENGINE = seam.Engine(load=policyfile.load, decider=lambda policies: Decider(policies.get), kinds=kinds)
