"""Koordinator: shares of cards by total memory and total compute."""

from __future__ import annotations

from gpu_admission.core.byte_amounts import exact_bytes

from . import koordinator_amounts
from .amount_checks import no_cards, no_memory, suspicious_bytes
from .base import Backend, BackendDocs, Marks
from .checks import card_affinity, memory_needed, only_count
from .components import Component
from .koordinator_amounts import BOTH, CORES, MEMORY, RATIO, SHARED
from .native_request import NVIDIA
from .portable import MOST_MEMORY, SEVENTHS, BackendPatch, GpuShare, ceil_div, format_memory
from .rejection import UNIT, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest


class Koordinator(Backend):
    """Memory in bytes and compute in percent, both over all cards of the request."""

    name = "koordinator"
    title = "Koordinator"
    scheduler = "koord-scheduler"
    reads = frozenset({"koordinator", NVIDIA})  # the latter as whole cards
    shares_cards = True
    gpu_is_card = True
    card_counter = SHARED
    marks = Marks(  # koordinator-sh/koordinator: apis/extension
        "Koordinator", annotations=("scheduling.koordinator.sh/device-allocated",)
    )
    components = (
        Component(
            "Koordinator",
            source="koordinator-sh/charts: versions/v1.8.0/templates/rbac/koord-scheduler.yaml",
            namespaces=("koordinator-system",),
            accounts=("koordinator-system:koord-scheduler",),
            images=("docker.io/koordinatorsh/koordlet", "ghcr.io/koordinator-sh/koordlet"),
        ),
    )
    preloads = True  # with the pod label koordinator.sh/gpu-isolation-provider: HAMi-core

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read totals and divide them by the number of cards."""
        del facts
        if native_request.system == NVIDIA:
            return GpuShare(None, only_count(native_request, "nvidia.com/gpu"), consumed=("nvidia.com/gpu",))
        both, ratio, cores = native_request.amount(BOTH), native_request.amount(RATIO), native_request.amount(CORES)
        memory = native_request.amount(MEMORY)
        percent = cores or both
        parts = ratio or both
        count = native_request.amount(SHARED)
        if count is None:
            count = max(ceil_div(parts or percent or 0, 100), 1) if memory is None else 1
        consumed = {SHARED, CORES, MEMORY if memory else RATIO} | ({BOTH} if not (cores or ratio or memory) else set())
        if count < 1:
            return GpuShare(memory, count, consumed=consumed)
        per_gpu = None if percent is None else ceil_div(percent * SEVENTHS, count)
        if memory:
            return GpuShare(ceil_div(memory, count), count, per_gpu, consumed=consumed)
        whole = parts is None or parts % (100 * count) == 0
        thousandths = None if whole else ceil_div((parts or 0) * 10, count)
        return GpuShare(None, count, per_gpu, thousandths=thousandths, consumed=consumed)

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield percentages that are neither a part of one card nor whole cards, and impossible amounts of memory."""
        yield from no_cards(native_request, SHARED)
        yield from no_memory(native_request, MEMORY, "8Gi")
        yield from suspicious_bytes(native_request, MEMORY)
        yield from _too_many_bytes(native_request, facts)
        yield from koordinator_amounts.percentages(native_request)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request the totals over all cards; whole cards are requested by NVIDIA's name, which Koordinator reads."""
        if request.whole:
            return BackendPatch({"nvidia.com/gpu": request.count}, affinity=card_affinity(request, facts))
        memory_needed(self, request)
        memory = request.memory or 0
        resources: dict[str, int | str] = {
            SHARED: request.count,
            MEMORY: exact_bytes(memory * request.count),
        }
        if request.percent is not None:
            resources[CORES] = request.percent * request.count
        return BackendPatch(resources)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what koord-scheduler refuses of the sum of the containers' requests, or divides unevenly."""
        del pod, facts
        if any(one.native_request.system != NVIDIA or one.backend_patch is not None for one in asked):
            yield from koordinator_amounts.refused(asked)


def _too_many_bytes(native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
    """Yield an error for a total of memory that no cards have; where the policy names its cards, GPU105 reports it."""
    gpu = native_request.gpus.get(MEMORY)
    amount = (
        None if gpu is None or facts.largest is not None or not _readable(native_request, MEMORY) else gpu.quantity()
    )
    count = native_request.amount(SHARED) or 1
    if amount is not None and amount.ceil() > MOST_MEMORY * count:
        yield RejectedRequestError.amount(
            UNIT,
            (
                f"{format_memory(ceil_div(amount.ceil(), count))} on one GPU",
                f", which no GPU has: {MEMORY} counts bytes",
            ),
            f"write the memory that the process needs, such as {MEMORY}: 8Gi",
            severity="error",
            about=MEMORY,
        )


def _readable(native_request: NativeRequest, name: str) -> bool:
    gpu = native_request.gpus.get(name)
    amount = None if gpu is None else gpu.quantity()
    return amount is None or (amount.is_integer and not amount.is_negative)


BACKEND = Koordinator()
BACKEND.docs = BackendDocs(
    summary="""\
Koordinator counts memory in bytes and compute in percent, both as totals over the `koordinator.sh/gpu.shared` cards of
the request. Whole cards are requested as `nvidia.com/gpu`, which Koordinator reads itself. Pods need `schedulerName:
koord-scheduler` (GPU202).""",
    refuses=(
        (
            (
                "combinations that koord-scheduler does not accept: compute alone, `gpu.shared` alone, `gpu-memory` "
                "beside `gpu-memory-ratio` or `koordinator.sh/gpu`"
            ),
            "it reports `invalid resource device requests`, and the pod stays Pending forever",
        ),
        (
            "a percentage that `gpu.shared` does not divide (`gpu.shared: 3` with `gpu-core: 100`), or over 100 a card",
            "koord-scheduler reports the same",
        ),
        (
            "containers of one pod with different amounts per card",
            "the pod's sum is divided evenly by its `gpu.shared`: 8Gi and 24Gi make 16Gi on each of two cards",
        ),
    ),
    install="""\
Koordinator's manager has webhooks of its own in `koordinator-system`; exempt it as the shipped policy does. They
rewrite `koordinator.sh/gpu` into `gpu-core` and `gpu-memory-ratio`, add `gpu.shared` where it is missing, and may
change a pod's labels, priority and resources by its ClusterColocationProfiles. Enable the DeviceShare plugin in
koord-scheduler and run koordlet on the GPU nodes.""",
    traps=(
        "Amounts are totals: `koordinator.sh/gpu-memory: 16Gi` with `gpu.shared: 2` is 8 GiB on each card.",
        "`koordinator.sh/gpu: 50` is half of a card's compute and half of its memory.",
        "Every container of a pod sees all cards that the pod was given, whatever it requested itself.",
        (
            "Init containers are counted as Kubernetes counts them: the pod needs the larger of what one of them and "
            "what all containers together request."
        ),
        (
            "Nothing enforces the limits unless koordlet's HAMi hook is installed and the pod has the label "
            "`koordinator.sh/gpu-isolation-provider: HAMi-core`."
        ),
    ),
    sources=(
        "koordinator-sh/koordinator: apis/extension/device_share.go",
        "koordinator-sh/koordinator: pkg/scheduler/plugins/deviceshare/utils.go (ValidDeviceResourceCombinations)",
        "koordinator-sh/koordinator: pkg/webhook/pod/mutating/device_resource_spec.go",
        "https://koordinator.sh/docs/user-manuals/fine-grained-device-scheduling/",
    ),
)
