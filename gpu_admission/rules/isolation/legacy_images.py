"""Legacy images, from before device lists: what makes a runtime treat a container as one and show all cards."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.rules import env_vars, intent, visible_devices
from gpu_admission.rules.runtime_variables import DEVICE_LISTS, LEGACY, LEGACY_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.env_vars import Variable
    from gpu_admission.rules.runtime_variables import Legacy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload


def problems(
    rule: str, workload: Workload, pod: Pod, container: Container, asked: frozenset[str], policy: Policy
) -> Iterator[Problem]:
    """Yield containers without a card of a vendor to which its runtime shows all of them.

    ``asked`` are the vendors whose cards the container gets.
    """
    if not pod.complete:
        return
    if LEGACY.keys().isdisjoint(container.env_names) and not env_vars.has_prefix(container):
        return  # nothing sets any of them
    found: dict[str, Variable] | None = None
    for each in LEGACY.values():
        if visible_devices.is_given(asked, each.vendor) or not container.env_names.isdisjoint(each.lists):
            continue
        if found is None:
            found = {one.name: one for one in env_vars.variables(container, LEGACY_VARIABLES)}
        if not any(_is_filled(found.get(name)) for name in each.unless):
            yield from _problem(rule, workload, pod, container, each, found.get(each.name), policy)


def _is_filled(variable: Variable | None) -> bool:
    return variable is not None and bool(variable.value)


def _problem(
    rule: str,
    workload: Workload,
    pod: Pod,
    container: Container,
    kind: Legacy,
    variable: Variable | None,
    policy: Policy,
) -> Iterator[Problem]:
    place = _place(container, kind, variable)
    if place is None:
        return
    pointer, how = place
    name = kind.lists[0]
    value = visible_devices.blinding(DEVICE_LISTS[name], policy)
    fix: tuple[Operation, ...] = ()
    if intent.may_be_blinded(workload, pod, container, policy, kind.vendor):
        fix, _ = env_vars.appended(rule, workload, container, {name: value})
    yield Problem(
        pointer,
        (
            f"{container.label} {how} and does not set {name}",
            ", so that the container runtime treats it as an old image and shows it all cards of the node",
        ),
        (f"add {name} with the value {format_value(value)} to its env", ", or request GPUs under resources.limits"),
        fix=fix,
        safety="safe" if kind.severity == "error" else "unsafe",
        severity=kind.severity,
    )


def _place(container: Container, kind: Legacy, variable: Variable | None) -> tuple[Pointer, str] | None:
    """Return what sets the variable, or may set it, and its description; None where nothing does."""
    if variable is not None:
        if variable.value == "":
            return None
        value = f"from {variable.source}" if variable.value is None else format_value(variable.value)
        return variable.pointer, f"sets {kind.name} ({value})"
    for source in env_vars.open_sources(container, [kind.name], prefixed=True):
        return (
            source.pointer,
            f"takes variables with the prefix {format_value(source.prefix)}, which can set {kind.name},",
        )
    return None
