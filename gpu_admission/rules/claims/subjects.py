"""The subjects of the rules on claims: claim objects and pods' claims, except those known not to be for GPUs."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.workloads import claims as reading
from gpu_admission.workloads import device_classes
from gpu_admission.workloads.claim_index import CLAIM, DEVICE_CLASS, GROUP, TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import ClaimSpec, DeviceRequest, PodClaim
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.pod_claims import ClaimReference
    from gpu_admission.workloads.workload import Workload

LONGEST_LABEL, LONGEST_SUBDOMAIN = 63, 253
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_GPU_WORDS = ("gpu", "nvidia", "cuda", "mig-", "accelerator")  # in an unknown name
_CLAIM_KINDS = frozenset({CLAIM, TEMPLATE})


def is_label(name: str) -> bool:
    """Return whether a name is a DNS label by Kubernetes' rules."""
    import re  # noqa: PLC0415 - only where there are claims

    return len(name) <= LONGEST_LABEL and re.fullmatch(_LABEL, name, re.ASCII) is not None


def is_subdomain(name: str) -> bool:
    """Return whether a name is a DNS subdomain by Kubernetes' rules, as objects' names are."""
    import re  # noqa: PLC0415 - as above

    return len(name) <= LONGEST_SUBDOMAIN and all(re.fullmatch(_LABEL, part, re.ASCII) for part in name.split("."))


def spec_of(workload: Workload, policy: Policy) -> ClaimSpec | None:
    """Return what a ResourceClaim or ResourceClaimTemplate requests; None for other kinds and other devices."""
    if workload.group != GROUP or workload.kind not in _CLAIM_KINDS:
        return None
    if "claim" not in workload.cache:
        spec = reading.read_spec(workload.object)
        known = {
            None if facts is None else facts.is_gpu
            for facts in [
                reading.class_facts(name, policy, workload.claim_index)
                for name in dict.fromkeys(request.class_name for request in spec.all_requests())
            ]
        }
        workload.cache["claim"] = None if known == {False} else spec
    found: ClaimSpec | None = workload.cache["claim"]
    return found


def place(workload: Workload, spec: ClaimSpec, *below: str | int) -> Pointer:
    """Return a pointer below the spec of a claim."""
    return (*workload.pointer, *spec.pointer, *below)


def requests(workload: Workload, policy: Policy) -> Iterator[tuple[ClaimSpec, DeviceRequest, Pointer]]:
    """Yield what a claim object requests, alternatives one by one, with the pointer to each."""
    spec = spec_of(workload, policy)
    if spec is not None:
        for request in spec.all_requests():
            yield spec, request, place(workload, spec, *request.pointer)


def classes(workload: Workload) -> bool:
    """Return whether an object is a DeviceClass."""
    return workload.group == GROUP and workload.kind == DEVICE_CLASS


def configurations(workload: Workload, policy: Policy) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Yield the driver configurations of a claim object or a DeviceClass, with the pointer to each."""
    if classes(workload):
        facts = device_classes.of_object(workload.object)
        if facts is None or facts.is_gpu:
            for index, config in iter_dicts(as_dict(workload.object.get("spec")).get("config")):
                yield (*workload.pointer, "spec", "config", index), config
    spec = spec_of(workload, policy)
    if spec is not None:
        for index, config in iter_dicts(as_dict(spec.raw.get("devices")).get("config")):
            yield place(workload, spec, "devices", "config", index), config


def claims(workload: Workload) -> Iterator[tuple[Pod, PodClaim]]:
    """Yield the claims of all pods of an object, except those known not to be for GPUs."""
    for pod in workload.pods:
        for claim in pod.claims.claims:
            if claim.gpu is not False:
                yield pod, claim


def references(pod: Pod) -> Iterator[tuple[Container, ClaimReference]]:
    """Yield the references of a pod's containers to its claims, except those known not to be for GPUs."""
    for container in pod.containers:
        for reference in pod.claims.of(container):
            if reference.gpu is not False:
                yield container, reference


def is_likely_gpu(claim: PodClaim) -> bool:
    """Return whether a claim is for GPUs, or is unknown and has such a name."""
    if claim.gpu is not None:
        return claim.gpu
    names = f"{claim.name} {claim.source_name}".lower()
    return any([word in names for word in _GPU_WORDS])


def quoted(names: list[str], most: int = 8) -> str:
    """Return quoted names for a message."""
    shown = ", ".join(f'"{as_str(name)[:63]}"' for name in names[:most])
    return f"{shown}, …" if len(names) > most else shown
