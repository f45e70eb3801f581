"""Dynamic resource allocation: devices are in slices, their holders in the status of claims.

Sources: kubernetes/api resource/v1 (ResourceSlice, ResourceClaim; KEP-5075 consumable capacity, KEP-4815 partitionable
devices); kubernetes-sigs/dra-driver-nvidia-gpu cmd/gpu-kubelet-plugin (what is published), Project-HAMi/HAMi-DRA.

A slice (``spec.driver``, ``pool.name``, ``pool.generation``, ``nodeName``) lists devices with ``attributes`` and
``capacity`` (``memory``; of v1beta1 both under ``basic``). ``allowMultipleAllocations`` lets several claims have parts
of one; devices that ``consumesCounters`` of one counter set are partitions of one card. A claim's
``status.allocation.devices.results`` name driver, pool and device, with ``consumedCapacity`` where it has a part;
``status.reservedFor`` names the pods. Claims made for extended resources (KEP-5004) are claims like any other.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError, amount, named
from gpu_admission.inventory.model import DEVICES, IN_GIB, Pool
from gpu_admission.workloads import device_classes

from .base import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

    Place = tuple[str, str, str]  # driver, pool, device

NOWHERE = "(several nodes)"
_MOST_COUNT = 2**40  # of compute units and the like
_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


class DraReader(Reader):
    """Devices of slices; the holdings of pods are in claims, not in the pods."""

    backends = ("dra",)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return nothing: `Slices.pools` makes them, for all nodes at once."""
        del node, parameters
        return []

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """Return False: claims name the pods."""
        del pool, pod
        return False


class Device:
    """A device of a slice: its card, and how many bytes of that it takes."""

    __slots__ = ("card", "memory", "part")

    def __init__(self, card: Card, memory: int | None, *, part: bool) -> None:
        self.card = card
        self.memory = memory
        self.part = part


class Slices:
    """All slices of GPU drivers, page by page; only the newest generation of a pool counts."""

    __slots__ = ("_devices", "_generations", "_sets", "_skipped", "problems")

    def __init__(self) -> None:
        self._generations: dict[tuple[str, str], int] = {}
        self._devices: dict[tuple[str, str], list[tuple[str, Mapping[str, Any]]]] = {}
        self._sets: dict[tuple[str, str, str], int] = {}
        self.problems: list[str] = []

    def add(self, raw: Mapping[str, Any]) -> None:
        """Take a ResourceSlice."""
        spec = as_dict(raw.get("spec"))
        driver, pool = as_str(spec.get("driver")), as_dict(spec.get("pool"))
        if not is_gpu_driver(driver):
            return
        key = (driver, as_str(pool.get("name")))
        generation = pool.get("generation")
        generation = generation if type(generation) is int else 0
        if generation < self._generations.get(key, generation):
            return
        if generation > self._generations.get(key, -1):
            self._generations[key] = generation
            self._devices[key] = []
        node = as_str(spec.get("nodeName"))
        for _, device in iter_dicts(spec.get("devices")):
            self._devices[key].append((as_str(device.get("nodeName")) or node or NOWHERE, _reduced(device)))
        for _, shared in iter_dicts(spec.get("sharedCounters")):
            memory = _counter(shared.get("counters"))
            if memory is not None:
                self._sets[(*key, as_str(shared.get("name")))] = memory

    def pools(self) -> tuple[dict[str, list[Pool]], dict[Place, Device]]:
        """Return the pools of each node, and the location of every device of a claim's status."""
        by_node: dict[tuple[str, str], Pool] = {}
        places: dict[Place, Device] = {}
        for (driver, pool_name), devices in sorted(self._devices.items()):
            for node, device in devices:
                pool = by_node.get((node, driver))
                if pool is None:
                    pool = by_node[node, driver] = Pool(
                        "dra", driver, "count", 0, names=frozenset({f"driver/{driver}"})
                    )
                    pool.reader = READER
                place = (driver, pool_name, as_str(device["name"]))
                try:
                    places[place] = self._device(pool, place, device, own=pool_name == node)
                except UnreadableError as error:
                    pool.cards.append(Card(as_str(device["name"]) or f"#{len(pool.cards)}", problem=str(error)))
        found: dict[str, list[Pool]] = {}
        for (node, _), pool in by_node.items():
            _measure(pool)
            found.setdefault(node, []).append(pool)
        return found, places

    def _device(self, pool: Pool, place: Place, device: Mapping[str, Any], *, own: bool) -> Device:
        driver, pool_name, name = place
        memory = capacity(device["capacity"], "memory")
        counters = next((each for _, each in iter_dicts(device["consumesCounters"])), None)
        prefix = "" if own else f"{pool_name}/"
        if counters is None:
            card = _card(prefix + named(name, "the device's name"), device, memory)
            pool.cards.append(card)
            return Device(card, memory, part=False)
        group = as_str(counters.get("counterSet"))
        own_memory = memory if memory is not None else _counter(counters.get("counters"))
        card_ = pool.card(f"{prefix}{group}")
        if card_ is None:
            card_ = _card(f"{prefix}{group}", device, self._sets.get((driver, pool_name, group), own_memory))
            card_.shareable = True
            pool.cards.append(card_)
        if card_.memory is None or (own_memory or 0) > card_.memory:
            card_.memory = own_memory
        return Device(card_, own_memory, part=True)


def is_gpu_driver(name: str) -> bool:
    """Return whether a driver's devices are GPUs: a known driver, or one with such a name (``gpu.example.com``)."""
    known = device_classes.driver(name)
    return known.is_gpu if known is not None else name.startswith("gpu.") or "-gpu." in name


def capacity(values: Any, word: str) -> int | None:
    """Return one of a device's capacities, or of those that a claim consumes, under any domain.

    Raises UnreadableError.
    """
    for key, value in as_dict(values).items():
        if key.rpartition("/")[2] == word:
            found = value.get("value") if isinstance(value, dict) else value
            return amount(found, f"the device's {word}")
    return None


def _counter(values: Any) -> int | None:
    try:
        return capacity(values, "memory")
    except UnreadableError:
        return None


def _reduced(device: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a device's fields, of any version of the API."""
    body = as_dict(device.get("basic")) or device
    attributes = {key.rpartition("/")[2]: value for key, value in as_dict(body.get("attributes")).items()}
    wanted = ("productName", "model", "uuid", "index", "cardIndex", "minor", "type", "profile")
    return {
        "name": device.get("name"),
        "capacity": body.get("capacity"),
        "consumesCounters": body.get("consumesCounters"),
        "several": body.get("allowMultipleAllocations") is True,
        "tainted": any([each.get("effect") in _KEEPS_AWAY for _, each in iter_dicts(body.get("taints"))]),
        "attributes": {key: as_dict(attributes[key]) for key in wanted if key in attributes},
    }


def _card(key: str, device: Mapping[str, Any], memory: int | None) -> Card:
    attributes = device["attributes"]
    texts = [as_str(as_dict(attributes.get(name)).get("string")) for name in ("productName", "model", "type")]
    numbers = [as_dict(attributes.get(name)).get("int") for name in ("index", "cardIndex", "minor")]
    index = next((each for each in numbers if type(each) is int and 0 <= each < 1024), None)
    card = Card(key, index, memory=memory, shareable=device["several"], healthy=not device["tainted"])
    cores = capacity(device["capacity"], "cores")
    card.cores = cores if cores is not None and cores <= _MOST_COUNT else None
    card.model = next(filter(None, texts), "")[:100]
    card.uuid = as_str(as_dict(attributes.get("uuid")).get("string"))[:100]
    return card


def _measure(pool: Pool) -> None:
    """Count memory where cards are allocated in parts and all of them publish their memory; else devices."""
    usable = [card for card in pool.cards if card.usable]
    pool.model = next((card.model for card in usable if card.model), "")
    pool.unavailable = len(pool.cards) - len(usable)
    if usable and any([card.shareable for card in usable]) and all([card.memory is not None for card in usable]):
        pool.measure, pool.unit = "memory", IN_GIB
        pool.total = sum([card.memory or 0 for card in usable])
    else:
        pool.measure, pool.unit, pool.total = "count", DEVICES, len(usable)


def results(claim: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the devices allocated to a claim."""
    allocation = as_dict(as_dict(claim.get("status")).get("allocation"))
    for _, result in iter_dicts(as_dict(allocation.get("devices")).get("results")):
        yield (as_str(result.get("driver")), as_str(result.get("pool")), as_str(result.get("device"))), result


READER = DraReader()
