"""Aliyun's gpushare, the open source scheduler extender and device plugin."""

from __future__ import annotations

from gpu_admission.core.quantity import GIB, MIB

from .amount_checks import no_memory, percents, suspicious
from .base import Backend, BackendDocs, Marks
from .checks import in_init_containers, in_units, no_cores, one_container, several_gpus, unit_name
from .components import Component
from .native_request import NVIDIA
from .parameter import Parameter
from .portable import SEVENTHS, BackendPatch, GpuShare, ceil_div, format_memory
from .rejection import EXCEEDS, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

_MEMORY = "aliyun.com/gpu-mem"
_CORES = "aliyun.com/gpu-core.percentage"


class Gpushare(Backend):
    """Memory of one card, in whole GiB (or MiB)."""

    name = "gpushare"
    title = "gpushare"
    reads = frozenset({"gpushare"})
    ignores = frozenset({NVIDIA})  # served on other nodes by NVIDIA's own device plugin
    excludes = frozenset({NVIDIA})
    shares_cards = True
    gpu_is_card = True
    parameters = (
        Parameter("unit", "text", "the device plugin's --memory-unit", default="GiB", choices=("GiB", "MiB")),
    )
    marks = Marks(  # AliyunContainerService/gpushare-scheduler-extender: pkg/utils/const.go
        "gpushare", annotations=("ALIYUN_COM_GPU_*", "scheduler.framework.gpushare.allocation")
    )
    components = (
        Component(
            "gpushare",
            source="AliyunContainerService/gpushare-scheduler-extender: config/gpushare-schd-extender.yaml; "
            "AliyunContainerService/gpushare-device-plugin: device-plugin-rbac.yaml",
            accounts=("kube-system:gpushare-schd-extender", "kube-system:gpushare-device-plugin"),
            images=("registry.cn-hangzhou.aliyuncs.com/acs/k8s-gpushare-plugin",),
        ),
    )

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read memory in the unit of the device plugin, always of one card."""
        memory, cores = native_request.amount(_MEMORY), native_request.amount(_CORES)
        if memory is None or native_request.without(_MEMORY, _CORES):
            raise RejectedRequestError(
                UNTRANSLATABLE,
                "which means one thing in the open source gpushare and another in Alibaba's own cloud",
                (f"write the memory: {_MEMORY}", ", or gpu-admission.io/gpu-mem"),
            )
        return GpuShare(
            memory * unit(facts), 1, None if cores is None else cores * SEVENTHS, consumed=(_MEMORY, _CORES)
        )

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request memory of one card; a whole card never fits as an amount where its memory is not in whole GiB."""
        for refused in (*several_gpus(self, request), *no_cores(self, request)):
            raise refused
        if request.memory is None:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("a whole GPU", ", which gpushare cannot express"),
                ("request its memory", f" ({_MEMORY}), or nvidia.com/gpu: 1 where NVIDIA's own device plugin runs"),
            )
        units, notes = in_units(request.memory, unit(facts))
        most = None if facts.largest is None else capacity(facts)
        if most is not None and units > most:
            what = f"{format_memory(request.memory)}, {units} {_name(facts)} when rounded up"
            why = f", and gpushare counts {most} on a card of {format_memory(facts.largest or 0)}"
            advice = f"request at most {format_memory(most * unit(facts))}"
            raise RejectedRequestError.amount(UNTRANSLATABLE, (what, why), advice)
        return BackendPatch({_MEMORY: units}, notes=notes)

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield suspicious units, no memory at all, and impossible percentages."""
        yield from no_memory(native_request, _MEMORY, "8" if unit(facts) == GIB else "8192")
        yield from suspicious(native_request, _MEMORY, unit(facts), facts)
        yield from percents(native_request, _CORES)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what the extender miscounts: a second GPU container, init containers, sums beyond a card."""
        del pod
        yield from in_init_containers(self, asked)
        yield from one_container(self, asked)
        yield from pod_sum(self.title, asked, unit(facts), facts)


def pod_sum(
    title: str, asked: list[ContainerRequest], size: int, facts: ClusterFacts
) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield a rejection where a pod's requests together do not fit one card, rounded down to units."""
    if facts.largest is None or not asked:
        return
    most = facts.largest // size
    total = sum(ceil_div(one.request.memory or 0, size) for one in asked)
    alone = len(asked) == 1 and not asked[0].native  # then the translation itself is rejected
    if total > most and not alone and all((one.request.memory or 0) <= facts.largest for one in asked):
        yield (
            asked[-1],
            RejectedRequestError(
                EXCEEDS,
                (
                    f"which makes {total} for the pod",
                    f", and {title} counts {most} on the largest card: it would stay Pending forever",
                ),
                f"request at most {most} {unit_name(size)} in the whole pod",
            ),
        )


def unit(facts: ClusterFacts) -> int:
    """Return the bytes that ``aliyun.com/gpu-mem`` counts."""
    return MIB if facts.parameters.get("unit") == "MiB" else GIB


def capacity(facts: ClusterFacts) -> int:
    """Return how many units the largest card has: it is rounded down."""
    return (facts.largest or 0) // unit(facts)


def _name(facts: ClusterFacts) -> str:
    return "MiB" if unit(facts) == MIB else "GiB"


BACKEND = Gpushare()
BACKEND.docs = BackendDocs(
    summary="""\
Memory of one card, counted in GiB (in MiB where the device plugin runs with `--memory-unit=MiB`; set `unit` in the
policy to the same). Amounts are rounded up to whole units. An extender of the default scheduler chooses the card, so
schedulerName stays as it is.""",
    refuses=(
        ("more than one GPU", "a container is given one card"),
        ("whole GPUs", "gpushare has no resource for them, and all of a card's memory, rounded up, exceeds the card"),
        ("a percentage of compute", "gpushare shares memory only"),
        ("a second GPU container, init containers, sidecars", "only one container in `spec.containers` is counted"),
        ("a pod whose sum exceeds the card's memory, rounded down to whole units", "it would stay Pending forever"),
    ),
    install="""\
Install gpushare-scheduler-extender and gpushare-device-plugin as in its documentation. Exempt their namespace
(kube-system) as the shipped policy does. gpushare has no webhook of its own.""",
    traps=(
        (
            "Failure is silent: a container that cannot be served starts with "
            "`NVIDIA_VISIBLE_DEVICES=no-gpu-has-8GiB-to-run`."
        ),
        (
            "Never set `NVIDIA_VISIBLE_DEVICES` on a container that gpushare serves: the pod's value wins over the "
            "plugin's and shows every card (GPU301)."
        ),
        "It trusts the annotations `ALIYUN_COM_GPU_MEM_*`, which users must not write (GPU307).",
        "Nothing enforces the memory: the number only decides where the pod goes.",
    ),
    sources=(
        "AliyunContainerService/gpushare-scheduler-extender: docs/userguide.md",
        "AliyunContainerService/gpushare-device-plugin: pkg/gpu/nvidia/allocate.go",
    ),
)
