"""GPU401: claims where Kubernetes does not look for them, or in a form that it cannot read."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU401"
_BESIDE = ("write claims: [{name: …}] under the container's resources", ", beside limits")


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find claims under limits, requests or the pod's resources, or beside resources, and values that are not lists."""
    for pod in workload.pods:
        yield from _of_pod(pod)
        for container in pod.containers:
            if container.whole:
                yield from _of_container(workload, container)


def _of_pod(pod: Pod) -> Iterator[Problem]:
    place, given = (*pod.pointer, "resourceClaims"), pod.spec.get("resourceClaims")
    if given is not None and not isinstance(given, list):
        what = "spec.resourceClaims is not a list, and Kubernetes refuses the pod"
        yield Problem(place, what, "write a list: [{name: gpu, resourceClaimTemplateName: …}]")
    for index, item in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(item, dict):
            what = "an item of spec.resourceClaims is not a mapping, and Kubernetes refuses the pod"
            yield Problem((*place, index), what, "write {name: gpu, resourceClaimTemplateName: …}")
    if as_dict(pod.spec.get("resources")).get("claims") and pod.complete:
        what = "the pod's own resources have claims, which Kubernetes accepts in containers only"
        yield Problem((*pod.pointer, "resources", "claims"), what, "write them under the resources of a container")


def _of_container(workload: Workload, container: Container) -> Iterator[Problem]:
    claims = container.resources.get("claims")
    for side, given in (("limits", container.limits), ("requests", container.requests)):
        if isinstance(given.get("claims"), list | dict):
            what = f"{container.label} has claims under {side}"
            message = what, ", which takes only amounts of resources: Kubernetes refuses the pod"
            fix = _moved(workload, container, side) if claims is None else ()
            yield Problem((*container.resources_pointer, side, "claims"), message, _BESIDE, fix=fix, safety="safe")
    for key in ("claims", "resourceClaims"):
        if isinstance(container.spec.get(key), list) and container.key == "resources":
            what = f"{container.label} has {key} beside its resources, where Kubernetes drops it"
            yield Problem((*container.pointer, key), what, _BESIDE)
    if "resourceClaims" in container.resources:
        what = f"{container.label} has resourceClaims under its resources, where Kubernetes has no such field"
        yield Problem((*container.resources_pointer, "resourceClaims"), what, _BESIDE)
    yield from _unreadable(workload, container, claims)


def _unreadable(workload: Workload, container: Container, claims: Any) -> Iterator[Problem]:
    place = (*container.resources_pointer, "claims")
    if claims is None or common.unfilled(workload, claims):
        return
    if not isinstance(claims, list):
        what = f"resources.claims of {container.label} is not a list, and Kubernetes refuses the pod"
        yield Problem(place, what, "write a list of mappings: claims: [{name: gpu}]")
        return
    for index, item in enumerate(claims):
        if isinstance(item, dict) or common.unfilled(workload, item):
            continue
        fix = (patch.replace(ID, (*place, index), {"name": item}),) if isinstance(item, str) else ()
        what = (
            f"resources.claims of {container.label} has an item that is not a mapping, and Kubernetes refuses the pod"
        )
        yield Problem((*place, index), what, "write {name: …} with the claim's name in the pod", fix=fix, safety="safe")


def _moved(workload: Workload, container: Container, side: str) -> tuple[Operation, ...]:
    given = container.resources[side]
    items = given["claims"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return ()
    source: Pointer = (*container.resources_pointer, side)
    gone = patch.remove(ID, source if len(given) == 1 else (*source, "claims"))
    return (gone, patch.add(ID, workload.document, (*container.resources_pointer, "claims"), items))


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
{claims}"""

RULE = Rule(
    id=ID,
    name="misplaced-claim",
    severity="error",
    since="0.2.0",
    summary="claims under limits, beside resources, or in a form that Kubernetes cannot read",
    rationale="""\
A container names the claims that it uses in one place, `resources.claims`, a list of mappings with `name`. Under
`limits` the API server tries to read an amount and refuses the pod; beside `resources` it is an unknown field, dropped
with a warning, and the container starts without its GPU.""",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#resources",),
    bad=_POD.format(claims="        limits:\n          claims:\n            - name: gpu\n"),
    good=_POD.format(claims="        claims:\n          - name: gpu\n"),
    when=triggers.pod_claim,
    reads=Reads(claims=["place"]),
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="safe",
)
