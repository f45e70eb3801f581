"""GPU410: a selector that does not compile, or uses attributes that the driver's devices do not have."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, iter_dicts
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers
from gpu_admission.workloads import claims, device_classes

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.device_classes import Driver
    from gpu_admission.workloads.workload import Workload

    Expression = tuple[Pointer, object, Driver | None]

ID = "GPU410"
_MOST = 32  # selectors of one request; kubernetes/api: resource/v1/types.go, DeviceSelectorsMaxSize


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find selectors of claims and of classes that Kubernetes refuses, or that stop the scheduler."""
    for place, raw, driver in _expressions(workload, policy):
        if raw is None:
            yield Problem(place, "a selector has no expression", 'write cel: {expression: "…"}')
        elif not common.unfilled(workload, raw):
            from . import selector_faults  # noqa: PLC0415 - only where there are selectors

            for fault in selector_faults.of(raw, driver):
                yield Problem(place, fault.message, fault.advice, severity=fault.severity)


def _expressions(workload: Workload, policy: Policy) -> Iterator[Expression]:
    """Yield each expression with its pointer, and the driver of the devices, None where that is unknown."""
    if subjects.classes(workload):
        facts = device_classes.of_object(workload.object)
        if facts is None or facts.is_gpu:
            selectors = as_dict(workload.object.get("spec")).get("selectors")
            place = (*workload.pointer, "spec")
            yield from _listed(selectors, place, None if facts is None else facts.driver)
    for _, request, place in subjects.requests(workload, policy):
        facts = claims.class_facts(request.class_name, policy, workload.claim_index)
        yield from _listed(request.raw.get("selectors"), place, None if facts is None else facts.driver)


def _listed(selectors: object, place: Pointer, driver: Driver | None) -> Iterator[Expression]:
    for index, selector in iter_dicts(selectors):
        if index > _MOST:
            return
        here = (*place, "selectors", index)
        cel = selector.get("cel")
        if not isinstance(cel, dict) or "expression" not in cel:
            yield here, None, driver
        else:
            yield (*here, "cel", "expression"), cel["expression"], driver


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: large-gpu
spec:
  spec:
    devices:
      requests:
        - name: gpu
          exactly:
            deviceClassName: gpu.nvidia.com
            selectors:
              - cel:
                  expression: {expression}
"""

RULE = Rule(
    id=ID,
    name="device-selector",
    severity="error",
    since="0.2.0",
    summary="a selector that does not compile, or uses attributes that the driver's devices do not have",
    rationale="""\
A selector is an expression in CEL on one variable, `device`. The API server refuses what does not compile: a quantity
is compared by `compareTo(quantity('40Gi')) >= 0`, never by `>=`. The API server does not know what a driver publishes:
at a domain that is not the driver's, or an attribute that it does not publish, the scheduler fails ("no such key") and
then places no pod with the claim. `"gpu.nvidia.com" in device.attributes &&` or `.?` before the name guard against
that. Attributes and capacities are those of the drivers' sources; unknown drivers and very deeply nested expressions
are not judged.""",
    references=(
        "kubernetes/kubernetes: staging/src/k8s.io/dynamic-resource-allocation/cel/compile.go",
        "kubernetes-sigs/dra-driver-nvidia-gpu: cmd/gpu-kubelet-plugin/deviceinfo.go",
        "ROCm/k8s-gpu-dra-driver: docs/driver-attributes.md",
        "intel/intel-resource-drivers-for-kubernetes: cmd/kubelet-gpu-plugin/node_state.go",
    ),
    bad=_TEXT.format(expression="device.capacity['gpu.nvidia.com'].memory >= '40Gi'"),
    good=_TEXT.format(expression="device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('40Gi')) >= 0"),
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
)
