"""The GPU requests of a container, by the system whose names they use."""

from __future__ import annotations

from gpu_admission.core.raw import format_value
from gpu_admission.workloads.resources import beyond_any_node

from . import kai_annotations
from .portable import listed
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.finding import Evidence
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.container import Container, GpuRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.pod_claims import ClaimReference
    from gpu_admission.workloads.resources import Resource

PORTABLE = "portable"
NVIDIA = "nvidia"  # nvidia.com/gpu: whole or a share, by the policy
NVIDIA_SHARED = "nvidia-shared"  # nvidia.com/gpu.shared: a share under any policy
KAI = "kai"
DRA = "dra"  # claims whose templates are known
_USUAL = frozenset(
    {PORTABLE, NVIDIA, NVIDIA_SHARED, "mig", "hami", "gpushare", "volcano", "volcano-vgpu", "koordinator"}
)
_HAMI = frozenset({"nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores", "nvidia.com/priority"})


class UnreadableRequestError(Exception):
    """An amount that Kubernetes itself refuses (reported by GPU002 to GPU004), or a placeholder."""


class NativeRequest:
    """One container's request in the names of one system.

    ``gpus`` are its resources by name, ``annotations`` those of the pod that are for it, ``claims`` the GPUs that it
    gets by claims, and ``sharer`` another container of the pod that uses one of those devices at the same time.
    """

    __slots__ = ("annotations", "annotations_at", "claims", "container", "gpus", "sharer", "system")

    def __init__(
        self,
        system: str,
        container: Container,
        gpus: Mapping[str, GpuRequest],
        annotations: Mapping[str, str] | None = None,
        annotations_at: Pointer = (),
        claims: tuple[ClaimReference, ...] = (),
    ) -> None:
        self.system = system
        self.container = container
        self.gpus = gpus
        self.annotations = annotations or {}
        self.annotations_at = annotations_at
        self.claims = claims
        self.sharer: Container | None = None

    @property
    def pointer(self) -> Pointer:
        """The pointer to the key of its first resource, or of its first annotation."""
        for gpu in self.gpus.values():
            return gpu.pointer()
        for reference in self.claims:
            return reference.pointer
        return (*self.annotations_at, *list(self.annotations)[:1])

    def place_of(self, name: str | None) -> Pointer | None:
        """The pointer to one of its resources or annotations; None for another name."""
        if name is None:
            return None
        if name in self.gpus:
            return self.gpus[name].pointer()
        return (*self.annotations_at, name) if name in self.annotations else None

    @property
    def description(self) -> str:
        """The request as it is written: ``nvidia.com/gpu: 1 and nvidia.com/gpumem: 3000``."""
        parts = [f"{name}: {format_value(gpu.value)}" for name, gpu in self.gpus.items()]
        parts += [f"{name}: {format_value(value)} (annotation)" for name, value in self.annotations.items()]
        parts += [f"the GPU of claim {format_value(reference.name)}" for reference in self.claims]
        return listed(parts)

    @property
    def evidence(self) -> Evidence:
        """The raw request: each resource with its sides, each annotation with its value."""
        amounts = [(name, *gpu.sides()) for name, gpu in self.gpus.items()]
        claimed = [(reference.name, reference.request) for reference in self.claims]
        return (*amounts, dict(self.annotations), *claimed)

    @property
    def wants_gpu(self) -> bool:
        """Whether more than zero is requested; a zero in the portable names counts, because it is a mistake."""
        if self.annotations or any(not is_zero(gpu) for gpu in self.gpus.values()):
            return True
        return self.system == PORTABLE and not all(map(_deletes, self.gpus.values()))

    @property
    def asks_for_zero(self) -> bool:
        """Whether zero memory or compute is requested: a mistake, where zero devices mean none."""
        return all(is_zero(gpu) and gpu.resource.unit != "device" and not _deletes(gpu) for gpu in self.gpus.values())

    def amount(self, name: str) -> int | None:
        """Return the amount of a resource in whole units, or None where it is not requested.

        Raises UnreadableRequestError where Kubernetes would not accept the amount, or limit and request differ.
        """
        gpu = self.gpus.get(name)
        return None if gpu is None else whole_amount(gpu)

    def without(self, *names: str) -> list[str]:
        """Return the resources that are none of these names."""
        return [name for name in self.gpus if name not in names]


def _deletes(gpu: GpuRequest) -> bool:
    """Return whether a null deletes a key of the container that a patch (without an image) is merged over."""
    return gpu.value is None and not gpu.container.spec.get("image")


def require_countable(native_request: NativeRequest) -> None:
    """Raise RejectedRequestError where more devices are requested than any node has; raises what ``amount`` raises."""
    for gpu in native_request.gpus.values():
        if beyond_any_node(gpu.resource, whole_amount(gpu)):
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("more GPUs than any node has", ": it would stay Pending forever"),
                f"request the number of GPUs of one node at most: {gpu.name} counts devices, not memory",
            )


def is_zero(gpu: GpuRequest) -> bool:
    """Return whether zero is requested of a resource."""
    amount = gpu.quantity()
    return amount is not None and amount.is_zero


def whole_amount(gpu: GpuRequest) -> int:
    """Return the requested amount of a resource.

    Raises UnreadableRequestError where it is not a whole number of at least zero, or the two sides differ.
    """
    if gpu.is_valid and (amount := gpu.quantity()) is not None:  # the usual case
        return amount.ceil()
    amounts = [gpu.quantity(side) for side, _ in gpu.sides()]
    first = amounts[0]
    if first is None or first.is_negative or not first.is_integer or any(other != first for other in amounts):
        raise UnreadableRequestError
    return first.ceil()


def native_requests(
    pod: Pod, metadata: Mapping[str, Any], metadata_at: Pointer, *, kai: bool, claims: bool = False
) -> Iterator[NativeRequest]:
    """Yield the requests of each container, one native request per system.

    ``kai`` means that KAI's annotations alone are a request, ``claims`` that claims are read.
    """
    for container in pod.containers:
        yield from _of_container(container)
    if claims and pod.claims.gpu:
        from . import claimed  # noqa: PLC0415 - start-up time: few pods have claims

        yield from claimed.of_pod(pod)
    if pod.annotated:
        annotations = kai_annotations.asked(pod, metadata, certain=kai)
        served = kai_annotations.served(pod, annotations) if annotations else None
        if served is not None:
            yield NativeRequest(KAI, served, {}, annotations, (*metadata_at, "annotations"))


def _of_container(container: Container) -> Iterator[NativeRequest]:
    groups: dict[str, dict[str, GpuRequest]] = {}
    for gpu in container.gpus:
        groups.setdefault(system_of(gpu.resource), {})[gpu.name] = gpu
    if "hami" in groups and "nvidia.com/gpu" in groups.get(NVIDIA, {}):
        plain = groups.pop(NVIDIA)
        groups["hami"] = {"nvidia.com/gpu": plain.pop("nvidia.com/gpu"), **groups["hami"]}
        if plain:
            groups[NVIDIA] = plain
    if len(groups) > 1 or not groups.keys() <= _USUAL:
        _gather_hamis(groups, container)
    found = [NativeRequest(system, container, gpus) for system, gpus in groups.items()]
    asking = [each for each in found if each.wants_gpu]
    yield from asking or [each for each in found if each.asks_for_zero]


def _gather_hamis(groups: dict[str, dict[str, GpuRequest]], container: Container) -> None:
    """Move requests in HAMi's names for other vendors' cards to a system of their own."""
    from . import hami_vendors  # noqa: PLC0415 - start-up time: few containers request these

    for system, its in hami_vendors.gathered({gpu.name: gpu for gpu in container.gpus}).items():
        for gpus in groups.values():
            for name in its:
                gpus.pop(name, None)
        groups[system] = its
    for emptied in [system for system, gpus in groups.items() if not gpus]:
        del groups[emptied]


def system_of(resource: Resource) -> str:
    """Return the system of a resource's name, where nothing beside it decides otherwise."""
    if resource.system == "nvidia":
        return {"nvidia.com/gpu": NVIDIA, "nvidia.com/gpu.shared": NVIDIA_SHARED}.get(resource.name, "kubevirt")
    if resource.system == "hami" and resource.name not in _HAMI:
        return f"not {resource.system}"  # other vendors' cards, and vgpu-manager, which is never translated
    return resource.system
