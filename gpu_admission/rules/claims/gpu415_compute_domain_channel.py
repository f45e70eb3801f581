"""GPU415: a pod names a channel template that its ComputeDomain does not make."""

from __future__ import annotations

from gpu_admission.core import patch, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers
from gpu_admission.workloads.claim_index import TEMPLATE as TEMPLATE_KIND

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import PodClaim
    from gpu_admission.workloads.workload import Workload

ID = "GPU415"
_MOST = 32  # ComputeDomains whose names are compared


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find templates outside of the input whose name resembles that of a channel's, or is the ComputeDomain's own."""
    for _, claim in subjects.claims(workload):
        if claim.source != TEMPLATE_KIND or claim.spec is not None:
            continue
        channels = workload.claim_index.channels(workload.namespace)
        if channels and claim.source_name not in channels:
            near = _near(claim.source_name, channels)
            if near is not None:
                yield _problem(claim, near, channels[near])


def _near(name: str, channels: dict[str, str]) -> str | None:
    by_domain = next((channel for channel, domain in channels.items() if domain == name), None)
    return by_domain or typos.nearest(name[:64], list(channels)[:_MOST], 2)


def _problem(claim: PodClaim, near: str, domain: str) -> Problem:
    place = (*claim.pointer, "resourceClaimTemplateName")
    there = "resourceClaimTemplateName" in claim.raw
    return Problem(
        place if there else claim.pointer,
        (
            f'the claim "{escape(claim.name[:63])}" is made from the template "{escape(claim.source_name[:63])}"',
            f', which is not the one that the ComputeDomain "{escape(domain[:63])}" makes for its channels',
        ),
        f"write {escape(near[:63])}",
        fix=(patch.replace(ID, place, near),) if there else (),
        safety="unsafe",
        evidence=(claim.source_name, near),
    )


_TEXT = """\
apiVersion: resource.nvidia.com/v1beta1
kind: ComputeDomain
metadata:
  name: training
spec:
  channel:
    resourceClaimTemplate:
      name: training-channel
---
apiVersion: v1
kind: Pod
metadata:
  name: worker
spec:
  resourceClaims:
    - name: channel
      resourceClaimTemplateName: {name}
  containers:
    - name: worker
      image: example.com/train:1
      resources:
        claims:
          - name: channel
"""

RULE = Rule(
    id=ID,
    name="compute-domain-channel",
    severity="warning",
    since="0.2.0",
    summary="a pod names another template than the one that its ComputeDomain makes",
    rationale="""\
NVIDIA's driver makes a ResourceClaimTemplate for each ComputeDomain, under the name in its
`spec.channel.resourceClaimTemplate.name`. Pods join the domain by that template. One that names another (the
ComputeDomain's own name, or a misspelt one) waits for a template that is never created. Judged where the ComputeDomain
is among the inputs of the run.""",
    references=("kubernetes-sigs/dra-driver-nvidia-gpu: api/nvidia.com/resource/v1beta1/computedomain.go",),
    bad=_TEXT.format(name="training"),
    good=_TEXT.format(name="training-channel"),
    when=triggers.pod_claim,
    reads=Reads(claims=["resourceClaimTemplateName"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
