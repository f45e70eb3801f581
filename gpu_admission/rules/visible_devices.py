"""Whose cards a container is given, and whether its variables show it others."""

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
ANY_VENDOR = "any"  # of a resource that only the policy knows, or in portable names that nothing translates
_ON = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # what Go's strconv.ParseBool takes for true
_NOBODY: frozenset[str] = frozenset()
# Whose runtime may be given cards by an annotation that the scheduler writes, in a manifest's names: owner of the
# annotation (gpu_markers.TRUSTED_ANNOTATIONS) -> vendor. The device plugins of NVIDIA and of its sharing systems
# set their variable themselves. Source: Ascend for Volcano's examples, which take ASCEND_VISIBLE_DEVICES so.
SET_BY_ANNOTATION = {"Ascend": "huawei", "Cambricon": "cambricon"}


def vendors(workload: Workload, pod: Pod, container: Container, policy: Policy) -> frozenset[str]:
    """Return whose cards a container will be given: by its resources, or by annotation where the backend reads it.

    An annotation counts only where the policy's backend reads it and finds nothing wrong with it: anybody can write
    ``gpu-memory: x``.
    """
    found = _by_resources(container, policy) if container.gpus else _NOBODY
    if container is pod.shared_container and sound_share(workload, pod, container, policy) is not None:
        return found | {common.backend_vendor(policy)}
    return found


def _by_resources(container: Container, policy: Policy) -> frozenset[str]:
    """Return whose cards a container's resources request, worked out once: many rules want to know."""
    found: frozenset[str] | None = container.cache.get("vendors")
    if found is None:
        found = container.cache["vendors"] = frozenset([vendor(gpu, policy) for gpu in container.gpus if gpu.wants_gpu])
    return found


def vendor(gpu: GpuRequest, policy: Policy) -> str:
    """Return who makes the card that a request stands for."""
    return vendor_of(gpu.resource, policy)


def vendor_of(resource: Resource, policy: Policy) -> str:
    """Return who makes the card that a resource stands for; Intel's Gaudi has a runtime of its own."""
    if resource.system == "extra":
        return common.VENDORS.get(resource.vendor, ANY_VENDOR)
    if resource.system == "habana":
        return "habana"
    return common.backend_vendor(policy) if resource.vendor == "any" else resource.vendor


def is_given(asked: frozenset[str], who: str) -> bool:
    """Tell whether cards of a vendor are among those that a container is given."""
    return who in asked or ANY_VENDOR in asked


def sound_share(
    workload: Workload, pod: Pod, container: Container, policy: Policy
) -> tuple[PodPlan, ContainerRequest] | None:
    """Return a container's request as the policy's own backend has read it; None where it finds anything wrong.

    A missing queue is no fault of the request: who misses it says so.
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
    """Return a request for which the backend's components write; they never do for a pod of another scheduler's.

    One that names none is given the backend's (GPU202).
    """
    read = sound_share(workload, pod, container, policy)
    own = None if read is None else policy.scheduler_name or read[0].backend.scheduler
    _, named = common.scheduler(workload, pod)
    return read if own is None or named in {"", "default-scheduler", own} else None


def is_licensed(workload: Workload, pod: Pod, variable: Variable, policy: Policy) -> bool:
    """Tell whether a variable is exactly what the components of the policy's own backend write into such a pod."""
    read = _licence(workload, pod, variable.container, policy) if variable.value is None else None
    if read is None or len(variable.indices) > 1:
        return False
    plan, asked = read
    return plan.backend.writes_variable(variable.entry, asked, pod)


def is_licensed_source(
    workload: Workload, pod: Pod, container: Container, source: Mapping[str, Any], policy: Policy
) -> bool:
    """Tell whether an ``envFrom`` is exactly what the components of the policy's own backend write."""
    read = _licence(workload, pod, container, policy)
    return read is not None and read[0].backend.writes_source(source, read[1], pod)


def may_show(workload: Workload, pod: Pod, variable: Variable, policy: Policy) -> bool:
    """Tell whether a device list can show cards: by its value, or because nobody can tell its value.

    What the policy itself wants there (``visibleDevices``) is the administrator's affair.
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
    """Tell whether a variable's value has yet to be filled in, by others than Kubernetes, which reads ``$(A)``."""
    return value is not None and "$(" not in value and common.unfilled(workload, value)


def wanted(policy: Policy, *, served: bool) -> str | None:
    """Return the value that the policy wants on a container that is given NVIDIA's cards, or on one that is not."""
    value = as_str(policy.visible_devices.get("served" if served else "gpuLess"))
    if not value and not served and every_pod(policy):
        return "void"
    return None if value in {"", "leave"} else value


def every_pod(policy: Policy) -> bool:
    """Tell whether the policy wants the containers of all pods blinded that are given no card."""
    return policy.visible_devices.get("everyPod") is True


def blinding(known: DeviceList, policy: Policy | None = None) -> str:
    """Return the value that shows no card: the policy's own where that is one."""
    value = wanted(policy, served=False) if policy is not None and known.name == NVIDIA else None
    return value if value is not None and known.shows_none(value) else known.blind


def off(name: str, policy: Policy | None = None) -> str:
    """Return the value by which a list shows nothing, or a switch opens nothing."""
    known = DEVICE_LISTS.get(name)
    return SWITCHES[name].off if known is None else blinding(known, policy)


def blinded(container: Container) -> bool:
    """Tell whether a container says itself that NVIDIA's runtime shall show it no card."""
    found = env_vars.variables(container, (NVIDIA,))
    return bool(found) and found[0].value is not None and DEVICE_LISTS[NVIDIA].shows_none(found[0].value)


def _is_schedulers(workload: Workload, pod: Pod, variable: Variable, known: DeviceList, policy: Policy) -> bool:
    """Tell whether the value is an annotation that the vendor's own scheduler writes (users may not: GPU307)."""
    start, _, rest = variable.field_path.partition("['")
    key, _, _ = rest.partition("']")
    owner = gpu_markers.TRUSTED_ANNOTATIONS.of(key) if start == "metadata.annotations" else None
    if owner is None or SET_BY_ANNOTATION.get(owner) != known.vendor:
        return False
    return is_given(vendors(workload, pod, variable.container, policy), known.vendor)


def is_on(variable: Variable) -> bool:
    """Tell whether one of the toolkit's switches is on, as the toolkit reads its value."""
    value = variable.value
    if value is None:
        return True
    if variable.name in FEATURES:
        return value == "enabled"
    if variable.name == "NVIDIA_IMEX_CHANNELS":  # read as a list of cards is
        words = tokens_of(value)
        return bool(words) and "void" not in words
    return value in _ON if variable.name == "NVIDIA_DISABLE_REQUIRE" else bool(value.strip(SPACES))
