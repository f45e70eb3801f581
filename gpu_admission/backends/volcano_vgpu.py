"""Volcano's vGPU: memory and compute per card, limited inside of the container."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_dict, format_value, is_one_of, is_placeholder
from gpu_admission.core.typos import nearest

from .amount_checks import no_cards, percents, suspicious, zero_is_all
from .base import Backend, BackendDocs, Marks
from .checks import in_init_containers, in_units, only_count, whole_cards_fit
from .components import Component
from .parameter import memory_factor
from .portable import SEVENTHS, BackendPatch, GpuShare, format_memory, listed
from .rejection import UNTRANSLATABLE, RejectedRequestError
from .volcano import SCHEDULER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

NUMBER = "volcano.sh/vgpu-number"
MEMORY = "volcano.sh/vgpu-memory"
PERCENTAGE = "volcano.sh/vgpu-memory-percentage"
CORES = "volcano.sh/vgpu-cores"
MODE = "volcano.sh/vgpu-mode"
MODES = ("hami-core", "mig", "mps")  # volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/vgpu/type.go


class VolcanoVgpu(Backend):
    """Cards by number, memory per card in MiB times the factor, cores in percent."""

    name = "volcano-vgpu"
    title = "Volcano's vGPU"
    scheduler = "volcano"
    reads = frozenset({"volcano-vgpu"})
    shares_cards = True
    gpu_is_card = True
    card_counter = NUMBER
    parameters = (memory_factor(MEMORY, "gpu-memory-factor of the device plugin"),)
    marks = Marks(  # volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/vgpu/type.go
        "Volcano",
        annotations=(
            "volcano.sh/vgpu-time",
            "volcano.sh/vgpu-ids-new",
            "volcano.sh/vgpu-node",
            "volcano.sh/devices-to-allocate",
            "volcano.sh/bind-time",
            "volcano.sh/bind-phase",
        ),
    )
    components = (
        SCHEDULER,
        Component(
            "Volcano vGPU device plugin",
            source="Project-HAMi/volcano-vgpu-device-plugin: volcano-vgpu-device-plugin.yml",
            accounts=("kube-system:volcano-device-plugin",),
            images=("docker.io/projecthami/volcano-vgpu-device-plugin",),
        ),
    )
    preloads = True
    judged_annotations = frozenset({MODE})
    card_choices = (MODE, "volcano.sh/vgpu-use-gpuuuid", "volcano.sh/vgpu-nouse-gpuuuid")

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read cards, memory per card (none means all of it) and cores."""
        memory, cores = native_request.amount(MEMORY), native_request.amount(CORES)
        percentage = native_request.amount(PERCENTAGE)
        return GpuShare(
            memory * facts.factor * MIB if memory else None,
            only_count(native_request, NUMBER),
            cores * SEVENTHS if cores else None,
            thousandths=percentage * 10 if percentage and percentage < 100 and not memory else None,
            consumed=(NUMBER, CORES, MEMORY if memory or percentage is None else PERCENTAGE),
        )

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield suspicious units, zeroes and impossible percentages."""
        yield from no_cards(native_request, NUMBER)
        yield from zero_is_all(native_request, MEMORY, self.title)
        yield from suspicious(native_request, MEMORY, facts.factor * MIB, facts)
        yield from percents(native_request, CORES, PERCENTAGE)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request memory on each card; all of a card where the amount, rounded up, would exceed it."""
        resources: dict[str, int | str] = {NUMBER: request.count}
        notes: tuple[str, ...] = ()
        if request.memory is not None:
            units, notes = in_units(request.memory, facts.factor * MIB)
            if facts.largest is None or units <= facts.largest // (facts.factor * MIB):
                resources[MEMORY] = units
            elif whole_cards_fit(request, facts):
                notes = ("all of the card: the amount, rounded up, would exceed it",)
            else:
                why = ", which is all of the largest card when rounded up, and other cards are smaller"
                advice = f"request less than {format_memory(facts.largest)}"
                raise RejectedRequestError.amount(UNTRANSLATABLE, (format_memory(request.memory), why), advice)
        if request.percent is not None:
            resources[CORES] = request.percent
        return BackendPatch(resources, notes=notes)

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield a rejection of memory as a percentage besides the checks of every backend."""
        if asked.native:
            yield from _not_counted(asked)
        if asked.native and 1 <= (asked.native_request.amount(PERCENTAGE) or 0) <= 100:  # GPU108 reports the others
            yield RejectedRequestError(
                UNTRANSLATABLE,
                f"and {PERCENTAGE} does not work in any release of Volcano",
                f"write the memory in MiB: {MEMORY}",
                about=PERCENTAGE,
            )
        yield from super().check_container(asked, facts)

    def amend(self, asked: ContainerRequest, facts: ClusterFacts) -> BackendPatch | None:
        """Return the request with the number of cards that is missing: the scheduler counts one for the memory.

        The device plugin allocates nothing without it, and the container starts without a GPU. Source:
        volcano-sh/volcano pkg/scheduler/api/devices/nvidia/vgpu/utils.go (resourcereqs).
        """
        del facts
        gpus = asked.native_request.gpus
        if NUMBER in gpus or MEMORY not in gpus or not all(gpu.is_valid for gpu in gpus.values()):
            return None
        return BackendPatch({NUMBER: 1, **{name: gpu.limit for name, gpu in gpus.items()}})

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield init containers, which the scheduler does not count, and an unknown mode of sharing."""
        del facts
        yield from in_init_containers(self, asked)
        mode = as_dict(pod.metadata.get("annotations")).get(MODE)
        if mode is not None and not is_one_of(mode, MODES) and not is_placeholder(mode):
            near = nearest(mode, MODES, 3) if isinstance(mode, str) else None
            write = f"{MODE}: {near}" if near else f"one of {listed(list(MODES))}"
            reason = f"and the annotation {MODE}: {format_value(mode)} is not a mode of sharing: no node has it"
            yield (
                asked[0],
                RejectedRequestError(UNTRANSLATABLE, reason, (f"write {write}", ", or leave it out"), about=MODE),
            )


def _not_counted(asked: ContainerRequest) -> Iterator[RejectedRequestError]:
    """Yield compute alone: checkVGPUResourcesInPod looks at cards and memory only, so nothing is allocated."""
    gpus = asked.native_request.gpus
    if CORES in gpus and not {NUMBER, MEMORY, PERCENTAGE} & gpus.keys():
        yield RejectedRequestError(
            UNTRANSLATABLE,
            (
                "and neither for a card nor for memory",
                ": Volcano allocates nothing for compute alone, and limits nothing",
            ),
            (f"write {NUMBER}: 1 besides", f", with {MEMORY} in MiB or all of the card"),
        )


BACKEND = VolcanoVgpu()
BACKEND.docs = BackendDocs(
    summary="""\
Volcano schedules shares of cards, and a library inside of the container (HAMi-core) keeps the process to its memory and
compute. Memory is counted per card in MiB (times `gpu-memory-factor`; set `memoryFactor` in the policy to the same).
Without memory a request means whole cards, and `nvidia.com/gpu: N` is written so. Pods need `schedulerName: volcano`
(GPU202).""",
    refuses=(
        ("init containers and sidecars", "the scheduler does not count them"),
        ("more than 100 percent of a card's compute", "cores are a percentage of one card"),
        ("`volcano.sh/vgpu-memory-percentage`", "it does not work in any release"),
        ("more memory than a card has", "the pod would stay Pending forever"),
        ("`volcano.sh/vgpu-cores` alone", "nothing is allocated for it"),
        ("an annotation `volcano.sh/vgpu-mode` other than `hami-core`, `mig` or `mps`", "no node has such a mode"),
    ),
    install="""\
Enable `deviceshare.VGPUEnable: true` in the scheduler's configuration and run volcano-vgpu-device-plugin. Volcano's own
webhooks hold no GPU rule, so the order of webhooks does not matter; exempt `volcano-system`. Where some nodes run
NVIDIA's own device plugin, name `nvidia.com/gpu` under the policy's `resources.extra` to leave it unchanged.""",
    traps=(
        (
            "`volcano.sh/vgpu-memory` without `vgpu-number` is counted by the scheduler as one card, and the device "
            "plugin is never called for it: the container has no GPU (GPU101 writes the number)."
        ),
        (
            "`volcano.sh/vgpu-mode` chooses nodes by the way they share; `vgpu-use-gpuuuid`, `vgpu-nouse-gpuuuid` and "
            "`vgpu-podgroup-policy` choose cards."
        ),
        "`CUDA_DISABLE_CONTROL`, with any value, switches the limits off (GPU308).",
        "It trusts `volcano.sh/vgpu-ids-new`, `volcano.sh/devices-to-allocate` and their like (GPU307).",
        "The device plugin rounds a card's memory down to whole units, so all of a card fits only as a whole card.",
        "The legacy sharing (`volcano.sh/gpu-memory`) cannot be enabled together with it.",
    ),
    sources=(
        "Project-HAMi/volcano-vgpu-device-plugin: README.md",
        "volcano-sh/volcano: pkg/scheduler/api/devices/nvidia/vgpu (type.go, utils.go)",
        "Project-HAMi/volcano-vgpu-device-plugin: pkg/plugin/server.go",
    ),
)
