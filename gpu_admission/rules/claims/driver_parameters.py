"""What DRA drivers refuse among the parameters of a claim (for GPU411).

Read from kubernetes-sigs/dra-driver-nvidia-gpu: api/nvidia.com/resource/v1beta1 (validate.go, sharing.go and the
kinds), which HAMi's driver uses too (Project-HAMi/k8s-dra-driver: cmd/hami-kubelet-plugin/device_state.go), and
ROCm/k8s-gpu-dra-driver: api/amd.com/resource/gpu/v1alpha1. All of them decode strictly: an unknown field is an error.
intel/intel-resource-drivers-for-kubernetes reads no parameters at all.
"""

from __future__ import annotations

from gpu_admission.core import quantity, typos
from gpu_admission.core.raw import as_dict, escape, format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.finding import Severity
    from gpu_admission.core.pointer import Pointer

_NVIDIA, _AMD = "resource.nvidia.com/v1beta1", "gpu.resource.amd.com/v1alpha1"
_TYPE = frozenset({"apiVersion", "kind"})
_OF_GPUS = {
    "GpuConfig": frozenset({"sharing"}),
    "MigDeviceConfig": frozenset({"sharing"}),
    "VfioDeviceConfig": frozenset({"iommu"}),
}
# driver -> the version that it reads, and the kinds, each with its fields besides the type
_READ: dict[str, tuple[str, dict[str, frozenset[str]]]] = {
    "gpu.nvidia.com": (_NVIDIA, _OF_GPUS),
    "hami-core-gpu.project-hami.io": (_NVIDIA, _OF_GPUS),
    "compute-domain.nvidia.com": (
        _NVIDIA,
        {
            "ComputeDomainChannelConfig": frozenset({"domainID", "allocationMode"}),
            "ComputeDomainDaemonConfig": frozenset({"domainID"}),
        },
    ),
    "gpu.amd.com": (_AMD, {"GpuConfig": frozenset()}),
}
DRIVERS = frozenset(_READ)
READING_NONE = frozenset({"gpu.intel.com", "gaudi.intel.com"})
_STRATEGIES = {
    "TimeSlicing": "TimeSlicingSettings",
    "MPS": "MPSSupport",
}  # and the feature gate of each, off by default
_INTERVALS = ("Default", "Short", "Medium", "Long")
_BACKENDS = ("LegacyOnly", "PreferIommuFD")
_PERCENTAGE = "defaultActiveThreadPercentage"
_MPS_FIELDS = frozenset(
    {_PERCENTAGE, "defaultPinnedDeviceMemoryLimit", "defaultPerDevicePinnedMemoryLimit", "multiUser"}
)
_MIB = 1 << 20
_MOST = 32  # unknown fields of a mapping that are reported


class ParameterFault:
    """One thing that the driver refuses, at a path below the parameters, and the ``value`` there."""

    __slots__ = ("advice", "message", "path", "severity", "value")

    def __init__(
        self, path: Pointer, message: str, advice: str, value: Any = None, severity: Severity | None = None
    ) -> None:
        self.path = path
        self.message = message
        self.advice = advice
        self.value = value
        self.severity: Severity | None = severity


def faults(parameters: Mapping[str, Any], driver: str, *, admin: bool) -> Iterator[ParameterFault]:
    """Yield what the driver refuses; ``admin`` means that the claim has access to devices of others."""
    kind, version = parameters.get("kind"), parameters.get("apiVersion")
    wanted, own = _READ[driver]
    if version != wanted:
        path: Pointer = ("apiVersion",) if "apiVersion" in parameters else ()
        what = f"apiVersion: {format_value(version)} of the parameters is not one that {driver} reads"
        yield ParameterFault(path, what, f"write {wanted}", version)
    if not isinstance(kind, str) or kind not in own:
        path = ("kind",) if "kind" in parameters else ()
        what = f"kind: {format_value(kind)} of the parameters is not one that {driver} reads"
        near = typos.meant(kind[:64], own) if isinstance(kind, str) and kind else None
        yield ParameterFault(path, what, f"write {near}" if near else f"choose from {', '.join(own)}", kind)
        return
    yield from _unknown(parameters, own[kind] | _TYPE, (), kind)
    if "sharing" in own[kind]:
        yield from _sharing(parameters.get("sharing"), kind, admin=admin)
    if "iommu" in own[kind]:
        yield from _iommu(parameters.get("iommu"))
    if "domainID" in own[kind] and not parameters.get("domainID"):
        advice = "use the template that the ComputeDomain makes (spec.channel.resourceClaimTemplate)"
        yield ParameterFault((), f"{kind} has no domainID, and the driver refuses it", advice)


def _unknown(given: Mapping[str, Any], known: frozenset[str], path: Pointer, where: str) -> Iterator[ParameterFault]:
    for field in [field for field in given if field not in known][:_MOST]:
        near = typos.did_you_mean(str(field)[:64], sorted(known - _TYPE)).removeprefix("; ")
        what = f"{where} has no field {escape(str(field)[:60])}, and the driver refuses unknown fields"
        yield ParameterFault((*path, field), what, near or "leave it out")


def _sharing(sharing: Any, kind: str, *, admin: bool) -> Iterator[ParameterFault]:
    if sharing is None:
        return
    here: Pointer = ("sharing",)
    if not isinstance(sharing, dict):
        yield ParameterFault(here, "sharing is not a mapping", "write sharing: {strategy: TimeSlicing}", sharing)
        return
    strategy = sharing.get("strategy")
    if not isinstance(strategy, str) or strategy not in _STRATEGIES:
        near = typos.nearest(strategy[:32], _STRATEGIES, 3) if isinstance(strategy, str) else None
        path = (*here, "strategy") if "strategy" in sharing else here
        what = f"strategy: {format_value(strategy)} is not one of the driver's"
        yield ParameterFault(path, what, f"write {near}" if near else "write TimeSlicing or MPS", strategy)
        return
    yield from _strategy(sharing, strategy, kind)
    gate = _STRATEGIES[strategy]
    what = f"{strategy} needs the driver's feature gate {gate} (off by default): without it the pod does not start"
    advice = f"set featureGates.{gate}=true in the driver's chart"
    yield ParameterFault((*here, "strategy"), what, advice, severity="info")
    if admin:
        what = "the claim has adminAccess and sharing settings, which change the device under its owner"
        yield ParameterFault(here, what, "leave sharing out of a claim that only monitors", severity="warning")


def _strategy(sharing: Mapping[str, Any], strategy: str, kind: str) -> Iterator[ParameterFault]:
    own, other = ("timeSlicingConfig", "mpsConfig") if strategy == "TimeSlicing" else ("mpsConfig", "timeSlicingConfig")
    known = frozenset({"strategy", "mpsConfig", "timeSlicingConfig"})
    if kind == "MigDeviceConfig":
        known -= {"timeSlicingConfig"}
    yield from _unknown(sharing, known, ("sharing",), f"sharing of {kind}")
    if other in known and other in sharing:
        what = f"{other} beside strategy: {strategy}, and the driver refuses one strategy's settings with another"
        yield ParameterFault(("sharing", other), what, f"write {own}, or leave {other} out")
    settings = sharing.get(own)
    if settings is not None and own in known:
        yield from _settings(settings, own)


def _settings(settings: Any, own: str) -> Iterator[ParameterFault]:
    path: Pointer = ("sharing", own)
    if not isinstance(settings, dict):
        yield ParameterFault(path, f"{own} is not a mapping", "write a mapping", settings)
    elif own == "mpsConfig":
        yield from _mps(settings, path)
    else:
        yield from _unknown(settings, frozenset({"interval"}), path, own)
        interval = settings.get("interval")
        if interval not in _INTERVALS:
            what = f"interval: {format_value(interval)} is not one of the driver's"
            there = (*path, "interval") if "interval" in settings else path
            near = typos.meant(interval[:32], _INTERVALS) if isinstance(interval, str) and interval else None
            advice = f"write {near}" if near else f"choose from {', '.join(_INTERVALS)}"
            yield ParameterFault(there, what, advice, interval)


def _mps(settings: Mapping[str, Any], path: Pointer) -> Iterator[ParameterFault]:
    yield from _unknown(settings, _MPS_FIELDS, path, "mpsConfig")
    percentage = settings.get(_PERCENTAGE)
    whole = isinstance(percentage, int) and not isinstance(percentage, bool)
    if percentage is not None and not (whole and 1 <= percentage <= 100):
        what = f"{_PERCENTAGE}: {format_value(percentage)} is not a whole number from 1 to 100"
        yield ParameterFault(
            (*path, _PERCENTAGE), what, "write the share of a card's threads in percent, say 50", percentage
        )
    per_device = as_dict(settings.get("defaultPerDevicePinnedMemoryLimit"))
    limits = [(("defaultPerDevicePinnedMemoryLimit", name), raw) for name, raw in per_device.items()]
    if "defaultPinnedDeviceMemoryLimit" in settings:
        limits.append((("defaultPinnedDeviceMemoryLimit",), settings["defaultPinnedDeviceMemoryLimit"]))  # type: ignore[arg-type]
    for below, raw in limits:
        try:
            enough = quantity.parse(raw).ceil() >= _MIB
        except quantity.QuantityError:
            enough = False
        if not enough:
            what = f"{format_value(raw)} is not an amount of memory that MPS can limit to: at least 1Mi"
            yield ParameterFault((*path, *below), what, "write an amount with its unit, say 10Gi", raw)


def _iommu(iommu: Any) -> Iterator[ParameterFault]:
    if iommu is None:
        return
    if not isinstance(iommu, dict):
        yield ParameterFault(("iommu",), "iommu is not a mapping", "write iommu: {backendPolicy: LegacyOnly}", iommu)
        return
    yield from _unknown(iommu, frozenset({"backendPolicy", "enableAPIDevice"}), ("iommu",), "iommu")
    backend = iommu.get("backendPolicy")
    if backend is not None and backend not in _BACKENDS:
        what = f"backendPolicy: {format_value(backend)} is not one of the driver's"
        yield ParameterFault(("iommu", "backendPolicy"), what, f"write {' or '.join(_BACKENDS)}", backend)
