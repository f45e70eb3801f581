"""The decision on a pod's GPU requests under a policy: unchanged, translated, or rejected.

A pod is never partly translated: where any request is rejected or cannot be read, nothing is written.
"""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.core.raw import as_dict, format_value
from gpu_admission.workloads.claim_index import NO_CLAIMS

from . import foreign, mixtures, registry
from .base import ClusterFacts, ContainerRequest
from .checks import require_plausible
from .native_request import (
    DRA,
    KAI,
    UnreadableRequestError,
    native_requests,
    require_countable,
)
from .per_pod import backend_name, is_per_pod
from .portable import BackendPatch, GpuShare
from .rejection import EXCEEDS, MIXED, QUEUE, UNIT, UNTRANSLATABLE, RejectedRequestError, Rejection
from .request_cache import RequestCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claim_index import ClaimIndex
    from gpu_admission.workloads.pod import Pod

    from .base import Backend
    from .native_request import NativeRequest
    from .rejection import Kind

_MOST_TRANSLATED = 512  # containers; no node runs as many with GPUs, and a review must end in time


class PodPlan:
    """The decision on one pod.

    ``metadata`` are the pod's, at the pointer ``metadata_at`` (None: not in the object). ``asked`` are the requests
    that the backend serves or will serve; ``rejections`` what is wrong with them; ``unreadable`` means that an amount
    is not valid (other rules report it); ``completion`` is what the pod lacks besides its resources. ``claim_index``
    has the known device classes.
    """

    __slots__ = (
        "asked",
        "backend",
        "claim_index",
        "completion",
        "facts",
        "metadata",
        "metadata_at",
        "rejections",
        "request_cache",
        "unreadable",
    )

    def __init__(
        self, backend: Backend, facts: ClusterFacts, request_cache: RequestCache, claim_index: ClaimIndex = NO_CLAIMS
    ) -> None:
        self.backend = backend
        self.facts = facts
        self.request_cache = request_cache
        self.claim_index = claim_index
        self.metadata: Mapping[str, Any] = {}
        self.metadata_at: Pointer | None = None
        self.asked: list[ContainerRequest] = []
        self.rejections: list[Rejection] = []
        self.unreadable = False
        self.completion = BackendPatch()

    @property
    def served(self) -> bool:
        """Whether the backend serves anything of the pod, as it is or once it is translated."""
        return any(one.native for one in self.asked) or (self.translatable and bool(self.asked))

    @property
    def translatable(self) -> bool:
        """Whether nothing prevents writing the translations."""
        return not self.unreadable and all(rejection.severity == "warning" for rejection in self.rejections)

    @property
    def is_sound(self) -> bool:
        """Whether the backend rejects none of the requests; a missing queue does not count."""
        return not self.unreadable and all(each.severity == "warning" or each.kind == QUEUE for each in self.rejections)

    @property
    def translations(self) -> list[ContainerRequest]:
        """The requests that are to be rewritten."""
        return [one for one in self.asked if one.backend_patch is not None]

    def refuse(self, native_request: NativeRequest, refused: RejectedRequestError) -> None:
        """Record a rejection of one container's request."""
        self.rejections.append(
            Rejection(
                self._place(native_request, refused),
                refused.message(f"{native_request.container.label} requests {native_request.description}"),
                refused,
                native_request.evidence,
                native_request.system,
            )
        )

    def _place(self, native_request: NativeRequest, refused: RejectedRequestError) -> Pointer:
        """Return the pointer to the resource or annotation that is at fault, else to the request."""
        about = refused.about or _of_memory(native_request, refused.kind)
        place = native_request.place_of(about)
        if place is None and about is not None and self.metadata_at is not None:
            place = (*self.metadata_at, "annotations", about)
            return place if about in as_dict(self.metadata.get("annotations")) else native_request.pointer
        return place or native_request.pointer


def _of_memory(native_request: NativeRequest, kind: Kind) -> str | None:
    """Return which of several resources counts memory, where an amount of memory is rejected."""
    counted = [name for name, gpu in native_request.gpus.items() if gpu.resource.unit == "memory"]
    return counted[0] if counted and kind in {EXCEEDS, UNIT} else None


@lru_cache(maxsize=64)
def chosen(policy: Policy, name: str) -> tuple[Backend, ClusterFacts, RequestCache]:
    """Return a backend of a policy, its facts, and the cache of requests read under it."""
    facts = ClusterFacts.chosen_by_pod(policy) if is_per_pod(policy) else ClusterFacts.of(policy)
    return registry.named(name), facts, RequestCache()


def work_out(
    pod: Pod,
    metadata: Mapping[str, Any],
    metadata_at: Pointer | None,
    policy: Policy,
    owner_labels: Mapping[str, Any] | None = None,
    claim_index: ClaimIndex = NO_CLAIMS,
) -> PodPlan:
    """Return the decision on a pod.

    ``metadata_at`` is None where the pods' metadata is not in the object; ``owner_labels`` are the labels of the object
    that makes the pods, where there is one; ``claim_index`` has the known device classes.
    """
    backend, facts, request_cache = chosen(policy, backend_name(pod, policy))
    plan = PodPlan(backend, facts, request_cache, claim_index)
    plan.metadata, plan.metadata_at = metadata, metadata_at
    own = backend.own(facts)
    claims = facts.claims and backend.name != DRA
    found = list(native_requests(pod, metadata, metadata_at or (), kai=KAI in own, claims=claims))
    if not found:
        return plan
    _take_all(plan, found, own)
    if plan.asked:
        _judge_together(plan, pod, found)
        owned = {key: label for key, label in (owner_labels or {}).items() if label is not None}
        _complete(plan, pod, {**as_dict(metadata.get("labels")), **owned}, metadata_at)
    return plan


def _take_all(plan: PodPlan, found: list[NativeRequest], own: frozenset[str]) -> None:
    others = [native_request for native_request in found if native_request.system not in own]
    if len(others) > _MOST_TRANSLATED and not plan.facts.per_pod:
        plan.refuse(others[0], _too_many(len(others)))
        return
    mixed = mixtures.rejections(found) if len(found) > 1 else {}
    plan.rejections.extend(mixed.values())
    for native_request in found:
        if native_request.container.pointer not in mixed:
            _take(plan, native_request, native=native_request.system in own)


def _too_many(count: int) -> RejectedRequestError:
    return RejectedRequestError(
        UNTRANSLATABLE,
        f"in a pod where {count} containers request GPUs in names other than this cluster's, "
        f"and at most {_MOST_TRANSLATED} of a pod are translated",
        "spread the containers over several pods",
    )


def _take(plan: PodPlan, native_request: NativeRequest, *, native: bool) -> None:
    """Read one container's request, and translate it where it is not in the backend's own names."""
    source = plan.backend if native else foreign.reader(plan, native_request)
    try:
        if source is None:
            require_countable(native_request)
            return
        request, doubts = _read(plan, native_request, source, native=native)
        for doubt in doubts:
            doubt.severity = doubt.severity or ("warning" if native and doubt.kind == UNIT else "error")
            plan.refuse(native_request, doubt)
        asked = ContainerRequest(native_request, source, request, native=native)
        if native:
            accepted = _is_accepted(plan, asked)
            asked.backend_patch = plan.backend.amend(asked, plan.facts) if accepted and not doubts else None
            plan.asked.append(asked)
        elif not doubts:
            _translate(plan, asked)
    except UnreadableRequestError:
        plan.unreadable = True
    except RejectedRequestError as refused_outright:
        plan.refuse(native_request, refused_outright)


def _translate(plan: PodPlan, asked: ContainerRequest) -> None:
    """Write a request in the backend's names. Raises RejectedRequestError where that is not possible."""
    foreign.require_vendor(plan, asked.native_request)
    asked.request = plan.backend.sized(asked.request, plan.facts)
    if _is_accepted(plan, asked):
        require_plausible(asked.request)
        asked.backend_patch = plan.backend.write(asked.request, plan.facts)
        plan.asked.append(asked)


def _is_accepted(plan: PodPlan, asked: ContainerRequest) -> bool:
    """Return whether the backend rejects nothing of one container's request; rejections go to the plan."""
    refused = list(plan.backend.check_container(asked, plan.facts))
    for one in refused:
        plan.refuse(asked.native_request, one)
    return not refused


def _read(
    plan: PodPlan, native_request: NativeRequest, source: Backend, *, native: bool
) -> tuple[GpuShare, list[RejectedRequestError]]:
    """Return the request as a backend reads it, with what is suspicious or would be dropped by a translation."""
    key = plan.request_cache.key(native_request, source, native=native)
    request, doubts = plan.request_cache.get(key), []
    if request is None:
        facts = plan.facts if native else plan.facts.elsewhere()
        require_countable(native_request)
        request = source.read(native_request, facts)
        doubts = list(source.check_amounts(native_request, facts))
        if not doubts:
            plan.request_cache.keep(key, request)
    return request, doubts if native else [*doubts, *foreign.dropped(native_request, request)]


def _vendors_to_be(plan: PodPlan) -> set[str]:
    """Return the vendor of the cards that translations will request, which the portable names leave to the policy."""
    return {plan.backend.vendor(plan.facts)} if plan.translations else set()


def _judge_together(plan: PodPlan, pod: Pod, found: list[NativeRequest]) -> None:
    for one, refused in plan.backend.check_pod(pod, plan.asked, plan.facts):
        plan.refuse(one.native_request, refused)
    if len(found) == 1 and len(found[0].gpus) < 2:
        return  # nothing to combine
    for native_request in found:
        other = plan.asked[0].container
        if native_request.system in plan.backend.excludes and native_request.container is not other:
            reason = f"but {other.label} requests a share by {plan.backend.title}, and no node offers both"
            plan.refuse(native_request, RejectedRequestError(MIXED, reason, "move one of the two to a pod of its own"))
    vendors = sorted(mixtures.vendors(found) | _vendors_to_be(plan))
    if len(vendors) > 1 and not plan.backend.allows_mixed_vendors and not any(v.kind == MIXED for v in plan.rejections):
        them = "both" if len(vendors) == 2 else "all of them"
        reason = f"in a pod that requests GPUs of {mixtures.several(vendors)}, and no node offers {them}"
        advice = "give those of each vendor a pod of its own"
        plan.refuse(found[-1], RejectedRequestError(MIXED, reason, advice))


def _agree_on_nodes(plan: PodPlan) -> None:
    """Give every container the node affinity of the most demanding one: the pod runs on one node."""
    asking = [
        one.backend_patch for one in plan.translations if one.backend_patch is not None and one.backend_patch.affinity
    ]
    wanted = [expression for backend_patch in asking for expression in backend_patch.affinity]
    most = max(wanted, key=lambda expression: int(expression["values"][0]), default=None)
    for backend_patch in asking:
        backend_patch.affinity = (most,) if most is not None else ()


def _complete(plan: PodPlan, pod: Pod, labels: Mapping[str, Any], metadata_at: Pointer | None) -> None:
    """Add what the translations need besides resources; ``labels`` are the pod's and, first, its owner's."""
    _agree_on_nodes(plan)
    selected = dict(as_dict(pod.spec.get("nodeSelector")))
    for one in plan.translations:
        backend_patch = one.backend_patch or BackendPatch()
        plan.backend.bind_container(backend_patch, pod, one.container)
        for key, value in backend_patch.node_selector.items():
            if selected.setdefault(key, value) != value:
                reason = f"which needs a node with {key}: {value}, and the pod chooses {format_value(selected[key])}"
                advice = f"leave {key} out of nodeSelector"
                plan.refuse(one.native_request, RejectedRequestError(UNTRANSLATABLE, reason, advice))
    if metadata_at is None:
        return
    try:
        plan.completion = plan.backend.complete_pod(pod, labels, plan.facts)
        for one in plan.translations[:1]:
            (one.backend_patch or BackendPatch()).labels.update(plan.completion.labels)
    except RejectedRequestError as refused:
        if plan.facts.per_pod:
            refused.severity = "warning"  # the queues of the cluster are not known
        plan.refuse(plan.asked[0].native_request, refused)
