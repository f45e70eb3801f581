"""What a container or a pod says about GPUs, sorted by the system in whose words it says it."""

from __future__ import annotations

from gpu_admission.core.resources import beyond_any_node
from gpu_admission.core.shape import mapping, shown, text

from .portable import listed
from .refusal import UNTRANSLATABLE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.container import Container, GpuRequest
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.core.workload import Pod

PORTABLE = "portable"
NVIDIA = "nvidia"  # nvidia.com/gpu: whole or a share, the policy says
NVIDIA_SHARED = "nvidia-shared"  # nvidia.com/gpu.shared: a share whatever the policy
KAI = "kai"

KAI_MEMORY = "gpu-memory"
KAI_FRACTION = "gpu-fraction"
KAI_DEVICES = "gpu-fraction-num-devices"
KAI_CONTAINER = "gpu-fraction-container-name"
KAI_QUEUE = "kai.scheduler/queue"
KAI_SCHEDULER = "kai-scheduler"
_KAI_AMOUNTS = (KAI_MEMORY, KAI_FRACTION)
_HAMI = frozenset({"nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"})
_KAI_OWN = (KAI_FRACTION, KAI_DEVICES, KAI_CONTAINER)


class Unreadable(Exception):
    """An amount that Kubernetes itself refuses (GPU002 to GPU004 say why), or a placeholder."""


class Spelling:
    """One container's request in the words of one system.

    ``gpus`` are its resources by name, ``annotations`` what the pod's metadata says for it.
    """

    __slots__ = ("annotations", "annotations_at", "container", "gpus", "system")

    def __init__(
        self,
        system: str,
        container: Container,
        gpus: Mapping[str, GpuRequest],
        annotations: Mapping[str, str] | None = None,
        annotations_at: Pointer = (),
    ) -> None:
        self.system = system
        self.container = container
        self.gpus = gpus
        self.annotations = annotations or {}
        self.annotations_at = annotations_at

    @property
    def pointer(self) -> Pointer:
        """Where it stands: the key of its first resource, or of its first annotation."""
        for gpu in self.gpus.values():
            return gpu.pointer()
        return (*self.annotations_at, *list(self.annotations)[:1])

    @property
    def words(self) -> str:
        """The request as it stands: ``nvidia.com/gpu: 1 and nvidia.com/gpumem: 3000``."""
        said = [f"{name}: {shown(gpu.value)}" for name, gpu in self.gpus.items()]
        said += [f"{name}: {shown(value)} (annotation)" for name, value in self.annotations.items()]
        return listed(said)

    @property
    def asks(self) -> bool:
        """Whether anything more than zero is asked for; in the portable names a zero is a mistake, not nothing."""
        if self.annotations or any(not is_zero(gpu) for gpu in self.gpus.values()):
            return True
        return self.system == PORTABLE and not all(map(_deletes, self.gpus.values()))

    @property
    def asks_for_zero(self) -> bool:
        """Whether zero memory or compute is asked for: a mistake, where zero devices mean none."""
        return all(is_zero(gpu) and gpu.resource.unit != "device" and not _deletes(gpu) for gpu in self.gpus.values())

    def amount(self, name: str) -> int | None:
        """Return what is asked of a resource in whole units, or None where it is not named.

        Raises Unreadable where Kubernetes would not take the amount, or limit and request differ.
        """
        gpu = self.gpus.get(name)
        return None if gpu is None else whole_amount(gpu)

    def without(self, *names: str) -> list[str]:
        """Return the resources that are none of these names."""
        return [name for name in self.gpus if name not in names]


def _deletes(gpu: GpuRequest) -> bool:
    """Tell whether a null deletes a key of the container that a part of one is merged over (it has no image)."""
    return gpu.value is None and not gpu.container.spec.get("image")


def require_countable(said: Spelling) -> None:
    """Raise Refused where more devices are asked for than any node has, in whatever words; Unreadable as below."""
    for gpu in said.gpus.values():
        if beyond_any_node(gpu.resource, whole_amount(gpu)):
            raise Refused(
                UNTRANSLATABLE,
                "more GPUs than any node has: it would wait for ever",
                f"ask for the number of GPUs of one node at most: {gpu.name} counts devices, not memory",
            )


def is_zero(gpu: GpuRequest) -> bool:
    """Tell whether exactly nothing is asked of a resource."""
    amount = gpu.quantity()
    return amount is not None and amount.is_zero


def whole_amount(gpu: GpuRequest) -> int:
    """Return the amount asked of a resource.

    Raises Unreadable where it is no whole number of at least zero, or the two sides differ.
    """
    if gpu.sound and (amount := gpu.quantity()) is not None:  # as nearly all are
        return amount.ceil()
    amounts = [gpu.quantity(side) for side, _ in gpu.sides()]
    first = amounts[0]
    if first is None or first.is_negative or not first.is_integer or any(other != first for other in amounts):
        raise Unreadable
    return first.ceil()


def asks_by_annotation(metadata: Mapping[str, Any]) -> bool:
    """Tell whether a pod's metadata asks KAI for a share of a card: no resource of any container shows it."""
    annotations = mapping(metadata.get("annotations"))
    return any(name in annotations for name in _KAI_AMOUNTS)


def of_pod(pod: Pod, metadata: Mapping[str, Any], metadata_at: Pointer, *, kai: bool) -> Iterator[Spelling]:
    """Yield what each container says, one spelling a system; ``kai`` tells that KAI's words need no other mark."""
    for container in pod.containers:
        yield from _of_container(container)
    annotations = mapping(metadata.get("annotations"))
    if any(name in annotations for name in _KAI_AMOUNTS) and (kai or _marked(pod, metadata, annotations)):
        served = _kai_container(pod, annotations)
        if served is not None:
            said = {
                name: annotations[name] for name in (*_KAI_AMOUNTS, KAI_DEVICES, KAI_CONTAINER) if name in annotations
            }
            yield Spelling(KAI, served, {}, said, (*metadata_at, "annotations"))


def _marked(pod: Pod, metadata: Mapping[str, Any], annotations: Mapping[str, Any]) -> bool:
    """Tell whether a pod is meant for KAI: ``gpu-memory`` alone is anybody's annotation."""
    return (
        any(name in annotations for name in _KAI_OWN)
        or KAI_QUEUE in mapping(metadata.get("labels"))
        or pod.spec.get("schedulerName") == KAI_SCHEDULER
    )


def _kai_container(pod: Pod, annotations: Mapping[str, Any]) -> Container | None:
    wanted = text(annotations.get(KAI_CONTAINER))
    named = [container for container in pod.containers if wanted and container.name == wanted]
    apps = [container for container in pod.containers if container.role == "app"]
    return (named or apps or [None])[0]  # type: ignore[list-item]  # a pod spec without containers has none


def _of_container(container: Container) -> Iterator[Spelling]:
    groups: dict[str, dict[str, GpuRequest]] = {}
    for gpu in container.gpus:
        groups.setdefault(_system(gpu), {})[gpu.name] = gpu
    if "hami" in groups and "nvidia.com/gpu" in groups.get(NVIDIA, {}):
        plain = groups.pop(NVIDIA)
        groups["hami"] = {"nvidia.com/gpu": plain.pop("nvidia.com/gpu"), **groups["hami"]}
        if plain:
            groups[NVIDIA] = plain
    found = [Spelling(system, container, gpus) for system, gpus in groups.items()]
    asking = [said for said in found if said.asks]
    yield from asking or [said for said in found if said.asks_for_zero]


def _system(gpu: GpuRequest) -> str:
    resource = gpu.resource
    if resource.system == "nvidia":
        return {"nvidia.com/gpu": NVIDIA, "nvidia.com/gpu.shared": NVIDIA_SHARED}.get(resource.name, "kubevirt")
    if resource.system == "hami" and resource.name not in _HAMI:
        return f"not {resource.system}"  # other makers' cards, and vgpu-manager, which nobody here translates
    return resource.system
