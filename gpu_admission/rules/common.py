"""What several rules share: which GPU requests can be judged, and how a message speaks of them."""

from __future__ import annotations

from gpu_admission.core import kinds
from gpu_admission.core.shape import is_placeholder, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.workload import Container, GpuRequest, Workload


def gpus(workload: Workload) -> Iterator[GpuRequest]:
    """Yield every GPU resource of every container, without those whose value has yet to be filled in."""
    for gpu in workload.gpus():
        if not any(unfilled(workload, raw) for _, raw in gpu.sides()):
            yield gpu


def unfilled(workload: Workload, raw: Any) -> bool:
    """Tell whether a value is a placeholder in a file; at admission nobody will fill it in any more."""
    return workload.origin == "file" and is_placeholder(raw)


def is_patch(workload: Workload, container: Container) -> bool:
    """Tell whether a container of a file is only a part of one, as kustomize merges it over another: no image.

    What is missing there may stand in the base, so nothing can be said about what is missing.
    """
    return workload.origin == "file" and container.whole and not container.spec.get("image")


def is_typed(workload: Workload) -> bool:
    """Tell whether the table knows the kind: its ``resources`` then are Kubernetes' own, not something alike."""
    return kinds.places(workload.api_version, workload.kind) is not None


def asking(gpu: GpuRequest, raw: Any) -> str:
    """Return how a message begins: ``container "train" asks for nvidia.com/gpu: 1``."""
    return f"{gpu.container.label} asks for {gpu.name}: {shown(raw)}"
