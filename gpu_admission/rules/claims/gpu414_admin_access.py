"""GPU414: a claim with adminAccess in a namespace that is not labelled for it."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, escape
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU414"
LABEL = "resource.kubernetes.io/admin-access"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find such requests; an error where the namespace is an input without the label, info where it is not an input."""
    if workload.origin == "admission":
        return  # the API server has checked the label itself
    for _, request, place in subjects.requests(workload, policy):
        if not request.is_admin:
            continue
        seen = workload.claim_index.find("Namespace", workload.namespace) if workload.namespace else None
        labels = {} if seen is None else as_dict(as_dict(seen.object.get("metadata")).get("labels"))
        if labels.get(LABEL) == "true":
            continue
        severity: Severity = "info" if seen is None else "error"
        where = f'the namespace "{escape(workload.namespace[:63])}"' if workload.namespace else "its namespace"
        lacks = "is not labelled for it" if seen is not None else "has to be labelled for it"
        yield Problem(
            (*place, "adminAccess"),
            (
                f'the request "{escape(request.name[:63])}" sets adminAccess',
                f", and {where} {lacks}: Kubernetes refuses the claim otherwise",
            ),
            (f'label the namespace {LABEL}: "true"', ", or leave adminAccess out"),
            severity=severity,
        )


_TEXT = """\
apiVersion: v1
kind: Namespace
metadata:
  name: monitoring
{labels}---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata:
  name: all-gpus
  namespace: monitoring
spec:
  devices:
    requests:
      - name: gpus
        exactly:
          deviceClassName: gpu.nvidia.com
          allocationMode: All
          adminAccess: true
"""

RULE = Rule(
    id=ID,
    name="admin-access",
    severity="error",
    since="0.2.0",
    summary="a claim with adminAccess in a namespace without the label for it",
    rationale="""\
`adminAccess: true` gives a claim devices that others own, for monitoring. The API server accepts such claims and
templates only in namespaces with the label `resource.kubernetes.io/admin-access: "true"`. Where the Namespace is among
the inputs and lacks the label, that is an error; where it is not among them, info.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#admin-access",
        "kubernetes/enhancements: keps/sig-auth/5018-dra-adminaccess",
    ),
    bad=_TEXT.format(labels=""),
    good=_TEXT.format(labels='  labels:\n    resource.kubernetes.io/admin-access: "true"\n'),
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
)
