"""One request of a claim as a portable request, or why no other backend can express it."""

from __future__ import annotations

import re

from gpu_admission.core import quantity
from gpu_admission.core.raw import as_dict, escape, format_value
from gpu_admission.workloads.claims import ALL_DEVICES

from . import mig_shares
from .dra_drivers import of_domain
from .portable import SEVENTHS, GpuShare
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gpu_admission.workloads.claims import DeviceRequest
    from gpu_admission.workloads.device_classes import ClassFacts

    from .base import ClusterFacts
    from .dra_drivers import DraDriver

_DOMAIN = r"""\[\s*["']([a-z0-9.-]{1,253})["']\s*\]"""
_MEMORY = re.compile(
    rf"""device\.capacity{_DOMAIN}\.memory\.compareTo\(\s*quantity\(\s*["']([^"']{{1,40}})["']\s*\)\s*\)\s*>=\s*0"""
)
_EQUALS = re.compile(rf"""device\.attributes{_DOMAIN}\.(type|profile)\s*==\s*["']([\w.+-]{{1,40}})["']""", re.ASCII)
_LONGEST = 2048  # characters of a selector that is parsed: those that can be translated are short
_TYPES = frozenset({"gpu", "mig", "amdgpu", "hami-gpu"})
_KNOWN_KEYS = frozenset({"deviceClassName", "allocationMode", "count", "selectors", "capacity", "adminAccess"})
_OWN_SELECTOR = "a template that another backend can follow selects by memory or by MIG profile only"


class _Selected:
    """What the selectors of a request require: the least memory of the card, and a MIG profile."""

    __slots__ = ("memory", "profile")

    def __init__(self) -> None:
        self.memory: int | None = None
        self.profile = ""


def refused(reason: str, advice: str) -> RejectedRequestError:
    """Return the error for a claim of which a translation would lose something."""
    return RejectedRequestError.amount(UNTRANSLATABLE, reason, advice)


def share_of(
    request: DeviceRequest, classes: Sequence[ClassFacts], facts: ClusterFacts, sharing: Mapping[str, Any] | None
) -> tuple[GpuShare, str]:
    """Return one request of a claim as a portable request, and the vendor of its devices."""
    _require_plain(request)
    found, driver = _class_of(request, classes)
    selected = _select(request, driver)
    memory, cores = _amounts(request, driver)
    count = request.count or 1
    if found.sharing == "partition":
        return _partition(selected, count, facts), found.vendor
    if sharing is not None:
        return _shared(sharing, count), found.vendor
    if selected.memory is not None and memory is not None and selected.memory > memory:
        raise refused(
            "a share of a card that has to have more memory than the share",
            "leave the selector out: capacity.requests.memory is compared with what the card has",
        )
    return GpuShare(memory, count, cores, least=selected.memory if memory is None else None), found.vendor


def _class_of(request: DeviceRequest, classes: Sequence[ClassFacts]) -> tuple[ClassFacts, DraDriver]:
    found = next((each for each in classes if each.name == request.class_name), None)
    driver = of_domain(found.driver.name) if found is not None and found.driver is not None else None
    if found is None or driver is None or found.name.startswith("vfio"):
        raise refused(
            f"a device of the class {format_value(request.class_name)}, which no other backend allocates",
            "keep the claim; translate classes of NVIDIA's, AMD's, Intel's or HAMi's DRA driver",
        )
    return found, driver


def _require_plain(request: DeviceRequest) -> None:
    """Raise RejectedRequestError for what only a claim can express."""
    name = format_value(request.name)
    if request.mode == ALL_DEVICES:
        raise refused(
            f"the request {name} for all devices of a node (allocationMode: All)", "request a number of devices (count)"
        )
    if request.is_admin:
        raise refused(
            f"the request {name} with adminAccess, which reserves nothing", "keep the claim: nothing else gives access"
        )
    if request.count is None or request.count < 1:
        raise refused(f"the request {name} for no whole number of devices", "write a count of 1 or more")
    unread = sorted(str(key) for key in request.raw if key not in _KNOWN_KEYS and key != "name")
    if unread:
        raise refused(
            f"the request {name} with {escape(', '.join(unread)[:80])}, which no other backend can express",
            "leave that out of the template, if the pod can do without it",
        )


def _select(request: DeviceRequest, driver: DraDriver) -> _Selected:
    """Return what the selectors require. Raises RejectedRequestError for what is not fully understood."""
    selected = _Selected()
    for _, expression in request.selectors():
        for part in expression.split("&&") if len(expression) <= _LONGEST else [expression]:
            if not _understood(part.strip(), driver, selected):
                raise refused(
                    f"a device selected by {format_value(expression)}, which no other backend can select by",
                    _OWN_SELECTOR,
                )
    return selected


def _understood(part: str, driver: DraDriver, selected: _Selected) -> bool:
    """Add one condition of a selector; return whether it was understood."""
    memory = _MEMORY.fullmatch(part) if len(part) <= _LONGEST else None
    if memory and memory[1] == driver.domain:
        wanted = _bytes(memory[2])
        selected.memory = max(selected.memory or 0, wanted) if wanted is not None else None
        return wanted is not None
    equals = _EQUALS.fullmatch(part) if len(part) <= _LONGEST else None
    if equals is None or equals[1] != driver.domain:
        return False
    if equals[2] == "type":
        return equals[3] in _TYPES
    fits = selected.profile in {"", equals[3]}
    selected.profile = equals[3]
    return fits


def _amounts(request: DeviceRequest, driver: DraDriver) -> tuple[int | None, int | None]:
    """Return the memory in bytes and the compute in sevenths of a percent that are requested of each device."""
    memory = cores = None
    for name, raw in request.capacity.items():
        if name in {"memory", f"{driver.domain}/memory"}:
            memory = _bytes(raw)
        elif driver.cores and name in {driver.cores, f"{driver.domain}/{driver.cores}"}:
            percent = _bytes(raw)
            cores = percent * SEVENTHS if percent else None
        else:
            raise refused(
                f"a claim of {escape(str(name)[:63])}, a capacity that no other backend counts",
                "request memory (capacity.requests.memory)",
            )
        if _bytes(raw) is None:
            raise refused(
                f"a claim of {format_value(raw)} {escape(str(name)[:63])}, which is not an amount above zero",
                "write an amount, such as memory: 8Gi",
            )
    return memory, cores


def _bytes(raw: object) -> int | None:
    """Return an amount above zero as a whole number, None for anything else."""
    try:
        amount = quantity.parse(raw).ceil()
    except quantity.QuantityError:
        return None
    return amount if amount > 0 else None


def _partition(selected: _Selected, count: int, facts: ClusterFacts) -> GpuShare:
    if not selected.profile:
        raise refused(
            "a MIG device of any profile, and other backends have to know how large it is",
            "select a profile: device.attributes['gpu.nvidia.com'].profile == '1g.10gb'",
        )
    return mig_shares.share_of(selected.profile, count, facts)


def _shared(sharing: Mapping[str, Any], count: int) -> GpuShare:
    """Return the request of each user of a device that the driver shares by the claim's configuration."""
    limits = as_dict(sharing.get("mpsConfig"))
    if "defaultPerDevicePinnedMemoryLimit" in limits:
        raise refused(
            "a device with limits of memory by device, and no other backend distinguishes devices", _OWN_SELECTOR
        )
    memory = _bytes(limits.get("defaultPinnedDeviceMemoryLimit")) if limits else None
    percent = limits.get("defaultActiveThreadPercentage")
    cores = percent * SEVENTHS if isinstance(percent, int) and not isinstance(percent, bool) and percent > 0 else None
    return GpuShare(memory, count, cores, share=memory is None)
