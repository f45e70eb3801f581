"""GPU301: a variable shows the container cards that it did not request."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import SEVERITIES, Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import env_vars, intent, triggers, visible_devices
from gpu_admission.rules.runtime_variables import DEVICE_LIST_FAMILIES, DEVICE_LISTS, LEGACY, SWITCHES, device_list

from . import legacy_images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.env_vars import OpenSource, Variable
    from gpu_admission.rules.runtime_variables import DeviceList
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU301"
NAMES = (*DEVICE_LISTS, *SWITCHES)
_WANTED = frozenset(NAMES)
_NAUGHTS = ("", "none", "void")  # usual values for no card


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find variables of a container runtime that show cards, or more than cards, beside the device plugin."""
    for pod, container in workload.containers():
        asked = visible_devices.vendors(workload, pod, container, policy)
        for variable in env_vars.variables(container, _WANTED, DEVICE_LIST_FAMILIES):
            known = device_list(variable.name)
            if known is not None and visible_devices.may_show(workload, pod, variable, policy):
                unfilled = visible_devices.is_unfilled(workload, variable.value)
                yield _unfilled(variable) if unfilled else _device_list(pod, variable, known, asked, policy)
            elif variable.name in SWITCHES and visible_devices.is_on(variable):
                unfilled = visible_devices.is_unfilled(workload, variable.value)
                yield _unfilled(variable) if unfilled else _switch(variable, served=bool(asked))
        for source in env_vars.open_sources(container, NAMES, DEVICE_LIST_FAMILIES, prefixed=True):
            yield _source(workload, pod, container, source, policy)
        yield from legacy_images.problems(ID, workload, pod, container, asked, policy)


def _unfilled(variable: Variable) -> Problem:
    """Warn of a placeholder and leave it to its author: its value may show cards, or none."""
    return Problem(
        variable.pointer,
        f"{variable.container.label} sets {variable.name} to {format_value(variable.value)}, which has yet to be "
        "filled in and can show it cards of the node that it was not given",
        f"request GPUs under resources.limits instead of filling in {variable.name}",
        severity="warning",
    )


def _device_list(pod: Pod, variable: Variable, known: DeviceList, asked: frozenset[str], policy: Policy) -> Problem:
    name, container = variable.name, variable.container
    if variable.value is None:
        summary, why = f"takes {name} from {variable.source}", ", which can show it any card of the node"
    else:
        summary = f"sets {name} to {format_value(variable.value)}"
        why = ", which shows it cards of the node that it was not given"
    served = pod.serves(container) or visible_devices.is_given(asked, known.vendor)
    fix, advice, instead = env_vars.removed(ID, variable), "request GPUs under resources.limits", ""
    if served or not pod.complete:
        advice, instead = f"remove {name}", ": the device plugin sets it to the cards that the container gets"
    elif known.family:
        instead = f" instead of setting {name}"
    else:
        value = visible_devices.blinding(known, policy)
        instead = f", or set {name} to {format_value(value)} to show none"
        fix = _blinded(variable, value)
    message = (f"{container.label} {summary}", why)
    return Problem(variable.pointer, message, (advice, instead), fix=fix, safety="unsafe")


def _switch(variable: Variable, *, served: bool) -> Problem:
    switch = SWITCHES[variable.name]
    severity = switch.severity
    if served and severity == "warning":
        severity = "info"  # faster access to the container's own card
    value = f"from {variable.source}" if variable.value is None else format_value(variable.value)
    return Problem(
        variable.pointer,
        (f"{variable.container.label} sets {variable.name} ({value})", f", which opens {switch.opens}"),
        (f"remove {variable.name}", ": what a GPU pod may reach is set up by the cluster's administrator"),
        severity=severity,
    )


def _source(workload: Workload, pod: Pod, container: Container, source: OpenSource, policy: Policy) -> Problem:
    """Yield prefixes that can form such variables; the repair sets them in env, which wins over envFrom."""
    severities = ["error" if name in DEVICE_LISTS else SWITCHES[name].severity for name in source.names]
    fix: tuple[Operation, ...] = ()
    reachable = not any(name in DEVICE_LIST_FAMILIES for name in source.names)  # no entry of env prevents those
    if reachable and intent.may_be_blinded(workload, pod, container, policy):
        values = {name: visible_devices.off(name, policy) for name in source.names}
        fix, _ = env_vars.appended(ID, workload, container, values)
    return Problem(
        source.pointer,
        (
            f"{container.label} takes variables from an envFrom",
            (
                f" with the prefix {format_value(source.prefix)}, which can complete to a variable that shows it cards "
                "that it did not request"
            ),
        ),
        ("list the variables under env instead", f", or set {source.listed} there too (env wins over envFrom)"),
        fix=fix,
        safety="safe",
        severity=min(severities, key=SEVERITIES.index),
    )


def _blinded(variable: Variable, value: str) -> tuple[Operation, ...]:
    place = (*variable.container.pointer, "env", variable.indices[-1])
    return (patch.replace(ID, place, {"name": variable.name, "value": value}),)


def _reads(*, repaired: bool) -> Reads:
    """Return the lists and those switches that are more than a note to a pod without a GPU, and old images' variables.

    ``repaired``: only those that the safe fix changes.
    """
    switches = {name: ("", switch.off) for name, switch in SWITCHES.items() if switch.severity != "info"}
    images = {name: each for name, each in LEGACY.items() if each.severity != "info"}
    variables: dict[str, Collection[str]] = dict.fromkeys(images, ("",))
    if not repaired:
        for name, each in DEVICE_LISTS.items():
            variables[name] = variables[f"{name}*" if each.family else name] = [
                value for value in _NAUGHTS if each.shows_none(value)
            ]
        variables |= switches
    families = [f"{name}*" for name in DEVICE_LIST_FAMILIES]
    unless = {
        name: {**dict.fromkeys(each.unless, True), **dict.fromkeys(each.lists, False)} for name, each in images.items()
    }
    return Reads(variables=variables, unless=unless, completed=(*DEVICE_LISTS, *families, *switches, *images))


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
NVIDIA's container toolkit gives a container the cards in `NVIDIA_VISIBLE_DEVICES`, by default also if the container is
unprivileged. The kubelet applies the device plugin's value first and the pod's own after it: a pod that sets the
variable to `all`, an index or a UUID uses cards that are allocated to others, whether it requested a GPU or not. Other
vendors' runtimes have similar variables. The value may be literal, composed from other variables, or from a ConfigMap
whose content is unknown. `CUDA_VISIBLE_DEVICES` is not such a variable: it only selects among the container's own
cards.""",
    references=(
        "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
        "https://github.com/NVIDIA/nvidia-container-toolkit/blob/main/internal/config/config.go",
        "ROCm/container-toolkit: internal/oci/oci.go",
    ),
    bad=f"{_POD}        - name: NVIDIA_VISIBLE_DEVICES\n          value: all\n{_LIMITS}",
    good=f"{_POD}{_LIMITS}",
    check=check,
    when=triggers.gpu_variable,
    reads=_reads(repaired=False),
    reads_at_mutation=_reads(repaired=True),
    fix="safe",
)
