"""GPU405: a pod reserves devices that none of its containers uses."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import PodClaim
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU405"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find claims that no container of a complete pod names, unless a misspelt or misplaced one may be meant."""
    for pod in workload.pods:
        if not pod.complete or not pod.claims.claims:
            continue
        used = {reference.name for each in pod.claims.references.values() for reference in each}
        names = {claim.name for claim in pod.claims.claims}
        if used - names or _is_misplaced(pod):
            continue  # GPU401 or GPU403: correcting that makes the claim used
        for claim in pod.claims.claims:
            if claim.name and claim.name not in used and claim.gpu is not False:
                yield _problem(workload, pod, claim)


def _is_misplaced(pod: Pod) -> bool:
    used = [container.resources.get("claims") for container in pod.containers]
    if not all([each is None or (isinstance(each, list) and all(isinstance(i, dict) for i in each)) for each in used]):
        return True
    beside = [container.spec for container in pod.containers]
    return any(["claims" in each for each in (pod.spec, *beside)]) or any(
        ["claims" in side for each in pod.containers for side in (each.limits, each.requests)]
    )


def _problem(workload: Workload, pod: Pod, claim: PodClaim) -> Problem:
    what = "a GPU" if claim.gpu else "a device"
    return Problem(
        claim.pointer,
        (
            f'no container uses the claim "{escape(claim.name[:63])}"',
            f": it reserves {what}, which no container can use",
        ),
        (
            "add it to the container that needs it",
            f" (resources: {{claims: [{{name: {escape(claim.name[:63])}}}]}}), or remove it from spec.resourceClaims",
        ),
        fix=_used(workload, pod, claim),
        safety="unsafe",
        evidence=(claim.name,),
    )


def _used(workload: Workload, pod: Pod, claim: PodClaim) -> tuple[patch.Operation, ...]:
    """Return the operation that lets the only container use the claim; none where there are several."""
    apps = [container for container in pod.containers if container.role == "app"]
    if len(apps) != 1 or len(pod.containers) != 1 or not isinstance(apps[0].resources.get("claims", []), list):
        return ()
    place, entry = (*apps[0].resources_pointer, "claims"), {"name": claim.name}
    if "claims" in apps[0].resources:
        return (patch.Operation(ID, "add", (*place, patch.APPEND), entry),)
    return (patch.add(ID, workload.document, place, [entry]),)


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  resourceClaims:
    - name: gpu
      resourceClaimTemplateName: one-gpu
  containers:
    - name: train
      image: example.com/train:1
"""

RULE = Rule(
    id=ID,
    name="unused-claim",
    severity="warning",
    since="0.2.0",
    summary="a claim of the pod that no container uses, whose device stays reserved",
    rationale="""\
A pod's claims are allocated before it starts, whether a container uses them or not; a container sees only the devices
of the claims in its own `resources.claims`. A claim that none names takes a GPU from all other pods, and the program
starts without one. Kubernetes accepts it.""",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",),
    bad=_POD,
    good=f"{_POD}      resources:\n        claims:\n          - name: gpu\n",
    when=triggers.pod_claim,
    reads=Reads(claims=["use"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
