"""Containers that are meant to have a GPU but request it wrongly: cards are not hidden from them."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict, escape
from gpu_admission.workloads import resources

from . import common, misplaced_resources, misspelt_keys, resource_rename, visible_devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

CLAIM = "the claim"
ANNOTATION = "the annotation that requests a share of a GPU"
_MAY_BE_UNREAD = frozenset({"", CLAIM, ANNOTATION})
WORDS = ("gpu", "nvidia", "cuda")  # in an unknown name
# Network cards under a GPU vendor's domain: NVIDIA/network-operator (hostdev, SR-IOV and shared RDMA devices)
OF_NETWORKS = ("hostdev", "rdma", "roce", "sriov", "mlnx", "nic")


def to_have_a_gpu(workload: Workload, pod: Pod, container: Container, policy: Policy) -> str:
    """Return a container's mistaken request for a GPU, for a message; empty where there is none.

    That is a claim, even a misplaced one (unless it is known not to be for GPUs), a name that is misspelt or looks like
    a GPU's or is a placeholder, a resource where Kubernetes does not read it or below a misspelt key, or an annotation
    that no backend reads or accepts.
    """
    if (
        pod.claims.idle
        or pod.claims.serve(container) is not False
        or any(["claims" in each for each in _around(container)])
    ):
        return CLAIM
    for name in (*container.limits, *container.requests):
        unknown = policy.classify(name) is None and resources.is_extended(name) and _may_be_a_gpus(name)
        if unknown or common.unfilled(workload, name):
            return f"the request for {escape(name[:80])}"
    if container is pod.shared_container:
        return ANNOTATION
    elsewhere: dict[Pointer, str] | None = pod.cache.get("meant")
    if elsewhere is None:
        elsewhere = pod.cache["meant"] = _elsewhere(workload, pod, policy)
    return elsewhere.get(container.pointer) or elsewhere.get(pod.pointer, "")


def _around(container: Container) -> tuple[Mapping[str, object], ...]:
    """Return the places where claims may be by mistake."""
    return container.limits, container.requests, container.spec


def _may_be_a_gpus(name: str) -> bool:
    _, _, device = name.lower().partition("/")
    if "gpu" not in device and any(word in device for word in OF_NETWORKS):
        return False
    return any(word in name.lower() for word in WORDS)


def _elsewhere(workload: Workload, pod: Pod, policy: Policy) -> dict[Pointer, str]:
    """Return what other rules find, by the intended container, or by the pod where it may be any."""
    found: dict[Pointer, str] = {}
    for misplaced in misplaced_resources.find(workload, policy):
        found[pod.pointer if misplaced.target is None else misplaced.target.pointer] = (
            "the GPU that is requested in the wrong place"
        )
    for container, _, _ in resource_rename.misspelt(workload, policy):
        found[container.pointer] = "the request whose name is misspelt"
    for container, place, _ in misspelt_keys.find(workload, policy):
        keys = as_dict(pointers.resolve(workload.document, place))
        if any(misspelt_keys.has_gpu(side, policy) for side in (keys, *keys.values())):
            found[container.pointer] = f'the key "{escape(str(place[-1])[:80])}"'
    return found


def may_be_blinded(
    workload: Workload, pod: Pod, container: Container, policy: Policy, vendor: str | None = None
) -> bool:
    """Return whether hiding all cards from a container does not hide one that it gets, or is meant to have.

    ``vendor`` None is any vendor.

    Devices of claims are not selected by a list (NVIDIA's driver for claims sets void itself), and an annotation that
    the policy's backend does not read has no effect.
    """
    given = visible_devices.vendors(workload, pod, container, policy) if pod.complete else {visible_devices.ANY_VENDOR}
    if given and (vendor is None or visible_devices.is_given(frozenset(given), vendor)):
        return False
    return may_be_unread(to_have_a_gpu(workload, pod, container, policy))


def may_be_unread(meant: str) -> bool:
    """Return whether hiding all cards does no harm: no backend reads the annotation, or it has no meaning."""
    return meant in _MAY_BE_UNREAD
