"""The interface of every sharing backend, and the facts that a policy gives it."""

from __future__ import annotations

from gpu_admission.core.record import record

from . import cards
from .amount_checks import exceeds
from .checks import require_card, require_known_size
from .portable import BackendPatch, GpuShare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Literal

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod

    from .cards import GpuModel
    from .components import Component
    from .native_request import NativeRequest
    from .parameter import Parameter
    from .rejection import RejectedRequestError

    Sharing = Literal["whole", "count", "memory"]


class ClusterFacts:
    """The facts of a policy: the parameters of a backend, and the cluster's cards.

    For a backend that is not the policy's own (the source of a request, or one that a pod chose), parameters have their
    defaults. ``per_pod`` means that a pod chose it: nothing is translated then. ``sources`` are the backends whose
    names are translated; empty means all (set by ``translate --from`` only). ``claims`` means that claims with a known
    template are read too (set by ``translate`` only: elsewhere the cluster's own driver serves claims).
    """

    __slots__ = ("cards", "claims", "parameters", "per_pod", "sources")

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        found: Iterable[Mapping[str, Any]] = (),
        sources: Iterable[str] = (),
    ) -> None:
        self.parameters: Mapping[str, Any] = parameters or {}
        self.cards: tuple[GpuModel, ...] = tuple(cards.gpu_model(value) for value in found)
        self.sources = frozenset(sources)
        self.per_pod = False
        self.claims = False

    @classmethod
    def of(cls, policy: Policy) -> ClusterFacts:
        """Return the facts for a policy's own backend."""
        facts = cls(policy.backend.parameters, policy.cards, policy.spec.get("translateFrom") or ())
        facts.claims = "translateFrom" in policy.spec
        return facts

    @classmethod
    def chosen_by_pod(cls, policy: Policy) -> ClusterFacts:
        """Return the facts for a backend that a pod chose: the policy's cards, default parameters."""
        facts = cls({}, policy.cards)
        facts.per_pod = True
        return facts

    def elsewhere(self, parameters: Mapping[str, Any] | None = None) -> ClusterFacts:
        """Return the facts of the same cluster for another backend, with default parameters."""
        facts = ClusterFacts(parameters)
        facts.cards = self.cards
        return facts

    @property
    def factor(self) -> int:
        """MiB per unit of the backend's memory resource."""
        return int(self.parameters.get("memoryFactor") or 1)

    @property
    def largest(self) -> int | None:
        """The memory of the largest card in bytes; None where the policy names no cards."""
        return max((card.memory for card in self.cards), default=None)

    @property
    def smallest(self) -> int | None:
        """The memory of the smallest card in bytes; None where the policy names no cards."""
        return min((card.memory for card in self.cards), default=None)


class ContainerRequest:
    """One container's request: as it is written, as it is read, and its translation.

    ``native`` means that the policy's own backend reads it unchanged; ``backend_patch`` is the translation of any other
    request, or what a native one lacks.
    """

    __slots__ = ("backend_patch", "native", "native_request", "request", "source")

    def __init__(self, native_request: NativeRequest, source: Backend, request: GpuShare, *, native: bool) -> None:
        self.native_request = native_request
        self.source = source
        self.request = request
        self.native = native
        self.backend_patch: BackendPatch | None = None

    @property
    def container(self) -> Container:
        """The requesting container."""
        return self.native_request.container


@record
class BackendDocs:
    """The documentation of a backend (``docs/backends.md`` is generated from it).

    ``refuses`` are pairs of what is refused and why; ``install`` is how to run it beside this webhook.
    """

    summary: str
    refuses: tuple[tuple[str, str], ...]
    install: str
    traps: tuple[str, ...]
    sources: tuple[str, ...]


@record
class Marks:
    """What a system writes on pods and trusts whoever wrote it: keys in which one ``*`` matches any text.

    ``owner`` is the system's name in messages; ``opt_out`` are labels, key and value, by which a pod evades its
    webhook, ``opt_out_annotations`` likewise annotations.
    """

    owner: str = ""
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    opt_out: tuple[tuple[str, str], ...] = ()
    opt_out_annotations: tuple[tuple[str, str], ...] = ()


class Backend:
    """A sharing backend: every fact about one is an attribute of its class.

    Facts needed without loading the class are in ``known.py``, which ``make docs`` generates.

    ``name`` is its name in policies, ``title`` in prose, ``scheduler`` the schedulerName its pods need (None: any),
    ``sister_schedulers`` those of other products that read the same names. ``reads`` are the systems whose names it
    reads as its own; ``ignores`` those it neither serves nor translates, because something else on the cluster serves
    them (``nvidia.com/gpu`` on nodes with NVIDIA's own device plugin). ``excludes`` are systems that no node offers
    beside this backend, and ``allows_mixed_vendors`` means that a pod may request cards of several vendors, and
    ``whole_cards`` that a request for any part of a card is given all of one. ``host_paths`` are paths of the node, as
    in ``rules.gpu_markers``, that the backend's documentation has its pods mount. ``preloads`` means that it limits a
    share, or can be set up to, by a library that is loaded into the container's programs. ``judged_annotations`` are
    those of users whose values the backend judges, ``card_choices`` those by which users choose cards, which no other
    backend reads.

    ``sharing`` is how containers share a card: not at all (``whole``), a share each (by ``count``), or by the
    ``memory`` they request. ``shares_cards`` means that several containers use a card at the same time, kept apart by
    software alone; ``uses_mps`` that they meet in NVIDIA's MPS daemon. ``gpu_is_card`` means that one
    ``nvidia.com/gpu`` is a card of its own. ``card_counter`` is the resource that counts the cards of which the other
    amounts are requested. ``plain`` are systems whose names, one in a container, need neither translation nor checks.
    ``reads_annotations`` means that shares are requested by annotations, ``counts_quota_limits`` that its scheduler
    reads ``limits.<name>`` of quotas itself. ``translates`` are the systems whose names it reads for other backends
    (None: those of its own name). ``marks`` are what it writes on pods, ``components`` what it runs on the cluster,
    ``vendors`` those of the cards it serves, ``parameters`` what a policy may set; ``sample`` and ``sample_cards`` what
    its shipped policy sets, as far as the examples of the docs need it.
    """

    name: str
    title: str
    docs: BackendDocs
    scheduler: str | None = None
    sister_schedulers: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    ignores: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()
    allows_mixed_vendors = False
    whole_cards = False
    sharing: Sharing = "memory"
    shares_cards = False
    uses_mps = False
    gpu_is_card = False
    card_counter: str | None = None
    plain: frozenset[str] = frozenset()
    reads_annotations = False
    counts_quota_limits = False
    translates: frozenset[str] | None = None
    marks = Marks()
    components: tuple[Component, ...] = ()
    vendors: tuple[str, ...] = ("nvidia",)
    parameters: tuple[Parameter, ...] = ()
    sample: Mapping[str, Any] = {}
    sample_cards: tuple[Mapping[str, Any], ...] = ()
    host_paths: frozenset[str] = frozenset()
    preloads = False
    judged_annotations: frozenset[str] = frozenset()
    card_choices: tuple[str, ...] = ()

    def own(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the systems whose names are this backend's own under these parameters."""
        del facts
        return self.reads

    def ignored_systems(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the systems that are ignored under these parameters."""
        del facts
        return self.ignores

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Return the portable request of one in this backend's names, and which of them it consumed.

        A name is consumed where its amount made a difference, or means nothing (a zero that means all): the others are
        refused, because a translation would drop them. Raises RejectedRequestError where the request means nothing,
        UnreadableRequestError where another rule reports the amounts.
        """
        raise NotImplementedError

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Return the portable request in this backend's names, never less than requested.

        Raises RejectedRequestError where it cannot be honoured.
        """
        raise NotImplementedError

    def adopts(self, facts: ClusterFacts) -> frozenset[str]:
        """Return systems of whole cards that are read for this backend alone, where ``exclusive`` is requested."""
        del facts
        return frozenset()

    def vendor(self, facts: ClusterFacts) -> str:
        """Return the vendor of the cards that translations request under these parameters."""
        return str(facts.parameters.get("vendor") or "nvidia")

    def sized(self, request: GpuShare, facts: ClusterFacts) -> GpuShare:
        """Return a foreign request with its memory in bytes; a whole card satisfies any part of one.

        Raises RejectedRequestError where the amount cannot be known.
        """
        if request.least is not None:
            return require_card(self, request, facts)
        if self.whole_cards and request.memory is None:
            return GpuShare(None, request.count, request.cores)
        return require_known_size(request, facts)

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield what is wrong with amounts in this backend's names: suspicious units, percentages out of range."""
        del native_request, facts
        yield from ()

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield what is wrong with one container's request, native or about to be translated."""
        yield from exceeds(asked.request, facts)

    def amend(self, asked: ContainerRequest, facts: ClusterFacts) -> BackendPatch | None:
        """Return all resources of a native request with what it certainly lacks; None where nothing is missing."""
        del asked, facts
        return None

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what is wrong with the requests of a pod taken together."""
        del pod, asked, facts
        yield from ()

    def bind_container(self, backend_patch: BackendPatch, pod: Pod, container: Container) -> None:
        """Name the container in a translation that is written outside of the container."""
        del backend_patch, pod, container

    def complete_pod(self, pod: Pod, labels: Mapping[str, Any], facts: ClusterFacts) -> BackendPatch:
        """Return what a pod of this backend lacks besides its resources; its owner's labels come before its own.

        Raises RejectedRequestError where it lacks something that cannot be derived.
        """
        del pod, labels, facts
        return BackendPatch()

    def writes_variable(self, entry: Mapping[str, Any], asked: ContainerRequest, pod: Pod) -> bool:
        """Return whether an entry of ``env`` is exactly one that this backend's own components write.

        Called for a container whose request the backend read without a rejection, and only where the policy names the
        backend; such an entry is not reported.
        """
        del entry, asked, pod
        return False

    def writes_source(self, source: Mapping[str, Any], asked: ContainerRequest, pod: Pod) -> bool:
        """Return whether an entry of ``envFrom`` is exactly one that this backend's own components write, as above."""
        del source, asked, pod
        return False
