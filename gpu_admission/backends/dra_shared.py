"""One ResourceClaim for the pods of a workload, which share its devices.

It reserves the memory of all of them; exclusive devices cannot be shared. Kubernetes lets 256 pods use a claim
(kubernetes/api resource/v1: ResourceClaimReservedForMaxSize).
"""

from __future__ import annotations

from gpu_admission.workloads.replicas import most_pods

from . import dra_devices
from .portable import format_memory
from .rejection import EXCEEDS, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

    from .base import ClusterFacts, ContainerRequest
    from .dra_settings import DraSettings
    from .portable import GpuShare

_MOST_PODS = 256
_LONGEST_NAME = 253
_WITHOUT_CLAIMS = "translate it without --claims: each pod then has a claim of its own"
_PODS = "pods that share claims"  # key in the cache of a pod: how many replicas it has


def note(workload: Workload, pod: Pod) -> None:
    """Store in a pod how many replicas of it run at once: the backend does not see the owner.

    An object without a name (``generateName``) may exist any number of times, and its claim would have no name.
    """
    pod.cache[_PODS] = most_pods(workload) if workload.ref.name else None


def claim_name(workload: Workload, template: str) -> str:
    """Return the name of the claim that a workload's pods share: ``deployment-web-gpu-8gi``."""
    end = f"-{template}"
    name = workload.ref.name or "unnamed"
    return f"{workload.kind.lower()}-{name}"[: _LONGEST_NAME - len(end)].rstrip("-.") + end


def pods_of(pod: Pod) -> int | None:
    """Return how many replicas of a pod run at once, None where that is unknown."""
    pods: int | None = pod.cache.get(_PODS)
    return pods


def check_pod(
    pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts, settings: DraSettings
) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
    """Yield what the pods of a workload cannot share."""
    users: dict[str, int] = {}
    pods = pods_of(pod)
    for one in asked:
        for template in one.backend_patch.claims.values() if one.backend_patch is not None else ():
            users[template] = users.get(template, 0) + (pods or 0)
    for one in asked:
        if one.backend_patch is None or not one.backend_patch.claims:
            continue
        (template,) = one.backend_patch.claims.values()
        refused = _refused(one.request, pods, users[template], facts, settings)
        if refused is not None:
            yield one, refused


def _refused(
    request: GpuShare, pods: int | None, users: int, facts: ClusterFacts, settings: DraSettings
) -> RejectedRequestError | None:
    """Return why so many users cannot share one claim; None where they can."""
    if pods is None or pods > _MOST_PODS:
        return _not_countable(pods)
    if users <= 1:
        return None
    if dra_devices.is_exclusive(request, settings):
        return RejectedRequestError.amount(
            UNTRANSLATABLE,
            ("a device of its own", f", and {users} containers would share one by one claim"),
            _WITHOUT_CLAIMS,
        )
    return _beyond_card(request, users, facts)


def _not_countable(pods: int | None) -> RejectedRequestError:
    many = f"in {pods} pods" if pods else "in an object without a name, of pods on several nodes, or of no known number"
    reason = many, f", and a claim is for at most {_MOST_PODS} pods on one node"
    return RejectedRequestError(UNTRANSLATABLE, reason, _WITHOUT_CLAIMS)


def _beyond_card(request: GpuShare, users: int, facts: ClusterFacts) -> RejectedRequestError | None:
    """Return why one card cannot serve all users; None where it can."""
    if request.percent is not None and request.percent * users > 100:
        return RejectedRequestError.amount(
            UNTRANSLATABLE,
            f"{request.percent} percent of the compute for each of {users} containers that share one claim",
            (f"request {100 // users} percent", ", or translate it without --claims"),
        )
    memory = (request.memory or 0) * users
    if facts.largest is None or memory <= facts.largest:
        return None
    return RejectedRequestError.amount(
        EXCEEDS,
        f"{format_memory(memory)} on one GPU for {users} containers that share a claim, and the largest card of "
        f"this cluster has {format_memory(facts.largest)}",
        ("translate it without --claims", ", or run fewer pods"),
    )
