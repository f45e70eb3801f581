"""GPU413: the replicas of a workload share one ResourceClaim."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers
from gpu_admission.workloads.claim_index import CLAIM

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU413"
_COUNTS = ("replicas", "parallelism", "minReplicas", "size")


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find entries with ``resourceClaimName`` in templates from which several pods run at a time."""
    for pod, claim in subjects.claims(workload):
        if workload.is_pod or claim.source != CLAIM:
            continue
        several = _several(workload, pod)
        if several:
            yield Problem(
                (*claim.pointer, "resourceClaimName") if "resourceClaimName" in claim.raw else claim.pointer,
                (
                    f'the one ResourceClaim "{escape(claim.source_name[:63])}" is shared by {several}',
                    ": all of them use the same device, on the one node that has it",
                ),
                ("name a template by resourceClaimTemplateName", ", so that each pod is given a claim of its own"),
                evidence=(several, claim.source_name),
            )


def _several(workload: Workload, pod: Pod) -> str:
    """Return the pods that run at a time from a template, for a message; empty where that is one."""
    if workload.kind == "DaemonSet":
        return "the pods of all nodes"
    here = workload.object
    for token in pod.pointer[len(workload.pointer) :]:
        if isinstance(here, dict):
            for field in _COUNTS:
                count = here.get(field)
                if isinstance(count, int) and not isinstance(count, bool) and 1 < count < 10**9:
                    return f"{count} pods ({field}: {count})"
        try:
            here = here[token]  # type: ignore[index]  # a list has numbers for tokens
        except (KeyError, IndexError, TypeError):
            return ""
    return ""


_TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
spec:
  replicas: 3
  selector:
    matchLabels: {{app: llm}}
  template:
    metadata:
      labels: {{app: llm}}
    spec:
      resourceClaims:
        - name: gpu
          {source}: one-gpu
      containers:
        - name: llm
          image: example.com/llm:1
          resources:
            claims:
              - name: gpu
"""

RULE = Rule(
    id=ID,
    name="shared-claim",
    severity="warning",
    since="0.2.0",
    summary="several replicas that share one ResourceClaim, and so its one device",
    rationale="""\
A ResourceClaim is allocated once. All pods that name it by `resourceClaimName` use the same devices, so a Deployment of
three replicas runs three programs on one GPU, each of which assumes that it is its own, and all on one node. A
ResourceClaimTemplate makes a claim for each pod. Where sharing is meant, say so with an ignore comment.""",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",),
    bad=_TEXT.format(source="resourceClaimName"),
    good=_TEXT.format(source="resourceClaimTemplateName"),
    when=triggers.pod_claim,
    reads=Reads(claims=["resourceClaimName"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
)
