"""The cards of other vendors under HAMi: their resource names and units, and what HAMi refuses.

Sources: Project-HAMi/HAMi pkg/device/{ascend,hygon,cambricon,iluvatar,metax,mthreads,enflame,kunlun,amd}/device.go (and
metax/sdevice.go) and charts/hami/templates/scheduler/device-configmap.yaml, September 2026. Names and units can be
configured there; these are the defaults. AWS Neuron's names are those of AWS' own device plugin, so they are HAMi's
only under its own policy (``NEURON``, ``check_neuron``; pkg/device/awsneuron/device.go).
"""

from __future__ import annotations

import re

from gpu_admission.core.quantity import GIB, MIB

from .amount_checks import suspicious
from .base import ClusterFacts
from .portable import listed
from .rejection import PERCENT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_admission.workloads.container import GpuRequest

    from .native_request import NativeRequest

PREFIX = "hami-"  # of the systems whose names these are


class Vendor:
    """One vendor's names, as expressions for the part behind the domain.

    ``unit`` is how many bytes ``memory`` counts (0: not known), ``most`` the ``cores`` of a card. ``needs_count`` means
    that HAMi ignores amounts without a number of cards; ``multiplies`` that its webhook writes the amounts of all cards
    together where there are several. ``slices`` are the permitted amounts of memory (empty: all).
    """

    def __init__(
        self,
        title: str,
        domain: str,
        count: str,
        *,
        memory: str = r"(?!)",
        cores: str = r"(?!)",
        unit: int = 0,
        most: int = 100,
        least: int = 0,
        only: str = "",
        needs_count: bool = True,
        multiplies: bool = False,
        slices: tuple[int, ...] = (),
    ) -> None:
        self.title, self.domain = title, domain
        self.count, self.memory, self.cores = map(re.compile, (count, memory, cores))
        self.only = re.compile(only or r"(?!)")
        self.unit, self.most, self.least = unit, most, least
        self.needs_count, self.multiplies, self.slices = needs_count, multiplies, slices

    def is_hamis(self, name: str) -> bool:
        """Return whether only HAMi reads a name."""
        rest = name.partition("/")[2]
        return any(pattern.fullmatch(rest) for pattern in (self.memory, self.cores, self.only))


VENDORS: dict[str, Vendor] = {
    "ascend": Vendor(
        "Ascend",
        "huawei.com",
        r"Ascend\w+(-\d)?",
        memory=r"Ascend\w+(-\d)?-memory",
        cores=r"Ascend\w+(-\d)?-core",
        unit=MIB,
    ),
    "hygon": Vendor("DCU", "hygon.com", "dcunum", memory="dcumem", cores="dcucores", unit=MIB, only="dcunum"),
    "cambricon": Vendor(
        "MLU",
        "cambricon.com",
        "v?mlu",
        memory=r"mlu\.smlu\.vmemory",
        cores=r"mlu\.smlu\.vcore",
        unit=256 * MIB,
        needs_count=False,
    ),
    "iluvatar": Vendor(
        "Iluvatar",
        "iluvatar.ai",
        r"([\w-]+-)?vgpu",
        memory=r"vcuda-memory|[\w-]+\.vMem",
        cores=r"vcuda-core|[\w-]+\.vCore",
        unit=256 * MIB,
        multiplies=True,
    ),
    "metax": Vendor("MetaX", "metax-tech.com", "sgpu", memory="vmemory", cores="vcore", unit=GIB, only="sgpu"),
    "mthreads": Vendor(
        "Moore Threads",
        "mthreads.com",
        "vgpu",
        memory="sgpu-memory",
        cores="sgpu-core",
        unit=512 * MIB,
        most=16,
        multiplies=True,
        slices=(2, 4, 8, 16, 32, 64, 96),
    ),
    "enflame": Vendor("Enflame", "enflame.com", "v?gcu|drs-gcu", cores="vgcu-percentage", needs_count=False),
    "kunlunxin": Vendor("Kunlunxin", "kunlunxin.com", "vxpu", memory="vxpu-memory", unit=MIB),
    "amd": Vendor("AMD", "amd.com", "gpu", memory="gpumem", cores="gpucores", unit=MIB, least=1),
}
NEURON = "neuron"  # the system of AWS' names
_NEURON_DEVICES, _NEURON_CORES = "aws.amazon.com/neuron", "aws.amazon.com/neuroncore"
_CORES_PER_DEVICE = 2  # of a Neuron device, which HAMi can allocate one by one
SYSTEMS = frozenset(PREFIX + name for name in VENDORS)
_BY_DOMAIN = {vendor.domain: PREFIX + name for name, vendor in VENDORS.items()}
# Of each Ascend chip the MiB of its largest template, and of all of it; anything between them takes all of it.
_CHIPS = {
    "Ascend910A": (17476, 32768),
    "Ascend910B2": (32768, 65536),
    "Ascend910B3": (32768, 65536),
    "Ascend910B4-1": (32768, 65536),
    "Ascend910B4": (16384, 32768),
    "Ascend310P": (12288, 24576),
    "Ascend910C": (32768, 65536),
}


def of(system: str) -> Vendor | None:
    """Return the vendor whose cards a system's names request, None where it is not in this module."""
    return VENDORS[system.removeprefix(PREFIX)] if system in SYSTEMS else None


def gathered(gpus: Mapping[str, GpuRequest]) -> dict[str, dict[str, GpuRequest]]:
    """Return system -> requests of a container in names of HAMi's for other vendors' cards, where there are any."""
    found: dict[str, dict[str, GpuRequest]] = {}
    for name, gpu in gpus.items():
        system = _BY_DOMAIN.get(name.partition("/")[0])
        if system is not None:
            found.setdefault(system, {})[name] = gpu
    return {
        system: its for system, its in found.items() if any(map(VENDORS[system.removeprefix(PREFIX)].is_hamis, its))
    }


def count(native_request: NativeRequest, vendor: Vendor) -> int | None:
    """Return how many cards are requested; None where no name counts them."""
    names = [name for name in native_request.gpus if vendor.count.fullmatch(name.partition("/")[2])]
    return max((native_request.amount(name) or 0 for name in names), default=None)


def check_amounts(native_request: NativeRequest, vendor: Vendor) -> Iterator[RejectedRequestError]:
    """Yield what HAMi drops or refuses of one container's amounts."""
    cards = count(native_request, vendor)
    if cards is None and vendor.needs_count and native_request.wants_gpu:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            (f"and HAMi ignores amounts of {vendor.title} cards without their number", ": the container gets none"),
            f"write the number of cards besides, such as {_example(native_request, vendor)}: 1",
        )
    most = vendor.most * (max(cards or 1, 1) if vendor.multiplies else 1)
    for name, gpu in native_request.gpus.items():
        amount, rest = gpu.quantity(), name.partition("/")[2]
        if amount is None or amount.is_negative or not amount.is_integer:
            continue
        if vendor.cores.fullmatch(rest) and not vendor.least <= amount.ceil() <= most:
            several = f", and {most} that of {cards} cards" if most != vendor.most else ""
            reason = f"and {name} is {amount.ceil()}: {vendor.most} is all of a card's compute{several}"
            yield RejectedRequestError(PERCENT, reason, f"write {name} as a number from 1 to {most}", about=name)
        elif vendor.memory.fullmatch(rest) and not amount.is_zero:
            yield from _memory(native_request, vendor, name, cards or 1)
    yield from _pairs(native_request, vendor)


def _memory(native_request: NativeRequest, vendor: Vendor, name: str, cards: int) -> Iterator[RejectedRequestError]:
    value = native_request.amount(name) or 0
    if vendor.unit == GIB and any(letter.isalpha() for letter in str(native_request.gpus[name].limit)):
        return  # MetaX: an amount with a suffix is one of bytes
    doubts = list(suspicious(native_request, name, vendor.unit, ClusterFacts(), slices=vendor.slices))
    yield from doubts
    if doubts:
        return
    if vendor.slices and cards == 1 and value not in vendor.slices:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            (
                f"and HAMi's webhook refuses {name}: {value}",
                f": it is not one of the slice sizes, of {vendor.unit // MIB} MiB each",
            ),
            f"write {name} as {listed([str(each) for each in vendor.slices])}".replace(" and ", " or "),
            about=name,
        )
    yield from _chip_memory(name, value, cards)


def _chip_memory(name: str, value: int, cards: int) -> Iterator[RejectedRequestError]:
    """Yield amounts of an Ascend chip's memory that HAMi's webhook refuses."""
    largest, capacity = _CHIPS.get(name.partition("/")[2].removesuffix("-memory"), (0, 0))
    if capacity and value > capacity:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            f"and the card of {name} has {capacity} MiB: HAMi's webhook refuses more",
            f"write {name}: {capacity} at most",
            about=name,
        )
    elif cards > 1 and value <= largest:
        yield RejectedRequestError.amount(
            UNTRANSLATABLE,
            (
                f"{cards} cards with a part of the memory of each",
                ", and HAMi cuts a slice from one card only: its webhook refuses the pod",
            ),
            ("request one card", f", or leave {name} out to take all of each"),
            about=name,
        )


def check_neuron(native_request: NativeRequest) -> Iterator[RejectedRequestError]:
    """Yield what HAMi's webhook refuses of AWS Neuron's names, or ignores."""
    devices, cores = native_request.amount(_NEURON_DEVICES), native_request.amount(_NEURON_CORES)
    if devices and cores:
        yield RejectedRequestError.amount(
            UNTRANSLATABLE,
            (
                "devices and cores in one container",
                f", and HAMi gives whole devices and does not read {_NEURON_CORES}",
            ),
            (f"write {_NEURON_DEVICES} for whole devices", f", or {_NEURON_CORES} for cores"),
        )
    elif cores and cores > 1 and cores % _CORES_PER_DEVICE:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            (
                f"and HAMi's webhook refuses {_NEURON_CORES}: {cores}",
                f": of several devices it only allocates whole ones, of {_CORES_PER_DEVICE} cores",
            ),
            f"write {_NEURON_CORES}: {cores + 1}",
            about=_NEURON_CORES,
        )


def _pairs(native_request: NativeRequest, vendor: Vendor) -> Iterator[RejectedRequestError]:
    """Yield odd numbers of Ascend 910C: two of them are one module, and one is rounded up to it."""
    name = "huawei.com/Ascend910C"
    amount = native_request.amount(name) if vendor.domain == "huawei.com" else None
    if amount is not None and amount > 1 and amount % 2:
        yield RejectedRequestError(
            UNTRANSLATABLE,
            (
                f"and {name}: {amount} is an odd number",
                ": two of them are one module, and HAMi's webhook refuses the pod",
            ),
            f"write {name}: {amount + 1}",
            about=name,
        )


def _example(native_request: NativeRequest, vendor: Vendor) -> str:
    name = next(iter(native_request.gpus))
    for end in ("-memory", "-core"):
        if vendor.domain == "huawei.com" and name.endswith(end):
            return name.removesuffix(end)
    for end in (".vMem", ".vCore"):
        if name.endswith(end):
            return name.removesuffix(end) + "-vgpu"
    return {
        "hygon.com": "hygon.com/dcunum",
        "iluvatar.ai": "iluvatar.ai/vgpu",
        "metax-tech.com": "metax-tech.com/sgpu",
        "mthreads.com": "mthreads.com/vgpu",
        "kunlunxin.com": "kunlunxin.com/vxpu",
    }.get(vendor.domain, f"{vendor.domain}/gpu")
