"""GPU402: an entry of a pod's resourceClaims without a valid source."""

from __future__ import annotations

from gpu_admission.core import patch, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, escape, format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import PodClaim
    from gpu_admission.workloads.workload import Workload

ID = "GPU402"
_TEMPLATE, _CLAIM = _SOURCES = ("resourceClaimTemplateName", "resourceClaimName")
_FAR = {"template": _TEMPLATE, "templateName": _TEMPLATE, "claimTemplateName": _TEMPLATE, "claim": _CLAIM}
_VALID_NAME = (
    "write the object's name: lower-case letters, digits, dashes and dots, without its namespace",
    " (it is looked up in the pod's)",
)


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find entries with no source, two, or the field of before Kubernetes 1.31, and names that Kubernetes refuses."""
    for pod in workload.pods:
        seen: set[str] = set()
        for claim in pod.claims.claims:
            if claim.gpu is not False and (pod.complete or "source" in claim.raw):
                yield from _sources(workload, claim)
                yield from _names(workload, claim, seen)
            seen.add(claim.name)


def _sources(workload: Workload, claim: PodClaim) -> Iterator[Problem]:
    given = [field for field in _SOURCES if claim.raw.get(field) is not None]
    old = claim.raw.get("source")
    who = f'the claim "{escape(claim.name[:63])}"' if claim.name else "a claim of the pod"
    if isinstance(old, dict):
        yield _old(claim, who, old, free=not given)
    elif len(given) > 1:
        yield Problem(
            (*claim.pointer, _CLAIM),
            (f"{who} names both a ResourceClaim and a ResourceClaimTemplate", ", and Kubernetes takes one of them"),
            f"keep {_TEMPLATE} for a device per pod, {_CLAIM} for one that pods share",
            evidence=(claim.raw.get(_CLAIM), claim.raw.get(_TEMPLATE)),
        )
    elif not given:
        yield _none(claim, who)
    elif not common.unfilled(workload, claim.raw[given[0]]) and not subjects.is_subdomain(as_str(claim.raw[given[0]])):
        message = f"{who} is made from {format_value(claim.raw[given[0]])}", ", which is not a valid name of an object"
        yield Problem((*claim.pointer, given[0]), message, _VALID_NAME)


def _old(claim: PodClaim, who: str, old: Mapping[str, Any], *, free: bool) -> Problem:
    names = {field: old[field] for field in _SOURCES if isinstance(old.get(field), str)}
    fix: tuple[patch.Operation, ...] = ()
    if free and len(names) == 1:
        adds = tuple(patch.Operation(ID, "add", (*claim.pointer, field), value) for field, value in names.items())
        fix = (patch.remove(ID, (*claim.pointer, "source")), *adds)
    field = next(iter(names), _TEMPLATE)
    return Problem(
        (*claim.pointer, "source"),
        (
            f"{who} names its source under source:",
            ", as before Kubernetes 1.31: API servers ignore that field now and refuse the pod",
        ),
        (f"write {field}: {format_value(names.get(field, '…'))}", " beside name, without source:"),
        fix=fix,
        safety="safe",
    )


def _none(claim: PodClaim, who: str) -> Problem:
    others = [key for key in claim.raw if key != "name"]
    slip = next(((key, near) for key in others if (near := _FAR.get(key) or typos.meant(key, _SOURCES))), None)
    place: Pointer = claim.pointer
    fix: tuple[patch.Operation, ...] = ()
    advice = f"add {_TEMPLATE} (a device per pod) or {_CLAIM} (one that pods share)"
    if slip is not None:
        key, near = slip
        place = (*claim.pointer, key)
        advice = f"write {near} in place of {escape(key[:60])}"
        added = patch.Operation(ID, "add", (*claim.pointer, near), claim.raw[key])
        fix = (patch.remove(ID, place), added) if isinstance(claim.raw[key], str) else ()
    message = f"{who} names neither a ResourceClaimTemplate nor a ResourceClaim: Kubernetes refuses the pod"
    return Problem(place, message, advice, fix=fix, safety="unsafe", evidence=(claim.raw,))


def _names(workload: Workload, claim: PodClaim, seen: set[str]) -> Iterator[Problem]:
    place = (*claim.pointer, "name") if "name" in claim.raw else claim.pointer
    if common.unfilled(workload, claim.raw.get("name")):
        return
    if claim.name in seen:
        message = f'spec.resourceClaims has the name "{escape(claim.name[:63])}" twice, which Kubernetes refuses'
        yield Problem(place, message, "give each entry a name of its own", evidence=(claim.name,))
    elif not subjects.is_label(claim.name):
        message = f"{format_value(claim.raw.get('name'))} is not a valid name of an entry of spec.resourceClaims"
        yield Problem(place, message, "write lower-case letters, digits and dashes, 63 at most")


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  resourceClaims:
    - name: gpu
{source}  containers:
    - name: train
      image: example.com/train:1
      resources:
        claims:
          - name: gpu
"""

RULE = Rule(
    id=ID,
    name="claim-source",
    severity="error",
    since="0.2.0",
    summary="an entry of resourceClaims with no source, with two, or in the form of before Kubernetes 1.31",
    rationale="""\
An entry of a pod's `spec.resourceClaims` names the source of a claim: `resourceClaimTemplateName`, from which
Kubernetes makes a claim for each pod, or `resourceClaimName`, an existing one that pods may share; exactly one of the
two. Until Kubernetes 1.30 they were under `source:`, a field that newer API servers do not have: they drop it, and
refuse the pod because it names no source. Custom kinds accept all of this.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, validatePodResourceClaim",
    ),
    bad=_POD.format(source="      source:\n        resourceClaimTemplateName: one-gpu\n"),
    good=_POD.format(source="      resourceClaimTemplateName: one-gpu\n"),
    when=triggers.pod_claim,
    reads=Reads(claims=["resourceClaims"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="safe",
)
