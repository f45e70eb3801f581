"""GPU301: a variable shows the container cards that it did not request."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown

from . import devices, environment, markers, occasions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod, Workload

    from .environment import Variable

ID = "GPU301"
_NAMES = frozenset({*markers.DEVICE_LISTS, *markers.SWITCHES})
_NAUGHTS = ("", "none", "void")  # how people write that a container shall see no card
_OFF = ("", "disabled")


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find variables of a container runtime that show cards, or more than cards, beside the device plugin."""
    for pod, container in workload.containers():
        for variable in environment.variables(container, _NAMES):
            if variable.name in markers.SWITCHES and devices.is_on(variable):
                yield _switch(variable, asks=pod.serves(container))
            elif variable.name in markers.DEVICE_LISTS and devices.may_show(pod, variable, policy):
                yield _device_list(pod, variable)
        for place, prefix, name in environment.completing(container, markers.DEVICE_LISTS):
            yield Problem(
                place,
                f"{container.label} takes variables from an envFrom with the prefix {shown(prefix)}, "
                f"which can set {name}, and so show it cards that it did not request",
                f"list the variables under env instead, or set {name} there too (env wins over envFrom)",
            )


def _device_list(pod: Pod, variable: Variable) -> Problem:
    name, container = variable.name, variable.container
    if variable.value is None:
        said = f"takes {name} from {variable.source}, which can show it any card of the node"
    else:
        said = f"sets {name} to {shown(variable.value)}, which shows it cards of the node that it was not given"
    asks = pod.serves(container)
    advice = "request GPUs under resources.limits"
    if asks or not pod.complete:
        advice = f"remove {name}: the device plugin sets it to the cards that the container gets"
    elif name == devices.NVIDIA:
        advice += f', or set {name} to "void" to show none'
    else:
        advice += f" instead of setting {name}"
    void = name == devices.NVIDIA and pod.complete and not asks
    fix = _void(variable) if void else _removal(variable)
    return Problem(variable.pointer, f"{container.label} {said}", advice, fix=fix, safety="unsafe")


def _switch(variable: Variable, *, asks: bool) -> Problem:
    opens, severity = markers.SWITCHES[variable.name]
    if asks and severity == "warning":
        severity = "info"  # a faster way to the container's own card
    value = f"from {variable.source}" if variable.value is None else shown(variable.value)
    return Problem(
        variable.pointer,
        f"{variable.container.label} sets {variable.name} ({value}), which opens {opens}",
        f"remove {variable.name}: what a GPU pod may reach is set up by the cluster's administrator",
        severity=severity,
    )


def _void(variable: Variable) -> tuple[Operation, ...]:
    place = (*variable.container.pointer, "env", variable.indices[-1])
    return (patch.replace(ID, place, {"name": variable.name, "value": "void"}),)


def _removal(variable: Variable) -> tuple[Operation, ...]:
    """Remove every entry of the name, since an earlier one would count then; last ones first, for the indices."""
    place = (*variable.container.pointer, "env")
    if len(variable.indices) == len(variable.container.spec["env"]):
        return (patch.remove(ID, place),)
    return tuple(patch.remove(ID, (*place, index)) for index in reversed(variable.indices))


def _reads() -> Reads:
    """Return the device lists and those switches that are more than a note to a pod without a GPU."""
    lists = {name: [value for value in _NAUGHTS if devices.shows_none(value)] for name in markers.DEVICE_LISTS}
    switches = {
        name: _OFF if name in markers.FEATURES else _OFF[:1]
        for name, (_, severity) in markers.SWITCHES.items()
        if severity != "info"
    }
    return Reads(variables={**lists, **switches}, completed=markers.DEVICE_LISTS)


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      env:
        - name: EPOCHS
          value: "3"
"""
_LIMITS = """\
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="visible-devices",
    severity="error",
    since="0.1.0",
    summary="a variable shows a container cards that it did not request",
    rationale="""\
NVIDIA's container toolkit hands a container the cards that `NVIDIA_VISIBLE_DEVICES` names, and by default obeys
unprivileged containers too. The kubelet applies the device plugin's value first and the pod's own after it: a
pod that sets the variable to `all`, an index or a UUID works on cards that were given to others, whether it
requested a GPU or not. Other vendors' runtimes have variables like it. It makes no difference whether the value
stands there, is put together from other variables, or comes from a ConfigMap that nobody has looked at.
`CUDA_VISIBLE_DEVICES` is no such variable: it only narrows what the container has.""",
    references=(
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
        "https://github.com/NVIDIA/nvidia-container-toolkit/blob/main/internal/config/config.go",
        "ROCm/container-toolkit: internal/oci/oci.go",
    ),
    bad=f"{_POD}        - name: NVIDIA_VISIBLE_DEVICES\n          value: all\n{_LIMITS}",
    good=f"{_POD}{_LIMITS}",
    check=check,
    when=occasions.gpu_variable,
    reads=_reads(),
    fix="unsafe",
)
