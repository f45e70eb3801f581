"""The devices that resource claims hold, and the needs of claims that are not allocated yet."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.inventory.card import Holding
from gpu_admission.inventory.decoding import UnreadableError, amount
from gpu_admission.inventory.requests import Need
from gpu_admission.workloads import claims, device_classes

from . import dra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.workloads.claims import ClaimSpec, DeviceRequest
    from gpu_admission.workloads.device_classes import ClassFacts

    from .dra import Device, Place

_ADMIN = "admin access: it can use the device and reserves none of it"
_MOST_PROBLEMS = 20  # of one sort that are named
_MOST_CONSUMERS = 64  # pods of a shared claim that are named


class Claims:
    """The claims of a cluster, added to their devices one by one."""

    __slots__ = ("_allocated", "_classes", "_devices", "_waiting", "problems")

    def __init__(self, devices: Mapping[Place, Device]) -> None:
        self._devices = devices
        self._classes: dict[str, ClassFacts] = {}
        self._allocated: set[tuple[str, str]] = set()
        self._waiting: dict[tuple[str, str], tuple[Need, ...]] = {}
        self.problems: list[str] = []

    def add_class(self, raw: Mapping[str, Any]) -> None:
        """Take a DeviceClass; those come before claims."""
        facts = device_classes.of_object(raw)
        if facts is not None:
            self._classes[facts.name] = facts

    def resources_of(self, driver: str) -> frozenset[str]:
        """Return the extended resources by which a driver's devices can be requested."""
        own = [facts for facts in self._classes.values() if facts.driver is not None and facts.driver.name == driver]
        names = [f"{device_classes.EXTENDED_PREFIX}{facts.name}" for facts in own]
        return frozenset([*names, *[facts.extended for facts in own if facts.extended]])

    def add(self, raw: Mapping[str, Any]) -> None:
        """Take a ResourceClaim."""
        metadata = as_dict(raw.get("metadata"))
        key = (as_str(metadata.get("namespace")), as_str(metadata.get("name")))
        if as_dict(raw.get("status")).get("allocation"):
            self._allocated.add(key)
            self._allocate(raw, *key)
        else:
            self._waiting[key] = tuple(self._needs(claims.read_spec(raw)))

    def needs_of(self, pod: Mapping[str, Any]) -> tuple[list[Need], list[str]]:
        """Return the needs of a pod's unallocated claims, and the names of those that do not exist (yet)."""
        spec, status = as_dict(pod.get("spec")), as_dict(pod.get("status"))
        namespace = as_str(as_dict(pod.get("metadata")).get("namespace"))
        made = {
            as_str(each.get("name")): as_str(each.get("resourceClaimName"))
            for _, each in iter_dicts(status.get("resourceClaimStatuses"))
        }
        needs: list[Need] = []
        missing: list[str] = []
        for _, entry in iter_dicts(spec.get("resourceClaims")):
            name = as_str(entry.get("resourceClaimName")) or made.get(as_str(entry.get("name")), "")
            if (namespace, name) in self._waiting:
                needs += self._waiting[namespace, name]
            elif (namespace, name) not in self._allocated:
                template = as_str(entry.get("resourceClaimTemplateName"))
                missing.append(f"the claim {name}" if name else f"a claim of the template {template}")
        return needs, missing

    def _allocate(self, raw: Mapping[str, Any], namespace: str, name: str) -> None:
        reserved = iter_dicts(as_dict(raw.get("status")).get("reservedFor"))
        pods = [as_str(each.get("name")) for _, each in reserved if each.get("resource") == "pods"]
        for place, result in dra.results(raw):
            device = self._devices.get(place)
            if device is None:
                self._note_unknown(f"{namespace}/{name}", place)
                continue
            holders = tuple(pods[:_MOST_CONSUMERS])
            if result.get("adminAccess") is True:
                held = Holding(namespace, holders, 0, 0, claim=name, note=_ADMIN)
            else:
                memory, cores, note = _consumed(device, result)
                held = Holding(namespace, holders, 1, memory, cores, claim=name, note=note)
            device.card.holdings.append(held)

    def _note_unknown(self, claim: str, place: Place) -> None:
        if dra.is_gpu_driver(place[0]) and len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"claim {claim} is allocated {'/'.join(place)[:300]}, a device that no slice has")

    def _needs(self, spec: ClaimSpec) -> Iterator[Need]:
        for request in spec.requests:
            options = [need for each in request.each() if (need := self._need(each)) is not None]
            yield from options[:1]  # computed for the preferred alternative

    def _need(self, request: DeviceRequest) -> Need | None:
        facts = self._classes.get(request.class_name) or device_classes.known(request.class_name)
        if request.is_admin or (facts is not None and not facts.is_gpu):
            return None
        driver = facts.driver.name if facts is not None and facts.driver is not None else ""
        names = frozenset({f"driver/{driver}" if driver else f"class/{request.class_name}"})
        memory = None
        for key, value in request.capacity.items():
            if str(key).rpartition("/")[2] == "memory":
                memory = _amount(value)
        shown = f"{request.count or 'all'} of the device class {request.class_name}"
        return Need(names, shown, request.count or 1, memory)


def _amount(value: object) -> int | None:
    try:
        return amount(value, "")
    except UnreadableError:
        return None


def _consumed(device: Device, result: Mapping[str, Any]) -> tuple[int | None, int, str]:
    """Return the bytes and the percents that a claim has of a card, and a note about it."""
    consumed = result.get("consumedCapacity")
    try:
        memory, cores = dra.capacity(consumed, "memory"), dra.capacity(consumed, "cores") or 0
    except UnreadableError as error:
        return None, 0, f"unreadable: {error}"
    if memory is not None:
        return memory, cores, ""
    if device.part:
        return device.memory, cores, ""
    if device.card.shareable:
        return 0, cores, "it shares the device and reserves no memory of it"
    return None, cores, ""
