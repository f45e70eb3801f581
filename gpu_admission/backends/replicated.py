"""Common to time-slicing and MPS: NVIDIA's device plugin offers each card several times."""

from __future__ import annotations

from .base import Backend, ClusterFacts
from .checks import memory_needed, only_count
from .native_request import NVIDIA, NVIDIA_SHARED
from .parameter import Parameter
from .portable import WHOLE, BackendPatch, GpuShare, format_memory
from .rejection import SHARED_COUNT, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .base import ContainerRequest
    from .native_request import NativeRequest


_MIG = "mig"
_FAILS = "failRequestsGreaterThanOne"


def _fails(*, default: bool) -> Parameter:
    # NVIDIA/k8s-device-plugin README.md, api/config/v1/config.go: settable for MPS since release 0.20
    return Parameter(_FAILS, "yes-no", "the device plugin refuses a request for more than one share", default=default)


class Replicated(Backend):
    """Equal shares of a card; ``fails`` is the device plugin's default for a request of several."""

    fails = False

    sharing = "count"
    shares_cards = True
    parameters: tuple[Parameter, ...] = (
        Parameter("replicas", "whole", "shares per card", least=2, most=1024),
        Parameter("renameByDefault", "yes-no", "the resource is nvidia.com/gpu.shared", default=False),
        Parameter(
            "memory",
            "text",
            "what to do with an amount nothing enforces",
            default="refuse",
            choices=("refuse", "advisory"),
        ),
    )

    def own(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the name that the plugin offers, and the one that always means a share.

        Of shares of MIG devices, which have names of their own, only the number can be checked.
        """
        return frozenset({_system(facts), NVIDIA_SHARED, *((_MIG,) if self._refuses_several(facts) else ())})

    def ignored_systems(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the other names of NVIDIA's device plugin, which are served beside it or on other nodes."""
        return frozenset({NVIDIA, NVIDIA_SHARED, _MIG}) - self.own(facts)

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read a number of shares: their size is known where the policy has cards and replicas."""
        if native_request.system == _MIG:
            count = max(
                (native_request.amount(name) or 0 for name in native_request.gpus if name.endswith(".shared")),
                default=1,
            )
            return GpuShare(None, count, share=True, consumed=native_request.gpus)
        request = GpuShare(
            self._share(facts),
            only_count(native_request, *native_request.gpus),
            share=True,
            consumed=[*native_request.gpus][:1],
        )
        if request.memory is not None:
            request.share = False
        return request

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Request one share.

        Raises RejectedRequestError for more than one, and for what a share does not guarantee.
        """
        if request.count > 1:
            raise self._not_several_cards(request.count)
        if request.whole:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("a whole GPU", f", and {self.title} allocates shares"),
                ("write the memory that the process needs", " (gpu-admission.io/gpu-mem: 8Gi)"),
            )
        self._require_cores(request, facts)
        memory_needed(self, request)
        self._require_memory(request, facts)
        return BackendPatch({resource(facts): 1})

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield a rejection of several shares besides the checks of every backend."""
        if asked.native and asked.request.count > 1 and self._refuses_several(facts):
            yield self._several(asked.request.count)
        if not asked.native:
            yield from super().check_container(asked, facts)

    def _refuses_several(self, facts: ClusterFacts) -> bool:
        return bool(facts.parameters.get(_FAILS, self.fails))

    def _several(self, count: int) -> RejectedRequestError:
        return RejectedRequestError.amount(
            SHARED_COUNT,
            (
                f"{count} shares",
                (
                    ", and the device plugin of this cluster gives a container one "
                    f"({_FAILS}): the kubelet would refuse the pod with UnexpectedAdmissionError, and it would stay "
                    "until it is deleted"
                ),
            ),
            ("request 1", ": several shares of a card are no faster than one"),
        )

    def _not_several_cards(self, count: int) -> RejectedRequestError:
        return RejectedRequestError.amount(
            SHARED_COUNT,
            (
                f"{count} GPUs",
                (
                    f", and {self.title} allocates shares of cards: {count} shares may be on one card, and give no "
                    "more than one does"
                ),
            ),
            ("request one GPU", " (gpu-admission.io/gpu-count: 1)"),
        )

    def _require_memory(self, request: GpuShare, facts: ClusterFacts) -> None:
        raise NotImplementedError

    def _require_cores(self, request: GpuShare, facts: ClusterFacts) -> None:
        raise NotImplementedError

    def _share(self, facts: ClusterFacts) -> int | None:
        """Return the memory of one share in bytes, if it is enforced and the policy defines it."""
        raise NotImplementedError


def resource(facts: ClusterFacts) -> str:
    """Return the name of a share: ``renameByDefault`` of the device plugin changes it."""
    return "nvidia.com/gpu.shared" if facts.parameters.get("renameByDefault") else "nvidia.com/gpu"


def _system(facts: ClusterFacts) -> str:
    return NVIDIA_SHARED if facts.parameters.get("renameByDefault") else NVIDIA


def advisory(facts: ClusterFacts) -> bool:
    """Return whether the policy accepts an amount of memory that nothing enforces."""
    return facts.parameters.get("memory") == "advisory"


class TimeSlicing(Replicated):
    """Processes take turns on a card; nothing limits their memory."""

    name = "time-slicing"
    parameters = (*Replicated.parameters, _fails(default=False))
    title = "time-slicing"
    translates = frozenset({NVIDIA_SHARED})
    sample: Mapping[str, Any] = {"replicas": 4, "memory": "advisory"}

    def sized(self, request: GpuShare, facts: ClusterFacts) -> GpuShare:
        """Accept a share of unknown size: shares of time are equivalent."""
        if request.share and request.memory is None and request.lost is None:
            return request
        return super().sized(request, facts)

    def _require_memory(self, request: GpuShare, facts: ClusterFacts) -> None:
        if request.memory is not None and not advisory(facts):
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                (format_memory(request.memory), ", and time-slicing does not limit memory"),
                ("request a share as it is", f" ({resource(facts)}: 1)"),
            )

    def _require_cores(self, request: GpuShare, facts: ClusterFacts) -> None:
        del facts
        if request.cores is not None:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                (f"{request.percent} percent of a GPU's compute", ", and time-slicing guarantees no part of it"),
                "leave the percentage of compute out",
            )

    def _share(self, facts: ClusterFacts) -> int | None:
        del facts
        return None


class Mps(Replicated):
    """Processes run on a card side by side; the MPS daemon limits memory and threads to one share."""

    name = "mps"
    title = "MPS"
    uses_mps = True
    fails = True
    parameters = (
        *Replicated.parameters,
        _fails(default=True),
        Parameter(
            "hostIPC",
            "text",
            "whether clients may have the node's IPC namespace (GPU309)",
            default="deny",
            choices=("deny", "allow"),
        ),
    )
    sample: Mapping[str, Any] = {"replicas": 4}
    sample_cards: tuple[Mapping[str, Any], ...] = ({"model": "A100-80"},)

    def _require_memory(self, request: GpuShare, facts: ClusterFacts) -> None:
        share = self._share(facts)
        if request.memory is None or (share is not None and request.memory <= share):
            return
        if share is not None:
            shares = f"{format_memory(facts.smallest or 0)} in {facts.parameters['replicas']} shares"
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                (format_memory(request.memory), f", and a share of a card is {format_memory(share)} here ({shares})"),
                (f"request at most {format_memory(share)}", ", or a GPU of another kind"),
            )
        if not advisory(facts):
            how = f" ({resource(facts)}: 1); the policy needs backend.replicas and cluster.cards"
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                (format_memory(request.memory), ", and the policy does not define how large a share is"),
                ("request a share as it is", how),
            )

    def _require_cores(self, request: GpuShare, facts: ClusterFacts) -> None:
        replicas = facts.parameters.get("replicas")
        if request.cores is None or (replicas and request.cores * replicas <= WHOLE):
            return
        share = f"a share has {100 // replicas}" if replicas else "the policy does not define how many a share has"
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{request.percent} percent of a GPU's compute", f", and {share}"),
            f"request at most {100 // replicas} percent" if replicas else "leave the percentage of compute out",
        )

    def _share(self, facts: ClusterFacts) -> int | None:
        replicas = facts.parameters.get("replicas")
        return facts.smallest // replicas if replicas and facts.smallest else None
