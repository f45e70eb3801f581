"""GPU404: a container uses a request of a claim that the claim does not have."""

from __future__ import annotations

from gpu_admission.core import patch, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import ClaimSpec
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod_claims import ClaimReference
    from gpu_admission.workloads.workload import Workload

ID = "GPU404"
_MOST = 32  # requests that a claim may have


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find names of requests that the claim or template lacks, where that is in the same input."""
    for pod in workload.pods:
        for container, reference in subjects.references(pod):
            spec = None if reference.claim is None else reference.claim.spec
            if spec is None or not reference.request or not spec.requests:
                continue
            if spec.request(reference.request) is None or "/" in reference.request:
                yield _problem(container, reference, spec)


def _problem(container: Container, reference: ClaimReference, spec: ClaimSpec) -> Problem:
    place = (*reference.pointer, "request")
    names = [request.name for request in spec.requests[: _MOST + 1] if request.name]
    first = reference.request.partition("/")[0]
    near = (
        first if first and spec.request(first) is not None else typos.nearest(reference.request[:63], names[:_MOST], 3)
    )
    return Problem(
        place,
        (
            (
                f'{container.label} uses the request "{escape(reference.request[:63])}" of the {spec.kind} '
                f'"{escape(spec.name[:63])}"'
            ),
            f", which has only {subjects.quoted(names)}: the pod would not start",
        ),
        f'write "{near}"' if near else "write the name of one of its requests, or leave request out for all of them",
        fix=(patch.replace(ID, place, near),) if near else (),
        safety="unsafe",
        evidence=(reference.request, tuple(names)),
    )


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: two
spec:
  spec:
    devices:
      requests:
        - name: training
          exactly:
            deviceClassName: gpu.nvidia.com
        - name: drawing
          exactly:
            deviceClassName: gpu.nvidia.com
---
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  resourceClaims:
    - name: gpus
      resourceClaimTemplateName: two
  containers:
    - name: train
      image: example.com/train:1
      resources:
        claims:
          - name: gpus
            request: {request}
    - name: draw
      image: example.com/draw:1
      resources:
        claims:
          - name: gpus
            request: drawing
"""

RULE = Rule(
    id=ID,
    name="unknown-claim-request",
    severity="error",
    since="0.2.0",
    summary="a container uses a request that the claim, which is in the same input, does not have",
    rationale="""\
`request` under a container's `resources.claims` picks one of a claim's requests; without it the container sees the
devices of all of them. The API server cannot check it, because the claim is another object: the pod is created and
scheduled, and then its containers do not start. Claims, templates and classes of all inputs of a run are read together;
other claims are not judged.""",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#resources",),
    bad=_TEXT.format(request="trainings"),
    good=_TEXT.format(request="training"),
    when=triggers.pod_claim,
    reads=Reads(claims=["request"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
