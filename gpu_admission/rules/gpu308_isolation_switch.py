"""GPU308: a variable that switches the limits of a sharing backend off."""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown

from . import environment, markers, occasions
from .common import asked_vendors, backend_vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod, Workload

    from .environment import Variable

ID = "GPU308"
_HARMLESS = {  # values that leave the limits in force
    "CGPU_DISABLE": frozenset({"", "false", "0"}),
    "LD_PRELOAD": frozenset({""}),
}


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find such variables on containers that get a share of a card."""
    for pod in workload.pods:
        if not _shares(pod, policy):
            continue
        for container in pod.containers:
            if not pod.serves(container):
                continue
            found = environment.variables(container, markers.ISOLATION_SWITCHES, markers.ISOLATION_PREFIXES)
            yield from (_problem(variable) for variable in found if not _is_harmless(variable))
            for place, prefix, name in environment.completing(container, markers.ISOLATION_SWITCHES):
                yield Problem(
                    place,
                    f"{container.label} takes variables from an envFrom with the prefix {shown(prefix)}, "
                    f"which can set {name} and so lift the limits on its share of the GPU",
                    "list the variables under env instead",
                )


def _shares(pod: Pod, policy: Policy) -> bool:
    """Tell whether a pod gets shares of cards: by the resource's name, by annotation, or by the policy's backend."""
    if any(gpu.asks and gpu.resource.sharing == "shared" for gpu in pod.gpus) or pod.shares:
        return True
    return policy.backend.name in known.SHARES_CARDS and backend_vendor(policy) in asked_vendors(pod, policy)


def _is_harmless(variable: Variable) -> bool:
    return variable.value is not None and variable.value.lower() in _HARMLESS.get(variable.name, ())


def _problem(variable: Variable) -> Problem:
    value = f"from {variable.source}" if variable.value is None else shown(variable.value)
    return Problem(
        variable.pointer,
        f"{variable.container.label} sets {variable.name} ({value}), "
        "which can lift the limits that keep it to its share of the GPU",
        f"remove {variable.name}; to use a whole GPU, request a whole one",
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
HAMi, Volcano's vGPU and cGPU keep a container to its share of a card by a library loaded into its programs, and that
library obeys variables: `CUDA_DISABLE_CONTROL` keeps it out, `CUDA_DEVICE_MEMORY_LIMIT` and `CUDA_DEVICE_SM_LIMIT`
are the limits themselves, `LD_PRELOAD` can put another one in its place, `CUDA_MPS_*` leads to another MPS daemon. A
pod that sets them takes memory that the scheduler gave to others, who then fail for want of it. On whole cards
the same variables are harmless and not reported.""",
    references=(
        "Project-HAMi/HAMi: docs/config.md",
        "Project-HAMi/volcano-vgpu-device-plugin: pkg/plugin/vgpu/plugin.go",
        "https://docs.nvidia.com/deploy/mps/index.html",
    ),
    bad=f'{_POD}      env:\n        - name: CUDA_DISABLE_CONTROL\n          value: "true"\n',
    good=_POD,
    needs="request",
    check=check,
    when=occasions.gpu_variable,
)
