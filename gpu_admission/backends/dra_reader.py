"""What a container requests by claims whose template is seen: the portable request, or why nothing else can say it.

A claim says more than other backends have words for (constraints, alternatives, selectors of any kind): whatever is not
understood to the last word is refused, because a translation would drop it.
"""

from __future__ import annotations

import re

from gpu_admission.core import quantity
from gpu_admission.core.raw import as_dict, as_str, escape, format_value, iter_dicts
from gpu_admission.workloads.claim_index import TEMPLATE
from gpu_admission.workloads.claims import ALL_DEVICES

from . import mig_shares
from .dra_devices import MOST_CLAIMS, MOST_DEVICES
from .dra_drivers import NVIDIA, of_domain
from .portable import SEVENTHS, GpuShare
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from gpu_admission.workloads.claims import ClaimReference, DeviceRequest, PodClaim
    from gpu_admission.workloads.device_classes import ClassFacts

    from .base import ClusterFacts
    from .dra_drivers import DraDriver
    from .native_request import NativeRequest

_DOMAIN = r"""\[\s*["']([a-z0-9.-]{1,253})["']\s*\]"""
_MEMORY = re.compile(
    rf"""device\.capacity{_DOMAIN}\.memory\.compareTo\(\s*quantity\(\s*["']([^"']{{1,40}})["']\s*\)\s*\)\s*>=\s*0"""
)
_EQUALS = re.compile(rf"""device\.attributes{_DOMAIN}\.(type|profile)\s*==\s*["']([\w.+-]{{1,40}})["']""", re.ASCII)
_LONGEST = 2048  # characters of a selector that is looked at: those that can be carried are short
_TYPES = frozenset({"gpu", "mig", "amdgpu", "hami-gpu"})
_KNOWN_KEYS = frozenset({"deviceClassName", "allocationMode", "count", "selectors", "capacity", "adminAccess"})
_OWN_SELECTOR = "a template that another backend can follow selects by memory or by MIG profile only"


class _Selected:
    """What the selectors of a request say: the least memory of the card, and a MIG profile."""

    __slots__ = ("memory", "profile")

    def __init__(self) -> None:
        self.memory: int | None = None
        self.profile = ""


def read(native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
    """Return what a container requests by claims, or in the names of device classes.

    Raises RejectedRequestError where nothing else can say it.
    """
    if not native_request.claims:
        return _of_classes(native_request)
    if len(native_request.claims) > MOST_CLAIMS:
        raise _refused(
            f"{len(native_request.claims)} claims, and no node has as many GPUs", f"use {MOST_CLAIMS} at most"
        )
    shares = [share for reference in native_request.claims for share in _of_reference(reference, native_request, facts)]
    first = shares[0]
    if any(share != first for share in shares):
        raise _refused("several requests that differ", "give each container devices of one kind")
    first.count = sum(share.count for share in shares)
    return first


def _of_classes(native_request: NativeRequest) -> GpuShare:
    """Return a number of whole devices, each of some class: Kubernetes makes a claim for them."""
    if any(gpu.resource.sharing == "partition" for gpu in native_request.gpus.values()):
        raise _refused(
            "a MIG device of any profile, and other backends have to know how large it is",
            "request a profile by its name (nvidia.com/mig-1g.10gb: 1)",
        )
    return GpuShare(
        None, sum(native_request.amount(name) or 0 for name in native_request.gpus), consumed=native_request.gpus
    )


def _used(reference: ClaimReference) -> Iterator[DeviceRequest]:
    """Yield the requests of a claim that a container uses: the one that it names, or all."""
    spec = _claim(reference).spec
    for request in spec.requests if spec is not None else ():
        if not reference.request or reference.request.partition("/")[0] == request.name:
            yield request


def _claim(reference: ClaimReference) -> PodClaim:
    assert reference.claim is not None  # noqa: S101 - for mypy: a reference to nothing is no GPU's
    return reference.claim


def _refused(reason: str, advice: str) -> RejectedRequestError:
    return RejectedRequestError.amount(UNTRANSLATABLE, reason, advice)


def _of_reference(reference: ClaimReference, native_request: NativeRequest, facts: ClusterFacts) -> list[GpuShare]:
    claim = _claim(reference)
    if claim.source != TEMPLATE:
        raise _refused(
            "a ResourceClaim, which everybody who names it shares, and no other backend shares requests",
            "make a ResourceClaimTemplate of it, if each pod is to have its own",
        )
    if claim.spec is None:
        raise _refused(
            f"a claim of the ResourceClaimTemplate {escape(claim.source_name[:63])}, which is not among the inputs",
            "name the file with the template, too",
        )
    if len(claim.spec.requests) > MOST_DEVICES:
        raise _refused(
            f"a claim with {len(claim.spec.requests)} requests, and Kubernetes takes at most {MOST_DEVICES}",
            "give the template fewer requests",
        )
    used = list(_used(reference))
    if not used:
        raise _refused(
            "a request that the claim does not have", "name a request of the template, or none for all of them"
        )
    devices = as_dict(claim.spec.raw.get("devices"))
    _require_no_ties(devices, used)
    sharing = _sharing(devices, used)
    if native_request.sharer is not None and sharing is None:
        raise _refused(
            f"a claim that {native_request.sharer.label} uses too, and no other backend gives two containers one share",
            "give each container a claim of its own",
        )
    return [_share(request, claim.classes, facts, sharing) for request in used]


def _share(
    request: DeviceRequest, classes: Sequence[ClassFacts], facts: ClusterFacts, sharing: Mapping[str, Any] | None
) -> GpuShare:
    """Return what one request of a claim asks the driver to allocate."""
    _require_plain(request)
    found = next((each for each in classes if each.name == request.class_name), None)
    driver = of_domain(found.driver.name) if found is not None and found.driver is not None else None
    if found is None or driver is None or found.name.startswith("vfio"):
        raise _refused(
            f"a device of the class {format_value(request.class_name)}, which no other backend allocates",
            "keep the claim; translate classes of NVIDIA's, AMD's, Intel's or HAMi's DRA driver",
        )
    selected = _select(request, driver)
    memory, cores = _amounts(request, driver)
    count = request.count or 1
    if found.sharing == "partition":
        return _partition(selected, count, facts)
    if sharing is not None:
        return _shared(sharing, count)
    if selected.memory is not None and memory is not None and selected.memory > memory:
        raise _refused(
            "a share of a card that has to have more memory than the share",
            "leave the selector out: capacity.requests.memory is compared with what the card has",
        )
    return GpuShare(memory, count, cores, least=selected.memory if memory is None else None)


def _require_plain(request: DeviceRequest) -> None:
    """Raise RejectedRequestError for what only a claim can say of devices."""
    name = format_value(request.name)
    if request.alternatives:
        raise _refused(
            f"the request {name}, which is met by one of several alternatives (firstAvailable)",
            "keep the one alternative that this cluster has",
        )
    if request.mode == ALL_DEVICES:
        raise _refused(
            f"the request {name} for all devices of a node (allocationMode: All)", "request a number of devices (count)"
        )
    if request.is_admin:
        raise _refused(
            f"the request {name} with adminAccess, which reserves nothing", "keep the claim: nothing else gives access"
        )
    if request.count is None or request.count < 1:
        raise _refused(f"the request {name} for no whole number of devices", "write a count of 1 or more")
    unread = sorted(str(key) for key in request.raw if key not in _KNOWN_KEYS and key != "name")
    if unread:
        raise _refused(
            f"the request {name} with {escape(', '.join(unread)[:80])}, which no other backend can express",
            "leave that out of the template, if the pod can do without it",
        )


def _require_no_ties(devices: Mapping[str, Any], used: Sequence[DeviceRequest]) -> None:
    """Raise RejectedRequestError for constraints between devices; that they differ every other backend sees to."""
    several = len(used) > 1 or any((request.count or 1) > 1 for request in used)
    for _, constraint in iter_dicts(devices.get("constraints")):
        if several and constraint.get("distinctAttribute") is None:
            what = format_value(as_str(constraint.get("matchAttribute")) or "something")
            raise _refused(
                f"several devices with the same {what}, and no other backend chooses devices that belong together",
                "leave the constraint out, if the pod can do without it",
            )


def _select(request: DeviceRequest, driver: DraDriver) -> _Selected:
    """Return what the selectors say. Raises RejectedRequestError for what is not understood to the last word."""
    selected = _Selected()
    for _, expression in request.selectors():
        for part in expression.split("&&") if len(expression) <= _LONGEST else [expression]:
            if not _understood(part.strip(), driver, selected):
                raise _refused(
                    f"a device selected by {format_value(expression)}, which no other backend can select by",
                    _OWN_SELECTOR,
                )
    return selected


def _understood(part: str, driver: DraDriver, selected: _Selected) -> bool:
    """Take one condition of a selector in; tell whether it was understood."""
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
    """Return the memory in bytes and the compute in sevenths of a percent that are asked of each device."""
    memory = cores = None
    for name, raw in request.capacity.items():
        if name in {"memory", f"{driver.domain}/memory"}:
            memory = _bytes(raw)
        elif driver.cores and name in {driver.cores, f"{driver.domain}/{driver.cores}"}:
            percent = _bytes(raw)
            cores = percent * SEVENTHS if percent else None
        else:
            raise _refused(
                f"a claim of {escape(str(name)[:63])}, a capacity that no other backend counts",
                "request memory (capacity.requests.memory)",
            )
        if _bytes(raw) is None:
            raise _refused(
                f"a claim of {format_value(raw)} {escape(str(name)[:63])}, which is not an amount above zero",
                "write an amount, such as memory: 8Gi",
            )
    return memory, cores


def _bytes(raw: object) -> int | None:
    """Return an amount of more than zero as a whole number, None for anything else."""
    try:
        amount = quantity.parse(raw).ceil()
    except quantity.QuantityError:
        return None
    return amount if amount > 0 else None


def _partition(selected: _Selected, count: int, facts: ClusterFacts) -> GpuShare:
    if not selected.profile:
        raise _refused(
            "a MIG device of any profile, and other backends have to know how large it is",
            "select a profile: device.attributes['gpu.nvidia.com'].profile == '1g.10gb'",
        )
    return mig_shares.share_of(selected.profile, count, facts)


def _sharing(devices: Mapping[str, Any], used: Sequence[DeviceRequest]) -> Mapping[str, Any] | None:
    """Return how NVIDIA's driver is told to share the devices; None where it is told nothing."""
    names = {request.name for request in used}
    found: Mapping[str, Any] | None = None
    for _, config in iter_dicts(devices.get("config")):
        meant = config.get("requests")
        if isinstance(meant, list) and meant and names.isdisjoint(str(name).partition("/")[0] for name in meant):
            continue
        opaque = as_dict(config.get("opaque"))
        parameters = as_dict(opaque.get("parameters"))
        found = as_dict(parameters.get("sharing"))
        if opaque.get("driver") != NVIDIA.domain or found.get("strategy") not in {"TimeSlicing", "MPS"}:
            raise _refused(
                f"a device configured for the driver {format_value(opaque.get('driver'))}, which no other backend does",
                "leave the configuration out of the template, if the pod can do without it",
            )
    return found


def _shared(sharing: Mapping[str, Any], count: int) -> GpuShare:
    """Return what each user of a device is given that a claim has the driver share."""
    limits = as_dict(sharing.get("mpsConfig"))
    if "defaultPerDevicePinnedMemoryLimit" in limits:
        raise _refused(
            "a device with limits of memory by device, and no other backend tells devices apart", _OWN_SELECTOR
        )
    memory = _bytes(limits.get("defaultPinnedDeviceMemoryLimit")) if limits else None
    percent = limits.get("defaultActiveThreadPercentage")
    cores = percent * SEVENTHS if isinstance(percent, int) and not isinstance(percent, bool) and percent > 0 else None
    return GpuShare(memory, count, cores, share=memory is None)
