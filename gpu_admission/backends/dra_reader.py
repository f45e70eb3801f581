"""What a container requests by claims whose template is known: the portable request, or why there is none.

A claim can express more than other backends can (constraints, alternatives, selectors of any kind): whatever is not
fully understood is refused, because a translation would drop it.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, escape, format_value, iter_dicts
from gpu_admission.workloads.claim_index import TEMPLATE

from .dra_devices import MOST_CLAIMS, MOST_DEVICES
from .dra_drivers import NVIDIA
from .dra_request import refused, share_of
from .portable import GpuShare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from gpu_admission.workloads.claims import DeviceRequest, PodClaim
    from gpu_admission.workloads.device_classes import ClassFacts
    from gpu_admission.workloads.pod_claims import ClaimReference

    from .base import ClusterFacts
    from .native_request import NativeRequest


MOST_ALTERNATIVES = 8  # kubernetes/api: resource/v1/types.go, FirstAvailableDeviceRequestMaxSize


def read(native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
    """Return what a container requests by claims, or in the names of device classes.

    Raises RejectedRequestError where no other backend can express it.
    """
    if not native_request.claims:
        return _of_classes(native_request)
    if len(native_request.claims) > MOST_CLAIMS:
        raise refused(
            f"{len(native_request.claims)} claims, and no node has as many GPUs", f"use {MOST_CLAIMS} at most"
        )
    shares = [share for reference in native_request.claims for share in _of_reference(reference, native_request, facts)]
    first = shares[0]
    if any(share != first for share in shares):
        raise refused("several requests that differ", "give each container devices of one kind")
    first.count = sum(share.count for share in shares)
    return first


def _of_classes(native_request: NativeRequest) -> GpuShare:
    """Return a number of whole devices of a class, for which Kubernetes makes a claim."""
    if any(gpu.resource.sharing == "partition" for gpu in native_request.gpus.values()):
        raise refused(
            "a MIG device of any profile, and other backends have to know how large it is",
            "request a profile by its name (nvidia.com/mig-1g.10gb: 1)",
        )
    return GpuShare(
        None, sum(native_request.amount(name) or 0 for name in native_request.gpus), consumed=native_request.gpus
    )


def _used(reference: ClaimReference) -> Iterator[DeviceRequest]:
    """Yield the requests of a claim that a container uses: the named one, or all."""
    spec = _claim(reference).spec
    for request in spec.requests if spec is not None else ():
        if not reference.request or reference.request.partition("/")[0] == request.name:
            yield request


def _claim(reference: ClaimReference) -> PodClaim:
    assert reference.claim is not None  # noqa: S101 - for mypy: a reference without a claim is not to a GPU
    return reference.claim


def _of_reference(reference: ClaimReference, native_request: NativeRequest, facts: ClusterFacts) -> list[GpuShare]:
    claim = _claim(reference)
    _require_seen(claim)
    assert claim.spec is not None  # noqa: S101 - for mypy: its spec is known
    if len(claim.spec.requests) > MOST_DEVICES:
        raise refused(
            f"a claim with {len(claim.spec.requests)} requests, and Kubernetes takes at most {MOST_DEVICES}",
            "give the template fewer requests",
        )
    used = list(_used(reference))
    if not used:
        raise refused(
            "a request that the claim does not have", "name a request of the template, or none for all of them"
        )
    devices = as_dict(claim.spec.raw.get("devices"))
    _require_no_ties(devices, claim.spec.requests, used)
    met = [_met(request, devices, claim.classes, facts) for request in used]
    if native_request.sharer is not None and not all(is_shared for _, is_shared in met):
        other = native_request.sharer.label
        raise refused(
            f"a claim that {other} uses too, and no other backend gives two containers one share",
            "give each container a claim of its own",
        )
    return [share for share, _ in met]


def _require_seen(claim: PodClaim) -> None:
    """Raise RejectedRequestError for a claim that is not among the inputs, and for one that several pods share."""
    name = escape(claim.source_name[:63])
    if claim.spec is None:
        what, it = (
            ("the ResourceClaim", "it") if claim.source != TEMPLATE else ("the ResourceClaimTemplate", "the template")
        )
        raise refused(f"a claim of {what} {name}, which is not among the inputs", f"name the file with {it}, too")
    if claim.pods != 1:
        who = f"{claim.pods} pods use" if claim.pods else "several pods may use"
        raise refused(
            f"the ResourceClaim {name}, which {who}: they share its devices, and no other backend has pods share a "
            "request",
            "make a ResourceClaimTemplate of it, if each pod is to have devices of its own",
        )


def _met(
    request: DeviceRequest, devices: Mapping[str, Any], classes: Sequence[ClassFacts], facts: ClusterFacts
) -> tuple[GpuShare, bool]:
    """Return what satisfies a request, and whether its driver lets several users share it.

    Any of the alternatives may be allocated: they must mean the same.
    """
    name, count = format_value(request.name), len(request.alternatives)
    if count > MOST_ALTERNATIVES:
        raise refused(
            f"the request {name} with {count} alternatives, and Kubernetes takes at most {MOST_ALTERNATIVES}",
            "leave the others out",
        )
    met = []
    for each in request.each():
        names = {request.name, f"{request.name}/{each.name}"} if request.alternatives else {request.name}
        sharing = _sharing(devices, names)
        met.append((*share_of(each, classes, facts, sharing), sharing is not None))
    first = met[0]
    if any(each != first for each in met):
        raise refused(
            f"the request {name}, whose alternatives (firstAvailable) give different devices, and no other backend "
            "has a second choice",
            "keep the one alternative that this cluster has",
        )
    return first[0], first[2]


def _require_no_ties(
    devices: Mapping[str, Any], requests: Sequence[DeviceRequest], used: Sequence[DeviceRequest]
) -> None:
    """Raise RejectedRequestError for constraints between devices, except that they differ: all backends ensure that.

    A constraint also ties a container's devices to those of others that use the same claim.
    """
    for _, constraint in iter_dicts(devices.get("constraints")):
        meant = constraint.get("requests")
        names = {str(name).partition("/")[0] for name in meant} if isinstance(meant, list) else set()
        tied = [request for request in requests if not names or request.name in names]
        several = len(tied) > 1 or any((each.count or 1) > 1 for request in tied for each in request.each())
        concerned = any(request is each for request in tied for each in used)
        if several and concerned and constraint.get("distinctAttribute") is None:
            what = format_value(as_str(constraint.get("matchAttribute")) or "something")
            raise refused(
                f"several devices with the same {what}, and no other backend chooses devices that belong together",
                "leave the constraint out, if the pod can do without it",
            )


def _sharing(devices: Mapping[str, Any], names: set[str]) -> Mapping[str, Any] | None:
    """Return how NVIDIA's driver is configured to share the devices of some requests; None where it is not."""
    found: Mapping[str, Any] | None = None
    for _, config in iter_dicts(devices.get("config")):
        meant = config.get("requests")
        if isinstance(meant, list) and meant and names.isdisjoint(str(name) for name in meant):
            continue
        opaque = as_dict(config.get("opaque"))
        parameters = as_dict(opaque.get("parameters"))
        found = as_dict(parameters.get("sharing"))
        if opaque.get("driver") != NVIDIA.domain or found.get("strategy") not in {"TimeSlicing", "MPS"}:
            raise refused(
                f"a device configured for the driver {format_value(opaque.get('driver'))}, which no other backend does",
                "leave the configuration out of the template, if the pod can do without it",
            )
    return found
