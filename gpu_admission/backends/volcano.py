"""Volcano's legacy GPU sharing: memory of one card, or whole cards, by the mode of its device plugin."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB

from .amount_checks import no_memory, suspicious
from .base import Backend, BackendDocs, Marks
from .checks import card_affinity, in_init_containers, in_units, no_cores, one_container, several_gpus
from .components import Component
from .gpushare import pod_sum
from .native_request import NVIDIA
from .parameter import Parameter, memory_factor
from .portable import BackendPatch, GpuShare, format_memory
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

_MEMORY = "volcano.sh/gpu-memory"
_NUMBER = "volcano.sh/gpu-number"
SCHEDULER = Component(
    "Volcano",
    source="volcano-sh/volcano: installer/helm/chart/volcano/templates/scheduler.yaml (release volcano)",
    namespaces=("volcano-system",),
    accounts=("volcano-system:volcano-scheduler",),
)


class Volcano(Backend):
    """Memory of one card in MiB times the factor, or whole cards."""

    name = "volcano"
    title = "Volcano's GPU sharing"
    scheduler = "volcano"
    reads = frozenset({"volcano"})
    excludes = frozenset({NVIDIA})
    shares_cards = True
    gpu_is_card = True
    parameters = (
        memory_factor(_MEMORY, "gpu-memory-factor of the device plugin"),
        Parameter("mode", "text", "memory of one card, or whole cards", default="share", choices=("share", "number")),
    )
    marks = Marks(
        "Volcano",
        annotations=(
            "volcano.sh/gpu-index",  # volcano-sh/volcano: pkg/scheduler/api/devices/nvidia
            "volcano.sh/gpu-assigned",  # volcano-sh/devices: pkg/plugin/nvidia/const.go
            "volcano.sh/predicate-time",
        ),
    )
    components = (
        SCHEDULER,
        Component(
            "Volcano device plugin",
            source="volcano-sh/devices: volcano-device-plugin.yml",
            accounts=("kube-system:volcano-device-plugin",),
            images=("docker.io/volcanosh/volcano-device-plugin",),
        ),
    )

    def ignored_systems(self, facts: ClusterFacts) -> frozenset[str]:
        """Return NVIDIA's name, which means whole cards of other nodes, unless this plugin is in mode number."""
        return frozenset() if _number(facts) else frozenset({NVIDIA})

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read memory of one card, or a number of whole ones."""
        memory, number = native_request.amount(_MEMORY), native_request.amount(_NUMBER)
        if memory and number:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("whole cards and memory of one", ", and the device plugin offers one or the other"),
                f"write {_MEMORY} or {_NUMBER}",
            )
        if number is not None and not memory:
            return GpuShare(None, number, consumed=(_MEMORY, _NUMBER))
        return GpuShare((memory or 0) * facts.factor * MIB, consumed=(_MEMORY, _NUMBER))

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield suspicious units, and no memory at all (beside whole cards, a zero of it has no effect)."""
        if _NUMBER not in native_request.gpus:
            yield from no_memory(native_request, _MEMORY, str(8192 // facts.factor))
        yield from suspicious(native_request, _MEMORY, facts.factor * MIB, facts)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request memory of one card, or whole cards with that memory, by the plugin's mode."""
        number = _number(facts)
        for refused in no_cores(self, GpuShare(None, 1, request.cores) if number else request):
            raise refused
        if number:
            return BackendPatch({_NUMBER: request.count}, affinity=card_affinity(request, facts))
        for refused in several_gpus(self, request):
            raise refused
        if request.memory is None:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("a whole GPU", ", and the device plugin shares cards by memory here"),
                ("request its memory", f" ({_MEMORY}), or nvidia.com/gpu: 1 where NVIDIA's own device plugin runs"),
            )
        units, notes = in_units(request.memory, facts.factor * MIB)
        if facts.largest is not None and units > facts.largest // (facts.factor * MIB):
            why = f", which rounded up to units of {facts.factor} MiB exceeds the largest card"
            advice = f"request less than {format_memory(facts.largest)}"
            raise RejectedRequestError.amount(UNTRANSLATABLE, (format_memory(request.memory), why), advice)
        return BackendPatch({_MEMORY: units}, notes=notes)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what the scheduler plugin miscounts."""
        del pod
        yield from in_init_containers(self, asked)
        if not _number(facts):
            yield from one_container(self, asked)
            yield from pod_sum(self.title, asked, facts.factor * MIB, facts)


def _number(facts: ClusterFacts) -> bool:
    return facts.parameters.get("mode") == "number"


BACKEND = Volcano()
BACKEND.docs = BackendDocs(
    summary="""\
Volcano's own device plugin in its first form. In mode `share` it offers memory of one card in MiB (times
`gpu-memory-factor`; set `memoryFactor` in the policy to the same), in mode `number` whole cards. Pods need
`schedulerName: volcano` (GPU202).""",
    refuses=(
        ("more than one GPU with memory", "a container is given one card"),
        ("a percentage of compute", "it shares memory only"),
        ("whole GPUs in mode `share`", "the plugin runs in one of its modes"),
        ("a second GPU container", "the scheduler does not count it"),
        ("init containers", "the scheduler counts them and the device plugin does not"),
        ("`volcano.sh/gpu-memory` together with `volcano.sh/vgpu-*`", "the two plugins cannot be enabled together"),
    ),
    install="""\
Enable `deviceshare.GPUSharingEnable: true` (or `deviceshare.GPUNumberEnable`; before release 1.8.2 both began with
`predicate.`) in the scheduler's configuration and run volcano-device-plugin with the matching strategy. Volcano's own
webhooks hold no GPU rule, so the order of webhooks does not matter; exempt `volcano-system`. A queue's or job's
`resourceGroups` overwrites schedulerName.""",
    traps=(
        "It trusts `volcano.sh/gpu-index` and `volcano.sh/predicate-time` (GPU307).",
        "Nothing enforces the memory: the number only decides where the pod goes.",
        "It is deprecated since release 1.9 in favour of volcano-vgpu, and cannot run together with it.",
    ),
    sources=(
        "volcano-sh/devices: README.md",
        "volcano-sh/volcano: docs/user-guide/how_to_use_gpu_sharing.md",
        "volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/gpushare",
    ),
)
