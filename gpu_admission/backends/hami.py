"""HAMi: memory and compute per card, limited inside of the container."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_dict

from . import hami_annotations, hami_vendors
from .amount_checks import no_cards, percents, suspicious, zero_is_all
from .base import Backend, BackendDocs, Marks
from .checks import in_init_containers, in_units, only_count
from .components import Component
from .native_request import NVIDIA
from .parameter import memory_factor
from .portable import SEVENTHS, BackendPatch, GpuShare
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest

_NUMBER = "nvidia.com/gpu"
_MEMORY = "nvidia.com/gpumem"
_PERCENTAGE = "nvidia.com/gpumem-percentage"
_CORES = "nvidia.com/gpucores"
_PRIORITY = "nvidia.com/priority"  # 0 is the highest, and the default
_ONLY_HERE = ("and only HAMi knows priorities among the containers of a card", f"leave {_PRIORITY} out")


class Hami(Backend):
    """Cards by number, memory per card in MiB times the factor, cores in percent."""

    name = "hami"
    title = "HAMi"
    scheduler = "hami-scheduler"
    reads = frozenset({"hami", NVIDIA, hami_vendors.NEURON, *hami_vendors.SYSTEMS})
    translates = frozenset({"hami"})
    shares_cards = True
    card_counter = _NUMBER
    counts_quota_limits = True
    parameters = (memory_factor(_MEMORY, "memoryFactor of HAMi's device configuration"),)
    marks = Marks(  # Project-HAMi/HAMi: pkg/util/types.go, pkg/device, charts/hami/templates/scheduler/webhook.yaml
        "HAMi",
        annotations=(
            "hami.io/vgpu-*",
            "hami.io/bind-*",
            "hami.io/*-devices-to-allocate",
            "hami.io/*-devices-allocated",
            "4pd.io/vgpu-*",
            "4pd.io/bind-*",
            "4pd.io/devices-to-allocate",
        ),
        opt_out=(("hami.io/webhook", "ignore"), ("4pd.io/webhook", "ignore")),
    )
    components = (
        Component(
            "HAMi",
            source="Project-HAMi/HAMi: charts/hami/templates/_helpers.tpl (release hami), README.md",
            namespaces=("hami-system",),
            accounts=(
                "hami-system:hami-scheduler",
                "hami-system:hami-device-plugin",
                "kube-system:hami-scheduler",
                "kube-system:hami-device-plugin",
            ),
            images=("docker.io/projecthami/hami",),
        ),
        Component(
            "HAMi's DRA driver",
            source="Project-HAMi/website: tutorials/labs/examples/04-hami-dra/ds-gpu-operator.yaml",
            namespaces=("hami-dra-driver",),
            images=("docker.io/projecthami/k8s-dra-driver",),
        ),
    )
    preloads = True
    judged_annotations = frozenset(hami_annotations.VALUES)
    card_choices = (
        "nvidia.com/use-gputype",
        "nvidia.com/nouse-gputype",
        "nvidia.com/use-gpuuuid",
        "nvidia.com/nouse-gpuuuid",
        "nvidia.com/vgpu-mode",
    )

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read cards, memory per card (none means all of it) and cores; of other vendors' cards only their number."""
        if native_request.system == hami_vendors.NEURON:
            count = sum(native_request.amount(name) or 0 for name in native_request.gpus) or 1
            return GpuShare(None, count, share=True, consumed=native_request.gpus)
        vendor = hami_vendors.of(native_request.system)
        if vendor is not None:
            count = hami_vendors.count(native_request, vendor) or 1
            return GpuShare(None, count, share=True, consumed=native_request.gpus)
        memory, cores, percentage = map(native_request.amount, (_MEMORY, _CORES, _PERCENTAGE))
        return GpuShare(
            memory * facts.factor * MIB if memory else None,
            only_count(native_request, _NUMBER),
            cores * SEVENTHS if cores else None,
            thousandths=percentage * 10 if percentage and percentage < 100 and not memory else None,
            lost=_ONLY_HERE if native_request.amount(_PRIORITY) else None,
            consumed=(_NUMBER, _CORES, _PRIORITY, _MEMORY if memory or percentage is None else _PERCENTAGE),
        )

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield suspicious units, zeroes and impossible percentages."""
        if native_request.system == hami_vendors.NEURON:
            yield from hami_vendors.check_neuron(native_request)
            return
        vendor = hami_vendors.of(native_request.system)
        if vendor is not None:
            yield from hami_vendors.check_amounts(native_request, vendor)
            return
        yield from no_cards(native_request, _NUMBER)
        yield from zero_is_all(native_request, _MEMORY, self.title)
        yield from suspicious(native_request, _MEMORY, facts.factor * MIB, facts)
        yield from percents(native_request, _CORES, _PERCENTAGE)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request memory on each card."""
        resources: dict[str, int | str] = {_NUMBER: request.count}
        notes: tuple[str, ...] = ()
        if request.memory is not None:
            resources[_MEMORY], notes = in_units(request.memory, facts.factor * MIB)
        if request.percent is not None:
            resources[_CORES] = request.percent
        return BackendPatch(resources, notes=notes)

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield what HAMi drops silently: memory in two forms, containers that it ignores."""
        names = asked.native_request.gpus
        if asked.native and _MEMORY in names and _PERCENTAGE in names:
            yield RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("memory as an amount and as a percentage", ", and HAMi uses only one of them"),
                f"write {_MEMORY} or {_PERCENTAGE}",
            )
        if not asked.native and as_dict(asked.container.spec.get("securityContext")).get("privileged") is True:
            yield RejectedRequestError(
                UNTRANSLATABLE,
                ("in a privileged container", ", which HAMi ignores: it would see every card of its node"),
                "leave privileged out",
            )
        yield from super().check_container(asked, facts)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield sidecars, which HAMi counts as init containers (a warning), and a node chosen by name."""
        del facts
        yield from hami_annotations.refused(pod, asked)
        sidecars = [one for one in asked if one.container.role == "sidecar"]
        yield from in_init_containers(self, sidecars, severity="warning")
        for one in asked:
            if pod.spec.get("nodeName") and not one.native:
                yield (
                    one,
                    RejectedRequestError(
                        UNTRANSLATABLE,
                        (
                            "on a node chosen by nodeName",
                            ", which bypasses HAMi's scheduler: nothing would be allocated",
                        ),
                        "choose the node by nodeSelector kubernetes.io/hostname",
                    ),
                )


BACKEND = Hami()
BACKEND.docs = BackendDocs(
    summary="""\
HAMi's scheduler allocates shares of cards, and a library inside of the container keeps the process to its memory and
compute. Memory is counted per card in MiB (times `memoryFactor`). Pods need `schedulerName: hami-scheduler`, which
HAMi's own webhook and this one set (GPU202).""",
    refuses=(
        ("privileged containers", "HAMi ignores them, and they see every card"),
        ("`nodeName`", "it bypasses HAMi's scheduler"),
        ("memory beyond int32 after the factor (`nvidia.com/gpumem: 16Gi`)", "HAMi drops the request silently"),
        ("more than 100 percent of a card's compute", "HAMi cuts it to 100, which is less than was requested"),
        ("memory as an amount and as a percentage", "HAMi uses only one of them"),
        (
            "`nvidia.com/priority`, where HAMi's request is translated for another backend",
            "no other backend has a counterpart",
        ),
        (
            (
                "of other vendors' cards: amounts without a number of cards, units in doubt, more than all of a card's "
                "compute, slice sizes that do not exist (Moore Threads) or slices of several cards (Ascend), an "
                "odd number of Ascend 910C, an odd number of AWS Neuron cores above 1"
            ),
            "HAMi's webhook refuses the pod, or its scheduler ignores it and the container has no device",
        ),
        (
            "values of HAMi's, MetaX's and Ascend's annotations that HAMi does not recognise",
            "the pod waits or is refused; an unknown placement policy is replaced by the default (a warning)",
        ),
        ("sidecars (a warning)", "HAMi counts them like init containers, as if they ended"),
    ),
    install="""\
HAMi's own mutating webhook sets schedulerName on pods that request its resources. Webhooks run in the order of their
configurations' names; either order works, since ours writes the same as HAMi's and sets `reinvocationPolicy: IfNeeded`.
The shipped policy exempts `hami-system`, and the accounts of HAMi's scheduler and device plugin there and in
`kube-system`: keep those of the one in which yours runs.""",
    traps=(
        "`nvidia.com/gpumem: 16Gi` is not 16 GiB: the unit is MiB, and the number overflows.",
        "A request above the card's memory stays Pending forever.",
        "The pod label `hami.io/webhook: ignore` opts out of HAMi (GPU307).",
        "`CUDA_DISABLE_CONTROL=true` removes the limits (GPU308).",
        "More than 100 `nvidia.com/gpucores` are cut to 100 by HAMi's scheduler: a request gets at most a card.",
        (
            "Each vendor's amounts have units of their own: MiB for Ascend, DCU, Kunlunxin and AMD, 256 MiB for MLU "
            "and Iluvatar, 512 MiB for Moore Threads (2, 4, 8, 16, 32, 64 or 96 of them), GiB for MetaX unless there "
            "is a suffix."
        ),
        "HAMi often binds a pod that it cannot serve, and the container starts without a device.",
        "With a GPU and no memory HAMi adds `nvidia.com/gpucores: 100`: the card is taken whole.",
    ),
    sources=(
        "Project-HAMi/HAMi: docs/config.md",
        "Project-HAMi/HAMi: pkg/device (one folder a vendor), pkg/util/types.go",
        "Project-HAMi/HAMi: charts/hami/templates/scheduler/device-configmap.yaml",
    ),
)
