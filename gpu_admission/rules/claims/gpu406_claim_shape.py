"""GPU406: a claim or template whose shape resource.k8s.io/v1 refuses or ignores."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers
from gpu_admission.workloads.claim_index import TEMPLATE as TEMPLATE_KIND

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU406"
_SHAPED_AS_V1 = frozenset({"resource.k8s.io/v1", "resource.k8s.io/v1beta2"})


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find a missing or doubled level of ``spec``, requests without ``exactly``, and other shapes that v1 refuses."""
    spec = subjects.spec_of(workload, policy)
    if spec is None or workload.api_version not in _SHAPED_AS_V1:
        return
    outer = workload.object.get("spec")
    if outer is not None and not isinstance(outer, dict):
        yield Problem((*workload.pointer, "spec"), f"spec of the {workload.kind} is not a mapping", _wanted(workload))
        return
    level = list(_level(workload))
    yield from level
    if not level:
        from . import request_shape  # noqa: PLC0415 - only where there are claims

        yield from request_shape.problems(ID, workload, spec)


def _wanted(workload: Workload) -> str:
    inner = "devices: {requests: [{name: gpu, exactly: {deviceClassName: …}}]}"
    return f"write spec: {{spec: {{{inner}}}}}" if workload.kind == TEMPLATE_KIND else f"write spec: {{{inner}}}"


def _level(workload: Workload) -> Iterator[Problem]:
    """Yield the problem of a template without ``spec.spec``, or of a claim with it."""
    spec = as_dict(workload.object.get("spec"))
    here = (*workload.pointer, "spec")
    inner = spec.get("spec")
    if workload.kind == TEMPLATE_KIND:
        if as_dict(spec.get("devices")) and "spec" not in spec:
            what = "devices is under spec, but a ResourceClaimTemplate has it under spec.spec"
            message, advice = (what, ": as it is, its claims request nothing"), "move devices to spec.spec.devices"
            yield Problem((*here, "devices"), message, advice, fix=_wrapped(workload), safety="safe")
        elif not as_dict(as_dict(inner).get("devices")):
            what = "the ResourceClaimTemplate has no spec.spec.devices, so its claims request nothing"
            yield Problem(_there(workload), what, _wanted(workload), severity="warning", evidence=(inner,))
    elif isinstance(inner, dict) and "devices" in inner:
        fix = _unwrapped(workload) if len(spec) == 1 else ()
        what = "devices is under spec.spec, but a ResourceClaim has it under spec: as it is, it requests nothing"
        yield Problem((*here, "spec"), what, "move devices to spec.devices", fix=fix, safety="safe")
    elif not as_dict(spec.get("devices")):
        what = "the ResourceClaim has no spec.devices, so it requests nothing"
        yield Problem(_there(workload), what, _wanted(workload), severity="warning", evidence=(spec,))


def _there(workload: Workload) -> tuple[str | int, ...]:
    return (*workload.pointer, "spec") if "spec" in workload.object else (*workload.pointer, "kind")


def _wrapped(workload: Workload) -> tuple[Operation, ...]:
    spec = workload.object["spec"]
    return (patch.replace(ID, (*workload.pointer, "spec"), {"spec": dict(spec)}),)


def _unwrapped(workload: Workload) -> tuple[Operation, ...]:
    return (patch.replace(ID, (*workload.pointer, "spec"), workload.object["spec"]["spec"]),)


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: one-gpu
spec:
  spec:
    devices:
      requests:
        - name: gpu
"""

RULE = Rule(
    id=ID,
    name="claim-shape",
    severity="error",
    since="0.2.0",
    summary="a claim or template in a shape that resource.k8s.io/v1 refuses or ignores",
    rationale="""\
In `resource.k8s.io/v1` a request has its device class, count and selectors under `exactly`, or a list of alternatives
under `firstAvailable`: one of the two. v1beta1 had these fields directly in the request, and manifests for it are
refused. A ResourceClaimTemplate has `spec.spec`, a ResourceClaim only `spec`: kubectl refuses the other form, and
clients that do not check fields create claims that request nothing, whose pods start without a GPU. Names of requests
are labels, each used once; a claim has at most 32 requests, and a request 8 alternatives; constraints and
configurations name existing requests.""",
    references=(
        "kubernetes/api: resource/v1/types.go",
        "kubernetes/kubernetes: pkg/apis/resource/validation/validation.go",
    ),
    bad=f"{_TEXT}          deviceClassName: gpu.nvidia.com\n          count: 2\n",
    good=f"{_TEXT}          exactly:\n            deviceClassName: gpu.nvidia.com\n            count: 2\n",
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="safe",
)
