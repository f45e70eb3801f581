"""The settings of the guardrails (rules GPU501 to GPU506): ``spec.guardrails`` of a policy file, with defaults."""

from __future__ import annotations

from .exemptions import NamePatterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    TimeLimit = Literal["any", "deadline", "ttl"]

# Labels of GPU nodes: of GPU Feature Discovery, NVIDIA's GPU Operator, AMD's and Intel's labellers, GKE, EKS,
# Karpenter and AKS (docs/guardrails.md names the sources).
NODE_LABELS = (
    "nvidia.com/gpu.*",
    "nvidia.com/cuda.*",
    "nvidia.com/mig.*",
    "nvidia.com/vgpu.*",
    "amd.com/gpu.*",
    "beta.amd.com/gpu.*",
    "gpu.intel.com/*",
    "intel.feature.node.kubernetes.io/gpu",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-*",
    "karpenter.k8s.aws/instance-accelerator-*",
    "kubernetes.azure.com/accelerator",
)


class Guardrails:
    """The settings of the guardrails; a rule whose setting is None reports nothing.

    ``gpu_threshold`` is the number of whole GPUs of a container from which its processes are assumed to share memory;
    ``shared_memory_size`` is the ``sizeLimit`` that a repair of GPU502 writes (a quantity, raw). ``time_limit`` is the
    limit that GPU503 requires of Jobs, ``longest_seconds`` the longest deadline that it allows and ``deadline_seconds``
    the one that its repair writes. ``node_labels`` are the keys that GPU504 accepts as labels of GPU nodes and
    ``node_selector`` what its repair adds (``key``, ``value``, ``vendors``). ``runtime_classes`` (GPU505) and
    ``namespaces`` (GPU506) are what is allowed.
    """

    __slots__ = (
        "deadline_seconds",
        "gpu_threshold",
        "longest_seconds",
        "namespaces",
        "node_labels",
        "node_selector",
        "runtime_classes",
        "shared_memory_size",
        "time_limit",
    )

    def __init__(self, spec: Mapping[str, Any] | None = None) -> None:
        spec = spec or {}
        memory, jobs, nodes = (spec.get(key) or {} for key in ("sharedMemory", "jobs", "nodes"))
        threshold = memory.get("gpus")
        self.gpu_threshold: int = 2 if threshold is None else threshold
        self.shared_memory_size: str | int | None = memory.get("size")
        self.time_limit: TimeLimit = jobs.get("require") or "any"
        self.longest_seconds: int | None = jobs.get("longestSeconds")
        self.deadline_seconds: int | None = jobs.get("deadlineSeconds")
        self.node_labels = NamePatterns(nodes.get("labels") or NODE_LABELS)
        self.node_selector: tuple[Mapping[str, Any], ...] = tuple(nodes.get("add") or ())
        self.runtime_classes = _patterns(spec.get("runtimeClasses"))
        self.namespaces = _patterns(spec.get("namespaces"))


def _patterns(names: list[str] | None) -> NamePatterns | None:
    return None if names is None else NamePatterns(names)
