"""The number of GPUs of a pod's claims, compared with the policy's limits (for GPU009)."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import escape
from gpu_admission.rules import device_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import DeviceRequest, PodClaim
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.pod_claims import ClaimReference


def problems(pod: Pod, policy: Policy) -> Iterator[Problem]:
    """Find containers and pods whose claims give too many GPUs, where the claims are known; each claim counts once."""
    found = [each for container in pod.containers for each in _of_container(pod, container, policy)]
    yield from found
    claimed = sum(_count(claim, claim.spec.requests) for claim in pod.claims.claims if claim.gpu and claim.spec)
    most = policy.limits.get("perPod")
    if found or not claimed:
        return
    total = claimed + device_count.needed(pod, lambda gpu: gpu.resource.unit == "device")
    if most is not None and total > most:
        yield Problem(
            (*pod.pointer, "resourceClaims"),
            (
                f"the claims and containers of the pod request {total} GPUs together",
                f", and this cluster's policy allows {most} per pod",
            ),
            f"request {most} at most",
            evidence=(total,),
        )


def _of_container(pod: Pod, container: Container, policy: Policy) -> Iterator[Problem]:
    most, counts = policy.limits.get("perContainer"), policy.limits.get("counts")
    for reference in pod.claims.of(container):
        count = _given(reference)
        if not count or reference.claim is None:
            continue
        asks = f'{container.label} is given {count} GPUs by the claim "{escape(reference.name[:63])}"'
        largest = device_count.largest_node(policy, _vendor(reference.claim))
        if most is not None and count > most:
            message, advice = (
                f"{asks}, and this cluster's policy allows {most} per container",
                f"request {most} at most",
            )
        elif counts and count not in counts:
            allowed = ", ".join(map(str, sorted(counts)))
            message, advice = f"{asks}, and this cluster's policy allows only {allowed}", f"request one of {allowed}"
        elif largest and count > largest and _are_whole(reference.claim):
            message = f"{asks}, and the largest node has {largest}: the pod would stay Pending forever"
            advice = f"request {largest} at most, and spread the work over several pods"
        else:
            continue
        yield Problem(reference.pointer, message, advice, evidence=(reference.name, reference.request, count))


def _given(reference: ClaimReference) -> int:
    """Return how many GPUs a container gets; 0 where that is unknown."""
    claim = reference.claim
    if claim is None or claim.spec is None or not reference.gpu:
        return 0
    one = claim.spec.request(reference.request) if reference.request else None
    return _count(claim, claim.spec.requests if one is None else (one,))


def _count(claim: PodClaim, requests: Iterable[DeviceRequest]) -> int:
    """Return the GPUs of some requests, the fewest of alternatives; admin access takes none."""
    gpus = {facts.name for facts in claim.classes if facts.is_gpu}
    counts = [
        min([each.count or 0 for each in request.each()])
        for request in requests
        if gpus.issuperset([each.class_name for each in request.each()]) and not request.is_admin
    ]
    return sum(count for count in counts if count > 0)


def _vendor(claim: PodClaim) -> str:
    return next((facts.vendor for facts in claim.classes if facts.is_gpu), "")


def _are_whole(claim: PodClaim) -> bool:
    return all(facts.sharing == "exclusive" for facts in claim.classes if facts.is_gpu)
