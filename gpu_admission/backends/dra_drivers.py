"""The DRA drivers of GPUs: the attributes and capacities by which claims request devices of each.

Read in November 2026 from kubernetes-sigs/dra-driver-nvidia-gpu (``cmd/gpu-kubelet-plugin``: deviceinfo.go,
consumable_shares.go; ``deployments/helm``: deviceclass-*.yaml), ROCm/k8s-gpu-dra-driver (docs/driver-attributes.md),
intel/intel-resource-drivers-for-kubernetes (cmd/kubelet-gpu-plugin/node_state.go) and Project-HAMi/k8s-dra-driver
(cmd/hami-kubelet-plugin/hami_core.go). The classes they ship are in ``workloads.device_classes``.
"""

from __future__ import annotations

from gpu_admission.workloads import device_classes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MIG_CLASS = "mig.nvidia.com"


class DraDriver:
    """A driver: ``name`` in policies, ``title`` in prose, ``vendor`` of the cards, ``device_class`` that it ships.

    ``domain`` is that of its attributes and capacities; ``memory`` is published by all of them. ``whole`` is the value
    of the attribute ``type`` that only whole cards of the class have (None where the class has nothing else).
    ``unique`` is an attribute that differs between the cards of a node, where the driver lets several claims share one.
    ``cores`` is the capacity that counts percents of compute (None: compute cannot be requested).
    """

    __slots__ = ("cores", "device_class", "domain", "name", "title", "unique", "vendor", "whole")

    def __init__(
        self,
        name: str,
        title: str,
        vendor: str,
        device_class: str,
        *,
        whole: str | None = None,
        unique: str | None = None,
        cores: str | None = None,
    ) -> None:
        self.name = name
        self.title = title
        self.vendor = vendor
        self.device_class = device_class
        self.domain = device_class
        self.whole = whole
        self.unique = unique
        self.cores = cores

    def attribute(self, name: str) -> str:
        """Return the CEL expression of an attribute."""
        return f"device.attributes['{self.domain}'].{name}"

    def capacity(self, name: str) -> str:
        """Return the CEL expression of a capacity."""
        return f"device.capacity['{self.domain}'].{name}"


NVIDIA = DraDriver("nvidia", "NVIDIA's DRA driver", "nvidia", "gpu.nvidia.com", unique="uuid")
HAMI = DraDriver("hami", "HAMi's DRA driver", "nvidia", "hami-core-gpu.project-hami.io", unique="uuid", cores="cores")
DRIVERS: dict[str, DraDriver] = {
    driver.name: driver
    for driver in (
        NVIDIA,
        DraDriver("amd", "AMD's DRA driver", "amd", "gpu.amd.com", whole="amdgpu"),
        DraDriver("intel", "Intel's DRA driver", "intel", "gpu.intel.com"),
        HAMI,
    )
}


def of_class(device_class: str) -> DraDriver | None:
    """Return the driver that ships a device class, None for an unknown class."""
    known = device_classes.known(device_class)
    return None if known is None or known.driver is None else of_domain(known.driver.name)


def of_domain(domain: str) -> DraDriver | None:
    """Return the driver of that name, which is the domain of its attributes; None for any other."""
    return next((driver for driver in DRIVERS.values() if driver.domain == domain), None)


def chosen(parameters: Mapping[str, Any]) -> DraDriver:
    """Return the driver of a policy's parameters: by its name, by its class, else NVIDIA's."""
    named, device_class = parameters.get("driver"), parameters.get("deviceClass")
    shipped_by = of_class(device_class) if device_class else None
    return DRIVERS[named] if named else shipped_by or NVIDIA
