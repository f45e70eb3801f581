"""GPU308: a variable that switches the limits of a sharing backend off."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import env_vars, triggers, visible_devices
from gpu_admission.rules.common import backend_vendor
from gpu_admission.rules.runtime_variables import ISOLATION_PREFIXES, ISOLATION_SWITCHES, PRELOAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.env_vars import Variable
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.device_classes import ClassFacts
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.resources import Resource
    from gpu_admission.workloads.workload import Workload

ID = "GPU308"
PRELOADING = frozenset({"tencent", "tensor-fusion"})  # systems without a backend here that use such a library
HARMLESS = {  # values that leave the limits in force
    "CGPU_DISABLE": frozenset({"", "false", "0"}),
    PRELOAD: frozenset({""}),
}


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find such variables on containers that get a share of an NVIDIA card."""
    for pod in workload.pods:
        for container in pod.containers:
            systems = _sharing(pod, container, policy)
            if not systems:
                continue
            names = [name for name in ISOLATION_SWITCHES if name != PRELOAD or _preloads(systems)]
            for variable in env_vars.variables(container, names, ISOLATION_PREFIXES):
                if not (_is_harmless(variable) or visible_devices.is_licensed(workload, pod, variable, policy)):
                    yield _problem(variable)
            wanted = (*names, *ISOLATION_PREFIXES)
            for source in env_vars.open_sources(container, wanted, ISOLATION_PREFIXES, prefixed=True):
                can = f"can set {source.listed} and so lift the limits on its share of the GPU"
                what = f"{container.label} takes variables from an envFrom"
                message = what, f" with the prefix {format_value(source.prefix)}, which {can}"
                yield Problem(source.pointer, message, "list the variables under env instead")


def _sharing(pod: Pod, container: Container, policy: Policy) -> frozenset[str]:
    """Return the systems that give a container a share of an NVIDIA card, to which these variables apply.

    A share is recognised by its resource's name, by KAI's annotation, or by the policy's backend if that shares cards.
    """
    own = [gpu for gpu in container.gpus if gpu.wants_gpu and visible_devices.vendor(gpu, policy) == "nvidia"]
    found = {gpu.resource.system for gpu in own if gpu.resource.sharing == "shared"}
    if container is pod.shared_container:
        found.add("kai")
    found |= {each.driver.sharer for each in _classes(pod, container) if each.driver is not None and each.driver.sharer}
    name = per_pod.backend_name(pod, policy)
    divided = any(not is_whole(gpu.resource, name, policy) for gpu in own)
    if name in known.SHARES_CARDS and backend_vendor(policy) == "nvidia" and (divided or found):
        found.add(name)
    return frozenset(found)


def is_whole(resource: Resource, backend: str, policy: Policy) -> bool:
    """Return whether an NVIDIA resource is a card or partition of its own under a backend that shares cards."""
    from gpu_admission.backends import foreign  # noqa: PLC0415 - start-up time: needed only with shared GPUs

    if resource.sharing == "partition":
        return True
    return (
        resource.name == "nvidia.com/gpu"
        and backend in known.GPU_IS_CARD
        and not foreign.is_translated(resource, policy)
    )


def _classes(pod: Pod, container: Container) -> Iterator[ClassFacts]:
    """Yield the classes of the claims that give a container a GPU."""
    for reference in pod.claims.of(container):
        if reference.gpu and reference.claim is not None:
            yield from reference.claim.classes


def _preloads(systems: frozenset[str]) -> bool:
    """Return whether any of the systems limits a share by a library that is loaded before the program's own."""
    from gpu_admission.backends import registry  # noqa: PLC0415 - start-up time: needed only with shared GPUs

    return not PRELOADING.isdisjoint(systems) or any(
        registry.named(system).preloads for system in systems if system in registry.NAMES
    )


def _is_harmless(variable: Variable) -> bool:
    return variable.value is not None and variable.value.lower() in HARMLESS.get(variable.name, ())


def _problem(variable: Variable) -> Problem:
    value = f"from {variable.source}" if variable.value is None else format_value(variable.value)
    return Problem(
        variable.pointer,
        (
            f"{variable.container.label} sets {variable.name} ({value})",
            ", which can lift the limits that keep it to its share of the GPU",
        ),
        (f"remove {variable.name}", "; to use a whole GPU, request a whole one"),
    )


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          volcano.sh/vgpu-number: 1
          volcano.sh/vgpu-memory: 4096
"""

RULE = Rule(
    id=ID,
    name="isolation-switch",
    severity="error",
    since="0.1.0",
    summary="a variable that switches a sharing backend's limits off",
    rationale="""\
HAMi, Volcano's vGPU and cGPU limit a container to its share of a card by a library loaded into its programs, and
variables control that library: `CUDA_DISABLE_CONTROL` disables it, `CUDA_DEVICE_MEMORY_LIMIT` and
`CUDA_DEVICE_SM_LIMIT` are the limits themselves, `LD_PRELOAD` can put another one in its place, `CUDA_MPS_*` selects
another MPS daemon. A pod that sets them takes memory that is allocated to others, which then fail. On whole cards and
on other vendors' the same variables are harmless and not reported, nor is `LD_PRELOAD` where shares are not limited by
a preloaded library. KAI's plugin hamicore takes `CUDA_DEVICE_MEMORY_LIMIT` from the pod's own ConfigMap: exactly that
reference is allowed under KAI's policy.""",
    references=(
        "Project-HAMi/HAMi: docs/config.md",
        "kai-scheduler/KAI-Scheduler: pkg/admission/webhook/v1alpha2/hamicore/hamicore.go",
        "Project-HAMi/volcano-vgpu-device-plugin: pkg/plugin/vgpu/plugin.go",
        "https://docs.nvidia.com/deploy/mps/index.html",
    ),
    bad=f'{_POD}      env:\n        - name: CUDA_DISABLE_CONTROL\n          value: "true"\n',
    good=_POD,
    scope="request",
    check=check,
    when=triggers.gpu_variable,
)
