"""The cards that a container gets, and whether its variables show it others."""

from __future__ import annotations

from gpu_admission.core.raw import as_str

from . import backend_plan, common, env_vars, gpu_markers
from .runtime_variables import DEVICE_LISTS, FEATURES, SPACES, SWITCHES, device_list, tokens_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.backends.base import ContainerRequest
    from gpu_admission.backends.plan import PodPlan
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container, GpuRequest
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.resources import Resource
    from gpu_admission.workloads.workload import Workload

    from .env_vars import Variable
    from .runtime_variables import DeviceList

NVIDIA = "NVIDIA_VISIBLE_DEVICES"
ANY_VENDOR = "any"  # of a resource in the policy only, or in portable names that are not translated
_ON = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # true for Go's strconv.ParseBool
_NOBODY: frozenset[str] = frozenset()
# Vendors whose runtime gets cards by an annotation of the scheduler, to which a manifest's variable refers: owner of
# the annotation (gpu_markers.TRUSTED_ANNOTATIONS) -> vendor. The device plugins of NVIDIA and of its sharing systems
# set their variable themselves. Source: Ascend for Volcano's examples, which take ASCEND_VISIBLE_DEVICES so.
SET_BY_ANNOTATION = {"Ascend": "huawei", "Cambricon": "cambricon"}


def vendors(workload: Workload, pod: Pod, container: Container, policy: Policy) -> frozenset[str]:
    """Return the vendors of a container's cards: by its resources, or by annotation where the backend reads it.

    An annotation counts only where the policy's backend accepts it: it may be ``gpu-memory: x``.
    """
    found = _by_resources(container, policy) if container.gpus else _NOBODY
    if container is pod.shared_container and sound_share(workload, pod, container, policy) is not None:
        return found | {common.backend_vendor(policy)}
    return found


def _by_resources(container: Container, policy: Policy) -> frozenset[str]:
    """Return the vendors of the cards that a container's resources request, cached for many rules."""
    found: frozenset[str] | None = container.cache.get("vendors")
    if found is None:
        found = container.cache["vendors"] = frozenset([vendor(gpu, policy) for gpu in container.gpus if gpu.wants_gpu])
    return found


def vendor(gpu: GpuRequest, policy: Policy) -> str:
    """Return the vendor of a request's cards."""
    return vendor_of(gpu.resource, policy)


def vendor_of(resource: Resource, policy: Policy) -> str:
    """Return the vendor of a resource's cards; Intel's Gaudi has a runtime of its own."""
    if resource.system == "extra":
        return common.VENDORS.get(resource.vendor, ANY_VENDOR)
    if resource.system == "habana":
        return "habana"
    return common.backend_vendor(policy) if resource.vendor == "any" else resource.vendor


def is_given(asked: frozenset[str], who: str) -> bool:
    """Return whether a container gets cards of a vendor."""
    return who in asked or ANY_VENDOR in asked


def sound_share(
    workload: Workload, pod: Pod, container: Container, policy: Policy
) -> tuple[PodPlan, ContainerRequest] | None:
    """Return a container's request as the policy's own backend has read it; None where that rejects it.

    A missing queue is not a fault of the request.
    """
    if pod.scope != "request":
        return None
    plan = backend_plan.plan_of(workload, pod, policy)
    if plan is None or not plan.is_sound:
        return None
    native: dict[Pointer, ContainerRequest] | None = pod.cache.get("native")
    if native is None:
        native = pod.cache["native"] = {one.container.pointer: one for one in reversed(plan.asked) if one.native}
    found = native.get(container.pointer)
    return None if found is None else (plan, found)


def _licence(
    workload: Workload, pod: Pod, container: Container, policy: Policy
) -> tuple[PodPlan, ContainerRequest] | None:
    """Return a request for which the backend's components write, which they never do under another scheduler.

    A pod without a scheduler gets the backend's (GPU202).
    """
    read = sound_share(workload, pod, container, policy)
    own = None if read is None else policy.scheduler_name or read[0].backend.scheduler
    _, named = common.scheduler(workload, pod)
    return read if own is None or named in {"", "default-scheduler", own} else None


def is_licensed(workload: Workload, pod: Pod, variable: Variable, policy: Policy) -> bool:
    """Return whether a variable is exactly what the components of the policy's own backend write into such a pod."""
    read = _licence(workload, pod, variable.container, policy) if variable.value is None else None
    if read is None or len(variable.indices) > 1:
        return False
    plan, asked = read
    return plan.backend.writes_variable(variable.entry, asked, pod)


def is_licensed_source(
    workload: Workload, pod: Pod, container: Container, source: Mapping[str, Any], policy: Policy
) -> bool:
    """Return whether an ``envFrom`` is exactly what the components of the policy's own backend write."""
    read = _licence(workload, pod, container, policy)
    return read is not None and read[0].backend.writes_source(source, read[1], pod)


def may_show(workload: Workload, pod: Pod, variable: Variable, policy: Policy) -> bool:
    """Return whether a device list can show cards: by its value, or because its value is unknown.

    The policy's own value (``visibleDevices``) is the administrator's choice.
    """
    known = device_list(variable.name)
    if known is None:
        return False
    if variable.value is None:
        if _is_schedulers(workload, pod, variable, known, policy):
            return False
        return not is_licensed(workload, pod, variable, policy)
    if variable.name == NVIDIA:
        served = is_given(vendors(workload, pod, variable.container, policy), "nvidia")
        if variable.value == wanted(policy, served=served):
            return False
    return not known.shows_none(variable.value)


def is_unfilled(workload: Workload, value: str | None) -> bool:
    """Return whether a variable's value is a placeholder, other than Kubernetes' own ``$(A)``."""
    return value is not None and "$(" not in value and common.unfilled(workload, value)


def wanted(policy: Policy, *, served: bool) -> str | None:
    """Return the policy's value for a container with NVIDIA's cards, or for one without."""
    value = as_str(policy.visible_devices.get("served" if served else "gpuLess"))
    if not value and not served and every_pod(policy):
        return "void"
    return None if value in {"", "leave"} else value


def every_pod(policy: Policy) -> bool:
    """Return whether the policy hides all cards from the containers of all pods that get none."""
    return policy.visible_devices.get("everyPod") is True


def blinding(known: DeviceList, policy: Policy | None = None) -> str:
    """Return the value that shows no card: the policy's own if it is one."""
    value = wanted(policy, served=False) if policy is not None and known.name == NVIDIA else None
    return value if value is not None and known.shows_none(value) else known.blind


def off(name: str, policy: Policy | None = None) -> str:
    """Return the value with which a list shows no card, or a switch has no effect."""
    known = DEVICE_LISTS.get(name)
    return SWITCHES[name].off if known is None else blinding(known, policy)


def blinded(container: Container) -> bool:
    """Return whether a container itself hides all cards from NVIDIA's runtime."""
    found = env_vars.variables(container, (NVIDIA,))
    return bool(found) and found[0].value is not None and DEVICE_LISTS[NVIDIA].shows_none(found[0].value)


def _is_schedulers(workload: Workload, pod: Pod, variable: Variable, known: DeviceList, policy: Policy) -> bool:
    """Return whether the value is an annotation that the vendor's own scheduler writes (users may not: GPU307)."""
    start, _, rest = variable.field_path.partition("['")
    key, _, _ = rest.partition("']")
    owner = gpu_markers.TRUSTED_ANNOTATIONS.of(key) if start == "metadata.annotations" else None
    if owner is None or SET_BY_ANNOTATION.get(owner) != known.vendor:
        return False
    return is_given(vendors(workload, pod, variable.container, policy), known.vendor)


def is_on(variable: Variable) -> bool:
    """Return whether one of the toolkit's switches is on, as the toolkit reads its value."""
    value = variable.value
    if value is None:
        return True
    if variable.name in FEATURES:
        return value == "enabled"
    if variable.name == "NVIDIA_IMEX_CHANNELS":  # read as a list of cards is
        words = tokens_of(value)
        return bool(words) and "void" not in words
    return value in _ON if variable.name == "NVIDIA_DISABLE_REQUIRE" else bool(value.strip(SPACES))
