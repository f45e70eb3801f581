"""Device classes that DRA drivers ship, and the attributes and capacities that the drivers publish.

Classes of GPUs are recognised by their names in this table, other classes by the driver that their selectors name or by
their ``extendedResourceName``. Attributes and capacities are taken from each driver's source; an empty list means
unknown, and rules report nothing about it.
"""

from __future__ import annotations

import re

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from . import resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .resources import Sharing

    Published = frozenset[str]

EXTENDED_PREFIX = resources.CLASS_PREFIX  # KEP-5004: this and a class's name is a resource name
ANY_VENDOR = "any"  # as with portable names: the vendor is that of the policy's backend
# kubernetes/kubernetes: staging/src/k8s.io/dynamic-resource-allocation/deviceattribute: any driver may publish them
STANDARD_DOMAIN = "resource.kubernetes.io"


class Driver:
    """A DRA driver: the vendor of its devices (empty where they are not GPUs), and what it publishes of them.

    ``attributes`` and ``capacity`` are names under the driver's domain, which is its name; ``versions`` are the
    attributes that are semantic versions. ``sharer`` is the backend whose library limits a container's use of a device;
    empty for none.
    """

    __slots__ = ("attributes", "capacity", "name", "sharer", "vendor", "versions")

    def __init__(
        self,
        name: str,
        vendor: str,
        attributes: str = "",
        capacity: str = "",
        *,
        versions: str = "",
        sharer: str = "",
    ) -> None:
        self.name = name
        self.vendor = vendor
        self.sharer = sharer
        self.attributes: Published = frozenset(attributes.split())
        self.capacity: Published = frozenset(capacity.split())
        self.versions: Published = frozenset(versions.split())

    @property
    def is_gpu(self) -> bool:
        """Whether its devices are GPUs or other accelerators."""
        return bool(self.vendor)


class ClassFacts:
    """What is known of a device class: its driver, and the vendor of its GPUs.

    ``vendor`` is that of the cards (``any`` where only the policy declares them GPUs), ``sharing`` is whether a device
    is a whole card or a partition of one, ``extended`` the class's ``extendedResourceName``.
    """

    __slots__ = ("driver", "extended", "is_gpu", "name", "sharing", "vendor")

    def __init__(
        self,
        name: str,
        driver: Driver | None,
        *,
        is_gpu: bool,
        vendor: str,
        sharing: Sharing = "exclusive",
        extended: str = "",
    ) -> None:
        self.name = name
        self.driver = driver
        self.is_gpu = is_gpu
        self.vendor = vendor
        self.sharing: Sharing = sharing
        self.extended = extended


_NVIDIA = Driver(  # kubernetes-sigs/dra-driver-nvidia-gpu: cmd/gpu-kubelet-plugin/{deviceinfo,mig,partitions}.go
    "gpu.nvidia.com",
    "nvidia",
    "type uuid productName brand architecture cudaComputeCapability driverVersion cudaDriverVersion addressingMode"
    " gpuModuleID partition1 partition2 partition4 partition8 parentUUID profile deviceID vendorID iommuFDEnabled"
    " index minor pcieBusID",  # the last three in releases before 25.12
    "memory addressableMemory multiprocessors copyEngines decoders encoders jpegEngines ofaEngines"
    + "".join(f" memorySlice{number}" for number in range(16)),
    versions="driverVersion cudaDriverVersion cudaComputeCapability",
)
_COMPUTE_DOMAIN = Driver("compute-domain.nvidia.com", "", "type id domain cliqueId")
_AMD = Driver(  # ROCm/k8s-gpu-dra-driver: cmd/gpu-kubeletplugin/deviceinfo.go, docs/driver-attributes.md
    "gpu.amd.com",
    "amd",
    "type pciAddr parentPciAddr cardIndex renderIndex deviceID parentDeviceID family productName driverVersion"
    " driverSrcVersion partitionProfile",
    "memory computeUnits simdUnits",
    versions="driverVersion",
)
_INTEL = Driver(  # intel/intel-resource-drivers-for-kubernetes: cmd/kubelet-gpu-plugin/node_state.go
    "gpu.intel.com",
    "intel",
    "model family driver sriov type pciId pciAddress health pciRoot",
    "memory millicores",
)
_GAUDI = Driver("gaudi.intel.com", "intel", "model serial healthy pciRoot")  # the same: cmd/kubelet-gaudi-plugin
_HAMI = Driver(  # Project-HAMi/k8s-dra-driver: cmd/hami-kubelet-plugin/hami_core.go
    "hami-core-gpu.project-hami.io",
    "nvidia",
    "type uuid minor productName brand architecture cudaComputeCapability driverVersion cudaDriverVersion pcieBusID",
    "cores memory",
    versions="driverVersion cudaDriverVersion cudaComputeCapability",
    sharer="hami",
)

_DRIVERS: dict[str, Driver] = {
    driver.name: driver
    for driver in (
        _NVIDIA,
        _COMPUTE_DOMAIN,
        _AMD,
        _INTEL,
        _GAUDI,
        _HAMI,
        Driver("tpu.google.com", "google"),  # google/dra-driver-google-tpu
        # Known to publish no GPUs:
        Driver("qat.intel.com", ""),  # intel/intel-resource-drivers-for-kubernetes
        Driver("npu.intel.com", ""),  # the same
        Driver("dra.net", ""),  # kubernetes-sigs/dranet
        Driver("dra.cpu", ""),  # kubernetes-sigs/dra-driver-cpu
        Driver("dra.memory", ""),  # kad/dra-driver-memory
        Driver("sriovnetwork.k8snetworkplumbingwg.io", ""),  # k8snetworkplumbingwg/dra-driver-sriov
        Driver("cni.dra.networking.x-k8s.io", ""),  # kubernetes-sigs/cni-dra-driver
    )
}
_CLASSES: dict[str, ClassFacts] = {
    each.name: each
    for each in (
        ClassFacts("gpu.nvidia.com", _NVIDIA, is_gpu=True, vendor="nvidia", extended="nvidia.com/gpu"),
        ClassFacts("mig.nvidia.com", _NVIDIA, is_gpu=True, vendor="nvidia", sharing="partition"),
        ClassFacts("vfio.gpu.nvidia.com", _NVIDIA, is_gpu=True, vendor="nvidia"),
        ClassFacts("compute-domain-daemon.nvidia.com", _COMPUTE_DOMAIN, is_gpu=False, vendor=""),
        ClassFacts("compute-domain-default-channel.nvidia.com", _COMPUTE_DOMAIN, is_gpu=False, vendor=""),
        ClassFacts("gpu.amd.com", _AMD, is_gpu=True, vendor="amd"),
        ClassFacts("gpu.intel.com", _INTEL, is_gpu=True, vendor="intel"),
        ClassFacts("gpu-vfio.intel.com", _INTEL, is_gpu=True, vendor="intel"),
        ClassFacts("gaudi.intel.com", _GAUDI, is_gpu=True, vendor="intel"),
        ClassFacts("hami-core-gpu.project-hami.io", _HAMI, is_gpu=True, vendor="nvidia", sharing="shared"),
        ClassFacts("tpu.google.com", _DRIVERS["tpu.google.com"], is_gpu=True, vendor="google"),
        *(
            ClassFacts(name, _DRIVERS[name], is_gpu=False, vendor="")
            for name in (
                "qat.intel.com",
                "npu.intel.com",
                "dra.net",
                "dra.cpu",
                "dra.memory",
                "sriovnetwork.k8snetworkplumbingwg.io",
            )
        ),
    )
}
_DRIVER_IN_CEL = r"""device\.driver\s*==\s*["']([a-z0-9.-]{1,253})["']"""
_LONGEST_SELECTOR = 10 << 10  # characters; kubernetes/api resource/v1: CELSelectorExpressionMaxLength


def known(name: str) -> ClassFacts | None:
    """Return the facts of a class by its name, None if no known driver ships it."""
    return _CLASSES.get(name)


def known_names() -> tuple[str, ...]:
    """Return the names of all classes of the table, GPU or not."""
    return tuple(_CLASSES)


def gpu_names() -> tuple[str, ...]:
    """Return the names of the classes that are known to give GPUs."""
    return tuple(name for name, facts in _CLASSES.items() if facts.is_gpu)


def driver(name: str) -> Driver | None:
    """Return a driver by its name, None for an unknown one."""
    return _DRIVERS.get(name)


def driver_names() -> tuple[str, ...]:
    """Return the names of all drivers of the table."""
    return tuple(_DRIVERS)


def of_object(device_class: Mapping[str, Any]) -> ClassFacts | None:
    """Return the facts of a DeviceClass object, None where it names neither a known driver nor a GPU.

    All selectors must match, so a single comparison of ``device.driver`` determines the driver.
    """
    name = as_str(as_dict(device_class.get("metadata")).get("name"))
    spec = as_dict(device_class.get("spec"))
    extended = as_str(spec.get("extendedResourceName"))
    gpu = resources.classify(extended) if extended else None
    shipped = _CLASSES.get(name)
    found = _driver_of(spec)
    if found is not None:
        like = shipped or gpu
        sharing = "exclusive" if like is None else like.sharing
        return ClassFacts(name, found, is_gpu=found.is_gpu, vendor=found.vendor, sharing=sharing, extended=extended)
    if gpu is not None:
        return ClassFacts(name, None, is_gpu=True, vendor=gpu.vendor, sharing=gpu.sharing, extended=extended)
    if shipped is None or extended == shipped.extended:
        return shipped
    return ClassFacts(
        name, shipped.driver, is_gpu=shipped.is_gpu, vendor=shipped.vendor, sharing=shipped.sharing, extended=extended
    )


def _driver_of(spec: Mapping[str, Any]) -> Driver | None:
    for _, selector in iter_dicts(spec.get("selectors")):
        expression = as_str(as_dict(selector.get("cel")).get("expression"))[:_LONGEST_SELECTOR]
        named = set(re.findall(_DRIVER_IN_CEL, expression)) if "device.driver" in expression else set()
        if len(named) == 1:
            return _DRIVERS.get(named.pop())
    return None


def resource(facts: ClassFacts, name: str) -> resources.Resource | None:
    """Return the resource that a class gives under a name; None where it is not a GPU."""
    if not facts.is_gpu:
        return None
    return resources.Resource(name, facts.vendor, resources.CLASS_SYSTEM, "device", facts.sharing)


def stated(name: str) -> ClassFacts:
    """Return the facts of a class that the policy declares to give GPUs."""
    shipped = _CLASSES.get(name)
    if shipped is not None and shipped.is_gpu:
        return shipped
    return ClassFacts(name, None, is_gpu=True, vendor=ANY_VENDOR)
