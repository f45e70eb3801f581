"""The decision about one request: the one place where findings become consequences.

======================================  ==========================================  ===================
object and path                         the rule has a safe fix                     it has none
======================================  ==========================================  ===================
Pod at ``/mutate``                      repaired                                    the policy's action
Pod at ``/validate``                    GPU001, GPU101, GPU202 deny; GPU301,        the policy's action
                                        GPU302 and GPU310 deny where the policy
                                        denies; the others warn
template of any kind at ``/validate``   warn at most: its Pods will be repaired     the policy's action
======================================  ==========================================  ===================

An update is judged by what it changes, whether by the Pod itself or by one of its subresources. What
each of them can change (Kubernetes 1.36, pkg/registry/core/pod: strategy.go, storage/storage.go):

=======================  ========================================  =============================================
``pods``                 labels, annotations, images, tolerations  judged
``pods/status``          status, labels, annotations               judged: the scheduler and kubelets may write it
``pods/binding``         nodeName, and labels and annotations      judged: what the Binding adds to the Pod
                         that are copied from the Binding
``bindings``             the same                                  judged likewise
``ephemeralcontainers``  ephemeral containers                      judged
``pods/resize``          cpu and memory of containers              judged; registered for it where GPU501 is in
                                                                   force, which alone reads them
``pods/eviction``,       nothing of the Pod                        never judged
exec, attach, …
=======================  ========================================  =============================================

The built-in role *edit* may write ``pods`` and create ``pods/eviction``, and none of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission import rules
from gpu_admission.core.finding import ACTION_OF
from gpu_admission.core.raw import as_dict
from gpu_admission.engine import changes
from gpu_admission.rules import consequences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.core.finding import Action, Finding
    from gpu_admission.core.patch import Operation
    from gpu_admission.engine.engine import Engine
    from gpu_admission.policy.model import Policy

    from .admission_review import Request

_JUDGED_SUBRESOURCES = frozenset({"", "ephemeralcontainers", "status", "binding", "resize"})
_PODS = frozenset({"Pod", "Binding"})


class Decision(NamedTuple):
    """The decision about one request, before it is encoded.

    ``findings`` have the action that applies here, which may be milder or stricter than the policy's.
    """

    findings: Sequence[tuple[Finding, Action]] = ()
    patch: Sequence[Operation] = ()
    unrepaired: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the request is allowed."""
        return "deny" not in [action for _, action in self.findings]


_NOTHING = Decision()


def decide(request: Request, endpoint: str, engine: Engine) -> Decision:
    """Judge a request in the scope of the engine's policy, at ``mutate`` or ``validate``."""
    if endpoint == "mutate":
        return _mutate(request, engine) if request.is_new_pod else _NOTHING
    if request.kind == "Binding":
        findings = engine.introduced(_pod_with(as_dict(request.object).get("metadata")), _pod_with({}))
    elif request.operation == "UPDATE":
        if request.kind == "Pod" and changes.is_terminal(request.old_object):
            return _NOTHING
        findings = engine.introduced(_placed(request.object, request), _placed(request.old_object, request))
    else:
        findings = engine.validate(_placed(request.object, request), "admission")
    consequence = _of_pod if request.kind in _PODS else of_template
    found = [(finding, consequence(finding, engine.policy)) for finding in findings]
    return Decision(
        found, unrepaired=any(_should_have_been_repaired(f, engine.policy) for f in findings) and request.is_pod
    )


def _placed(obj: Any, request: Request) -> Any:
    """Return an object with the request's namespace, where its own metadata has none."""
    metadata = as_dict(obj).get("metadata")
    if not request.namespace or not isinstance(metadata, dict) or metadata.get("namespace"):
        return obj
    return {**obj, "metadata": {**metadata, "namespace": request.namespace}}


def _pod_with(metadata: Any) -> dict[str, Any]:
    """Return a Pod of which only metadata is known."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}


def is_in_scope(request: Request, policy: Policy) -> bool:
    """Return whether a request is judged at all.

    It creates or changes an object in a namespace of the policy, and its user is not exempt.
    """
    if request.operation not in {"CREATE", "UPDATE"} or request.subresource not in _JUDGED_SUBRESOURCES:
        return False
    if not isinstance(request.object, dict):
        return False
    return policy.judges(request.namespace, request.user)


def _mutate(request: Request, engine: Engine) -> Decision:
    """Repair a new Pod, and deny at once what ``/validate`` would deny of the result.

    The API server's own validation runs between the two, and its message would otherwise be shown instead.
    """
    mutation = engine.mutate(_placed(request.object, request), "admission")
    findings = engine.remaining(mutation)
    return Decision([(finding, finding.action) for finding in findings], mutation.patch)


def _of_pod(finding: Finding, policy: Policy) -> Action:
    return consequences.at_validation(
        rules.BY_ID[finding.rule], ACTION_OF[finding.severity], finding.fix, policy
    )  # the severity of a finding is the level of what the policy wants


def _should_have_been_repaired(finding: Finding, policy: Policy) -> bool:
    return consequences.should_have_been_repaired(
        rules.BY_ID[finding.rule], ACTION_OF[finding.severity], finding.fix, policy
    )


def of_template(finding: Finding, policy: Policy) -> Action:
    """Return the action of a finding on anything but a Pod: what is repaired in its Pods is not denied."""
    if finding.fix == "safe" and finding.action == "deny" and policy.fixes(rules.BY_ID[finding.rule]):
        return "warn"
    return finding.action
