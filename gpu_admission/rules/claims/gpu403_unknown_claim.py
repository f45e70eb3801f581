"""GPU403: a container uses a claim that its pod does not have."""

from __future__ import annotations

from gpu_admission.core import patch, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.pod_claims import ClaimReference
    from gpu_admission.workloads.workload import Workload

ID = "GPU403"
_MOST = 16  # names that are compared for typos


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find names under ``resources.claims`` that ``spec.resourceClaims`` of the pod lacks, and names used twice."""
    for pod in workload.pods:
        if not pod.complete or not isinstance(pod.spec.get("resourceClaims"), list | None):
            continue  # a patch's claims may be in its base; GPU401 reports values that are not lists
        names = list(dict.fromkeys(claim.name for claim in pod.claims.claims if claim.name))
        for container in pod.containers:
            yield from _of_container(workload, pod, container, names)


def _of_container(workload: Workload, pod: Pod, container: Container, names: list[str]) -> Iterator[Problem]:
    used: dict[str, set[str]] = {}
    for reference in pod.claims.of(container):
        requests = used.setdefault(reference.name, set())
        if reference.claim is None and not common.unfilled(workload, reference.name):
            yield _unknown(container, reference, names)
        elif reference.gpu is not False and (reference.request in requests or "" in requests):
            yield Problem(
                (*reference.pointer, "name"),
                (
                    f'{container.label} uses the claim "{escape(reference.name[:63])}" twice',
                    ", which Kubernetes refuses",
                ),
                ("name it once", ", or once for each of its requests (request: NAME)"),
                evidence=(reference.name, reference.request),
            )
        requests.add(reference.request)


def _unknown(container: Container, reference: ClaimReference, names: list[str]) -> Problem:
    place = (*reference.pointer, "name")
    most = max(1, len(reference.name) // 3)
    near = typos.nearest(reference.name[:63], names[:_MOST], most) if reference.name else None
    has = f"has only {subjects.quoted(names)}" if names else "is not set"
    found = f'the claim "{escape(reference.name[:63])}"' if reference.name else "a claim without a name"
    instead = f'write "{near}"' if near else "write the name of an entry of spec.resourceClaims"
    fix = (patch.replace(ID, place, near),) if near else ()
    return Problem(
        place if reference.name else reference.pointer,
        (f"{container.label} uses {found}", f", and spec.resourceClaims of the pod {has}: Kubernetes refuses the pod"),
        instead if names else "add the claim to spec.resourceClaims: {name: …, resourceClaimTemplateName: …}",
        fix=fix,
        safety="unsafe",
    )


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
      resources:
        claims:
          - name: {name}
"""

RULE = Rule(
    id=ID,
    name="unknown-claim",
    severity="error",
    since="0.2.0",
    summary="a container uses a claim that spec.resourceClaims of its pod lacks",
    rationale="""\
A container gets the devices of a claim by its name in the pod, the `name` of an entry of `spec.resourceClaims`; not by
the name of the ResourceClaim or of the template. The API server refuses a Pod or a built-in template that uses another
name, or one name twice. Custom kinds accept it, and their pods are refused one by one.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, validateResourceClaimNames",
    ),
    bad=_POD.format(name="gpus"),
    good=_POD.format(name="gpu"),
    when=triggers.pod_claim,
    reads=Reads(claims=["resources.claims"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
