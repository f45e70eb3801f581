"""GPU411: an opaque configuration that the driver refuses."""

from __future__ import annotations

from gpu_admission.core import typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, escape, format_value
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers
from gpu_admission.workloads import device_classes

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU411"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find configurations of claims and classes without driver or parameters, and what a known driver refuses."""
    admin = any([request.is_admin for _, request, _ in subjects.requests(workload, policy)])
    for place, config in subjects.configurations(workload, policy):
        opaque = config.get("opaque")
        if not isinstance(opaque, dict):
            what = "a configuration has no opaque part, and Kubernetes refuses it"
            yield Problem(place, what, "write opaque: {driver: gpu.nvidia.com, parameters: {…}}")
        elif not common.unfilled(workload, opaque.get("driver")):
            yield from _of_opaque(workload, opaque, (*place, "opaque"), admin=admin)


def _unknown_driver(name: str, place: Pointer) -> Iterator[Problem]:
    near = typos.nearest(name[:64], device_classes.driver_names(), 2)
    if near is not None:
        what = f"the configuration is for the driver {escape(name[:63])}, which is not known: {near} would not see it"
        yield Problem((*place, "driver"), what, f"write {near}", severity="warning")


def _of_opaque(workload: Workload, opaque: Mapping[str, Any], place: Pointer, *, admin: bool) -> Iterator[Problem]:
    from . import driver_parameters  # noqa: PLC0415 - only where there are configurations

    name, parameters = as_str(opaque.get("driver")), opaque.get("parameters")
    if not subjects.is_subdomain(name):
        given = format_value(opaque.get("driver"))
        what = f"driver: {given} is not a valid name of a driver, and Kubernetes refuses it"
        here = (*place, "driver") if "driver" in opaque else place
        yield Problem(here, what, "write the driver's name, say gpu.nvidia.com")
        return
    if device_classes.driver(name) is None:
        yield from _unknown_driver(name, place)
    elif name in driver_parameters.READING_NONE:
        what = f"the driver {name} reads no configuration: this one has no effect"
        yield Problem((*place, "driver"), what, "leave the configuration out", severity="warning")
    elif not isinstance(parameters, dict):
        if not common.unfilled(workload, parameters):
            here = (*place, "parameters") if "parameters" in opaque else place
            what = f"the configuration of {name} has no mapping of parameters, and Kubernetes refuses it"
            yield Problem(here, what, "write parameters: {apiVersion: …, kind: …}")
    elif name in driver_parameters.DRIVERS:
        for fault in driver_parameters.faults(parameters, name, admin=admin):
            here = (*place, "parameters", *fault.path)
            if not common.unfilled(workload, fault.value):
                yield Problem(here, fault.message, fault.advice, severity=fault.severity)


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: shared-gpu
spec:
  spec:
    devices:
      requests:
        - name: gpu
          exactly:
            deviceClassName: gpu.nvidia.com
      config:
        - requests: [gpu]
          opaque:
            driver: gpu.nvidia.com
            parameters:
              apiVersion: resource.nvidia.com/v1beta1
              kind: GpuConfig
"""
_SHARING = "              sharing:\n                strategy: {strategy}\n"

RULE = Rule(
    id=ID,
    name="driver-configuration",
    severity="error",
    since="0.2.0",
    summary="an opaque configuration that the driver refuses: kind, version, strategy, interval, percentage",
    rationale="""\
`opaque.parameters` of a claim are passed to the driver unchanged: the API server does not check them. The driver reads
them strictly, and refuses invalid ones only when the pod starts: its containers stay in ContainerCreating. NVIDIA's
driver accepts `resource.nvidia.com/v1beta1` with the kinds GpuConfig, MigDeviceConfig, VfioDeviceConfig,
ComputeDomainChannelConfig and ComputeDomainDaemonConfig, HAMi's the first three of them, AMD's only
`gpu.resource.amd.com/v1alpha1` with the kind GpuConfig, which has no fields; Intel's reads nothing. Time-slicing and
MPS need NVIDIA's feature gates TimeSlicingSettings and MPSSupport, which are off by default: that is reported as info,
because it depends on the cluster. Sharing settings in a claim with adminAccess change the devices under their
owner.""",
    references=(
        "kubernetes-sigs/dra-driver-nvidia-gpu: api/nvidia.com/resource/v1beta1/validate.go, sharing.go",
        "kubernetes-sigs/dra-driver-nvidia-gpu: pkg/featuregates/featuregates.go",
        "ROCm/k8s-gpu-dra-driver: api/amd.com/resource/gpu/v1alpha1",
        "Project-HAMi/k8s-dra-driver: cmd/hami-kubelet-plugin/device_state.go",
    ),
    bad=_TEXT + _SHARING.format(strategy="TimeSharing"),
    good=_TEXT,
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
)
