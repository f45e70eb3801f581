"""The KAI scheduler: a share of a card by annotation, whole cards and MIG by NVIDIA's names."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_dict, as_str
from gpu_admission.workloads.share_annotations import SHARE_CONFIG_MAP

from . import kai_amounts, kai_annotations, kai_queues, kai_reader
from .amount_checks import too_few_bytes, too_many_bytes
from .base import Backend, BackendDocs, Marks
from .checks import card_affinity, no_cores, whole_cards_fit
from .components import Component
from .native_request import KAI, NVIDIA
from .parameter import Parameter
from .portable import LEAST_MEMORY, MOST_MEMORY, BackendPatch, GpuShare, ceil_div, format_memory
from .rejection import CONTAINERS, MIXED, UNIT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

_ROUNDING = 100 * MIB  # KAI rounds a card's memory down to this
# The variables that KAI's webhooks take from its binder's ConfigMap, each from the key of the same name.
# kai-scheduler/KAI-Scheduler: pkg/admission/webhook/v1alpha2/gpusharing/pod_mutation.go, hamicore/hamicore.go
_FROM_CONFIG_MAP = frozenset({"NVIDIA_VISIBLE_DEVICES", "CUDA_DEVICE_MEMORY_LIMIT"})


class Kai(Backend):
    """One container's share of one or more cards, written to the pod's annotations."""

    name = "kai"
    title = "KAI"
    scheduler = kai_annotations.SCHEDULER
    sister_schedulers = frozenset({"runai-scheduler"})  # NVIDIA Run:ai: run-ai/fake-gpu-operator design/samples
    reads = frozenset({KAI, NVIDIA, "mig"})
    shares_cards = True
    gpu_is_card = True
    reads_annotations = True
    parameters = (
        Parameter(
            "queue",
            "text",
            "the queue of pods that name none (default: KAI's default-queue)",
            least=1,
            most=63,
        ),
    )
    marks = Marks(
        "KAI",
        annotations=(
            "received-resource-type",  # NVIDIA/KAI-Scheduler: pkg/common/constants
            "runai-gpu-limit",
            # NvFractions: the agent on the node makes NVIDIA_VISIBLE_DEVICES and an MPS limit of what the binder
            # wrote (gpu-memory.request, gpu-memory.limit and gpu-compute.mode of the same prefix are the user's).
            "nvidia.com/container.*.gpus.devices",  # kai-scheduler/KAI-Scheduler: docs/gpu-sharing/README.md
            "nvidia.com/container.*.gpu-compute.portion",  # kai-scheduler/gpu-fractioning: CHANGELOG.md
        ),
        labels=("runai-gpu-group", "runai-gpu-group/*"),  # NVIDIA/KAI-Scheduler: the card that pods share
        opt_out_annotations=(("kai-resource-isolator.io/inject", "false"),),  # Project-HAMi/KAI-resource-isolator
    )
    components = (
        Component(
            "KAI",
            # The binder makes the pods that hold shared cards (kai-resource-reservation), the scale adjuster those
            # for which the autoscaler adds nodes (kai-scale-adjust): their accounts cover both namespaces.
            source="NVIDIA/KAI-Scheduler: pkg/common/constants, deployments/kai-scheduler/templates",
            namespaces=("kai-scheduler",),
            accounts=("kai-scheduler:binder", "kai-scheduler:node-scale-adjuster"),
        ),
        Component(
            "KAI resource isolator",
            source="Project-HAMi/KAI-resource-isolator: README.md",
            namespaces=("kai-resource-isolator",),
        ),
        Component(
            "NVIDIA Run:ai",
            source="https://run-ai-docs.nvidia.com (cluster and control plane installation)",
            namespaces=("runai", "runai-backend"),
        ),
    )
    host_paths = frozenset({"/tmp/nvidia-mps"})  # noqa: S108 - kai-scheduler/KAI-Scheduler: docs/gpu-sharing/mps
    preloads = True  # by its plugin hamicore
    judged_annotations = frozenset({kai_annotations.MPS})

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read MiB or a fraction per card, and the number of cards; whole cards and MIG by count."""
        del facts
        if native_request.system != KAI:
            return GpuShare(
                None,
                sum(native_request.amount(name) or 0 for name in native_request.gpus),
                share=native_request.system != NVIDIA,
                consumed=native_request.gpus,
            )
        return kai_reader.read(native_request.container.name, native_request.annotations)

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield memory that is not a plausible number of MiB, or of bytes."""
        del facts
        in_mib = kai_amounts.number(native_request.annotations.get(kai_annotations.MEMORY))
        if in_mib and not LEAST_MEMORY <= in_mib * MIB <= MOST_MEMORY:
            meant = in_mib * 1024 if in_mib * MIB < LEAST_MEMORY else ceil_div(in_mib, 1024)
            yield RejectedRequestError.amount(
                UNIT,
                (f"{in_mib} MiB: {kai_annotations.MEMORY} counts MiB", f"; did you mean {meant}?"),
                (f'write {kai_annotations.MEMORY}: "{meant}"', ", or whatever the process needs in MiB"),
                about=kai_annotations.MEMORY,
            )
        for name, amount in kai_reader.in_bytes(native_request.annotations).items():
            yield from too_few_bytes(name, amount)
            yield from too_many_bytes(name, amount)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Annotate the pod; all of a card, which as an amount would exceed KAI's rounded memory, is requested whole."""
        for refused in no_cores(self, request):
            raise refused
        if request.memory is None:
            return BackendPatch({"nvidia.com/gpu": request.count})
        if facts.largest is not None and request.memory > facts.largest // _ROUNDING * _ROUNDING:
            if not whole_cards_fit(request, facts):
                raise _more_than_rounded(request.memory, facts.largest // _ROUNDING * _ROUNDING)
            note = "all of the card: KAI rounds a card's memory down to 100 MiB, so the amount would exceed it"
            return BackendPatch(
                {"nvidia.com/gpu": request.count}, affinity=card_affinity(request, facts), notes=(note,)
            )
        annotations = {kai_annotations.MEMORY: str(ceil_div(request.memory, MIB))}
        if request.count > 1:
            annotations[kai_annotations.DEVICES] = str(request.count)
        return BackendPatch(annotations=annotations)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what annotations cannot express: shares for two containers, or a share beside a whole card."""
        del facts
        shares = [one for one in asked if _is_share(one)]
        if not shares and as_str(as_dict(pod.metadata.get("annotations")).get(kai_annotations.MPS)) == "true":
            yield asked[0], _mps_without_share()
        for one in shares[1:]:
            yield one, _second_share(shares[0])
        for one in asked:
            if shares and not _is_share(one):
                yield one, _beside_share()

    def bind_container(self, backend_patch: BackendPatch, pod: Pod, container: Container) -> None:
        """Name the container, unless it is the first, which is KAI's default."""
        first = next((one for one in pod.containers if one.role == "app"), None)
        if kai_annotations.MEMORY in backend_patch.annotations and (first is None or first.name != container.name):
            backend_patch.annotations[kai_annotations.CONTAINER] = container.name

    def complete_pod(self, pod: Pod, labels: Mapping[str, Any], facts: ClusterFacts) -> BackendPatch:
        """Add the queue that a pod lacks, as `kai_queues` finds it; raises RejectedRequestError as it does."""
        return kai_queues.completion(pod, labels, facts.parameters.get("queue"))

    def writes_variable(self, entry: Mapping[str, Any], asked: ContainerRequest, pod: Pod) -> bool:
        """Return whether an entry takes the cards, or the limit, from the ConfigMap of KAI's binder."""
        name, taken_from = as_str(entry.get("name")), as_dict(entry.get("valueFrom"))
        reference = as_dict(taken_from.get("configMapKeyRef"))
        if name not in _FROM_CONFIG_MAP or entry.get("value") or list(taken_from) != ["configMapKeyRef"]:
            return False
        return reference.get("key") == name and as_str(reference.get("name")) in _config_maps(asked, pod)

    def writes_source(self, source: Mapping[str, Any], asked: ContainerRequest, pod: Pod) -> bool:
        """Return whether an ``envFrom`` is the other ConfigMap of KAI's binder, where env does not use the first."""
        if source.get("prefix") or "secretRef" in source:
            return False
        wanted = {f"{name}-evar" for name in _config_maps(asked, pod)}
        return as_str(as_dict(source.get("configMapRef")).get("name")) in wanted


def _config_maps(asked: ContainerRequest, pod: Pod) -> tuple[str, ...]:
    """Return the names of the ConfigMap of a container with a share; Run:ai's has no number.

    Source: kai-scheduler/KAI-Scheduler pkg/binder/common/gpusharingconfigmap/config_map.go.
    """
    prefix = as_str(as_dict(pod.metadata.get("annotations")).get(SHARE_CONFIG_MAP))
    if not prefix or not _is_share(asked):
        return ()
    init = "i" if asked.container.role in {"init", "sidecar"} else ""
    return prefix, f"{prefix}-{init}{asked.container.pointer[-1]}"


def _more_than_rounded(memory: int, most: int) -> RejectedRequestError:
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        (format_memory(memory), f", and KAI counts {format_memory(most)} on the largest card"),
        ("request less", ", or a whole GPU (nvidia.com/gpu: 1)"),
    )


def _mps_without_share() -> RejectedRequestError:
    reason = (
        f'and the annotation {kai_annotations.MPS}: "true" is for shares of a GPU: KAI refuses it beside whole ones'
    )
    advice = (
        f"leave {kai_annotations.MPS} out, or write {kai_annotations.MEMORY} or {kai_annotations.FRACTION} for a share"
    )
    return RejectedRequestError(UNTRANSLATABLE, reason, advice, about=kai_annotations.MPS)


def _second_share(first: ContainerRequest) -> RejectedRequestError:
    reason = (
        f"but {first.container.label} already requests a share",
        ", and KAI gives a share to one container of a pod",
    )
    return RejectedRequestError(CONTAINERS, reason, "move the second GPU container to a pod of its own")


def _beside_share() -> RejectedRequestError:
    reason = "beside a share of a GPU in the same pod", ", and KAI serves a pod with either"
    return RejectedRequestError(MIXED, reason, "move one of the two to a pod of its own")


def _is_share(one: ContainerRequest) -> bool:
    if one.backend_patch is not None:
        return kai_annotations.MEMORY in one.backend_patch.annotations
    return one.native_request.system == KAI


BACKEND = Kai()
BACKEND.docs = BackendDocs(
    summary="""\
KAI gives one container of a pod a share of one or more cards, requested by the annotation `gpu-memory` in MiB; from
release 0.18 on also by one whose key names the container, `nvidia.com/container.<name>.gpu-memory.request`, in bytes
with their suffix (what a webhook writes is the older one, which every release reads). Whole cards are requested as
`nvidia.com/gpu`, partitions as `nvidia.com/mig-...`. Pods need `schedulerName: kai-scheduler` (GPU202). KAI takes the
queue from the label `kai.scheduler/queue` of the pod's top owner, else from the pod's own, else from a label `project`,
and else takes `default-queue`; the policy's `queue` is written on pods that name none of these. Run:ai's older label
`runai/queue`, which KAI does not read since release 0.6, is copied to KAI's.""",
    refuses=(
        ("a percentage of compute", "KAI shares memory"),
        ("a second GPU container", "the annotations apply to one"),
        (
            "annotations that contradict each other, or name a container that the pod does not have",
            "KAI's own webhook refuses the pod",
        ),
        ("a share together with a whole GPU or a MIG device", "KAI serves a pod with one or the other"),
        ("an empty label `kai.scheduler/queue`", "there is no such queue, and KAI never schedules the pod"),
        (
            "`gpu-fraction-num-devices` or a limit without an amount, and the annotation `mps` beside whole GPUs",
            "KAI's own webhook refuses the pod",
        ),
    ),
    install="""\
KAI's own webhooks and binder run in the namespace `kai-scheduler`; exempt it as the shipped policy does. Start KAI with
GPU sharing enabled (`global.gpuSharing=true`; from release 0.18 on `global.gpuSharingMode`). The order of its webhooks
and ours does not matter: neither depends on what the other writes.""",
    traps=(
        (
            "Memory becomes a fraction of the node's label `nvidia.com/gpu.memory` with two decimals, of a card "
            "rounded down to 100 MiB: all of a card never fits as an amount."
        ),
        (
            "Shares are only isolated if KAI's hamicore plugin (from release 0.16) is enabled; a pod opts out by the "
            'label `kai-resource-isolator.io/inject: "false"`.'
        ),
        "A runtime class is written by KAI only for shares, since release 0.16.",
        (
            "With KAI's MPS, pods mount `/tmp/nvidia-mps` of the node: a pod that KAI serves may (GPU304), and "
            "shares the daemon with all pods on the card."
        ),
        (
            "KAI's webhooks take `NVIDIA_VISIBLE_DEVICES` (hamicore `CUDA_DEVICE_MEMORY_LIMIT`) from a ConfigMap in "
            "the pod's namespace. Under this policy exactly that is admitted, for a request that KAI can read; "
            "users who may edit ConfigMaps there can still change them (docs/security.md describes what to do)."
        ),
        (
            "For a pod that requests a share by KAI's annotations, another backend cannot express how far its memory "
            "may grow (`gpu-memory.limit` above the request, `gpu-fraction.limit`), or that it computes concurrently "
            "with others (`gpu-compute.mode: sm-sharing`): it is refused there with what to write instead."
        ),
        (
            "`nvidia.com/container.<name>.gpus.devices` and `.gpu-compute.portion` are KAI's binder's own: from a user "
            "they are GPU307."
        ),
        "A pod that requests by annotation has no GPU among its resources: quotas do not count it.",
    ),
    sources=(
        "kai-scheduler/KAI-Scheduler: docs/gpu-sharing/README.md",
        "kai-scheduler/KAI-Scheduler: pkg/common/constants/constants.go",
        "kai-scheduler/KAI-Scheduler: pkg/podgrouper/podgrouper/plugins/defaultgrouper/default_grouper.go",
        "kai-scheduler/KAI-Scheduler: pkg/common/resources/gpu_sharing_nvfractions.go",
        "kai-scheduler/KAI-Scheduler: pkg/common/resources/gpu_sharing_validation.go",
        "kai-scheduler/KAI-Scheduler: pkg/binder/common/gpusharingconfigmap/config_map.go",
        "kai-scheduler/KAI-Scheduler: pkg/admission/webhook/v1alpha2/hamicore/hamicore.go",
    ),
)
