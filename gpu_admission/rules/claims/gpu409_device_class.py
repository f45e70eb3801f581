"""GPU409: a device class that is misspelt, or the name of a resource in its place."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape, format_value
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU409"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find class names that Kubernetes refuses, that are missing, or that resemble those of a known driver."""
    for _, request, place in subjects.requests(workload, policy):
        if "deviceClassName" not in request.raw:
            if place[-1] == "exactly" or place[-2] == "firstAvailable":
                what = (
                    f'the request "{escape(request.name[:63])}" names no device class, and Kubernetes refuses the claim'
                )
                yield Problem(place, what, ("write deviceClassName: gpu.nvidia.com", ", or your driver's"))
            continue
        raw = request.raw["deviceClassName"]
        if not common.unfilled(workload, raw):
            yield from _of_name(workload, raw, (*place, "deviceClassName"), policy)


def _of_name(workload: Workload, raw: object, place: Pointer, policy: Policy) -> Iterator[Problem]:
    from . import class_typos  # noqa: PLC0415 - only where there are claims

    name = raw if isinstance(raw, str) else ""
    if name and class_typos.is_known(name, workload, policy):
        return
    near = class_typos.meant(name, policy)
    fix = (patch.replace(ID, place, near),) if near else ()
    if not subjects.is_subdomain(name):
        what = f"{format_value(raw)} is not a valid name of a device class", ", and Kubernetes refuses the claim"
        if class_typos.of_resource(name) is not None:
            what = f"{format_value(raw)} is a resource", ", not a device class: Kubernetes refuses the claim"
        advice = f"write {near}" if near else "write the DeviceClass's name, say gpu.nvidia.com"
        yield Problem(place, what, advice, fix=fix, safety="unsafe")
    elif near is not None:
        yield _unknown(raw, place, near)


def _unknown(raw: object, place: Pointer, near: str) -> Problem:
    return Problem(
        place,
        (
            f"the device class {format_value(raw)} is not known",
            ", and resembles one that a driver installs: without such a class the pod stays Pending forever",
        ),
        (f"write {near}", " (a class of your own goes into the policy, under cluster.claims.classes)"),
        fix=(patch.replace(ID, place, near),),
        safety="unsafe",
        severity="warning",
    )


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata:
  name: one-gpu
spec:
  devices:
    requests:
      - name: gpu
        exactly:
          deviceClassName: {name}
"""

RULE = Rule(
    id=ID,
    name="device-class",
    severity="error",
    since="0.2.0",
    summary="a device class that is misspelt, or a resource's name in its place",
    rationale="""\
A request of a claim names a DeviceClass, an object that the driver's chart installs (`gpu.nvidia.com`,
`mig.nvidia.com`, `gpu.amd.com`, `gpu.intel.com`). The API server checks only that it could be an object's name, so
`nvidia.com/gpu`, which is a resource, is refused, and `nvidia.gpu.com` is accepted: its pods stay Pending forever. A
class that is in the same input, or that the policy names, is known.""",
    references=(
        "kubernetes-sigs/dra-driver-nvidia-gpu: deployments/helm/dra-driver-nvidia-gpu/templates",
        "ROCm/k8s-gpu-dra-driver: helm-charts-k8s/templates/deviceclass.yaml",
        "intel/intel-resource-drivers-for-kubernetes: deployments/gpu/base/device-class.yaml",
    ),
    bad=_TEXT.format(name="nvidia.com/gpu"),
    good=_TEXT.format(name="gpu.nvidia.com"),
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
