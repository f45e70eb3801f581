"""Whole GPUs, as the device plugins of NVIDIA, AMD and Intel offer them."""

from __future__ import annotations

from .base import Backend, BackendDocs
from .checks import card_affinity, whole_cards_fit
from .components import OF_VENDOR
from .native_request import NVIDIA, NVIDIA_SHARED
from .parameter import Parameter
from .portable import BackendPatch, GpuShare, format_memory
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import ClusterFacts
    from .native_request import NativeRequest

_RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "intel": "gpu.intel.com/i915"}


class Exclusive(Backend):
    """One container, whole cards."""

    name = "exclusive"
    title = "a device plugin for whole GPUs"
    reads = frozenset({NVIDIA, "amd", "intel"})
    ignores = frozenset({NVIDIA_SHARED, "mig"})  # NVIDIA's own device plugin offers these beside whole cards
    allows_mixed_vendors = True
    whole_cards = True
    sharing = "whole"
    gpu_is_card = True
    plain = frozenset({NVIDIA, "mig", "amd", "intel"})
    translates = frozenset({NVIDIA})
    vendors = tuple(OF_VENDOR)  # of any vendor
    parameters = (
        Parameter(
            "vendor", "text", "whose GPUs portable requests are given", default="nvidia", choices=tuple(_RESOURCES)
        ),
        Parameter("resource", "resource", "another name of that vendor, such as gpu.intel.com/xe or amd.com/cpx_nps4"),
    )

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read a number of whole cards (AMD's partitions count as devices of their own)."""
        del facts
        return GpuShare(
            None,
            max(sum(native_request.amount(name) or 0 for name in native_request.gpus), 0),
            consumed=native_request.gpus,
        )

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request whole cards that have the memory requested: by the node's label where the cards differ."""
        if request.limits_cores:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                (f"{request.percent} percent of a GPU's compute", ", and this cluster only allocates whole GPUs"),
                "leave the percentage of compute out to take a whole GPU",
            )
        vendor = facts.parameters.get("vendor") or "nvidia"
        resource = facts.parameters.get("resource") or _RESOURCES[vendor]
        if vendor == "nvidia":
            return BackendPatch({resource: request.count}, affinity=card_affinity(request, facts))
        if not whole_cards_fit(request, facts):
            what = f"{format_memory(request.memory or 0)} of memory"
            why = ", and no node label shows how much memory a card of this cluster has"
            how = f" ({resource}: {request.count}); or name the cards in the policy's cluster.cards"
            raise RejectedRequestError.amount(UNTRANSLATABLE, (what, why), ("request whole GPUs", how))
        return BackendPatch({resource: request.count})


BACKEND = Exclusive()
BACKEND.docs = BackendDocs(
    summary="""\
Every request gets whole cards. A portable request for memory becomes a whole card that has at least as much; where the
policy names no cards, or one with less, a node affinity on the label `nvidia.com/gpu.memory` (written by GPU feature
discovery) ensures it. The parameter `vendor` chooses `nvidia` (the default), `amd` or `intel`, `resource` another name
of that vendor (`gpu.intel.com/xe`, `amd.com/cpx_nps4`).""",
    refuses=(
        ("less than 100 percent of a GPU's compute", "a whole card cannot be limited"),
        ("memory on AMD or Intel, unless `cluster.cards` has it", "their nodes carry no label to compare it with"),
    ),
    install="""\
Nothing but the device plugins: NVIDIA's (or the GPU operator), AMD's, Intel's. For the node affinity, run GPU feature
discovery (the GPU operator does).""",
    traps=(
        (
            "AMD's device plugin under `mixed` naming offers partitions as `amd.com/cpx_nps4` or `amd.com/spx_nps1`; "
            "none of them can be requested by memory."
        ),
        (
            "Intel's `gpu.intel.com/monitoring` (`i915_monitoring`, `xe_monitoring`) shows *all* GPUs of a node: allow "
            "it to monitoring namespaces only."
        ),
        "The name `alpha.kubernetes.io/nvidia-gpu` was removed in Kubernetes 1.11.",
    ),
    sources=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
        "NVIDIA/k8s-device-plugin: README.md",
        "ROCm/k8s-device-plugin: README.md",
        "intel/intel-device-plugins-for-kubernetes: cmd/gpu_plugin/README.md",
    ),
)
