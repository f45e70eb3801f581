"""The checks on amounts and on placement: scheduler, node, runtime class, tolerations."""

from __future__ import annotations

from gpu_admission.backends import known, registry
from gpu_admission.backends.foreign import is_translated
from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import tolerations, visible_devices
from gpu_admission.rules.gpu_markers import NVIDIA_RUNTIME_CLASSES

from . import requested, variables
from .check import NOWHERE, Check, of_pod, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy

UNSET = ("", "default-scheduler")  # the latter is the API server's default
RUNTIME_CLASS = "object.spec.?runtimeClassName.orValue('')"
_SCHEDULER = "object.spec.?schedulerName.orValue('')"


def zero(policy: Policy) -> Iterator[Check]:
    """GPU006: zero devices, where no share of them is requested too (which other rules report)."""
    devices = gpu_names.which(policy, "k", lambda each: each.unit == "device" and each.system != "portable")
    amounts = "c.resources.requests"
    contradicted = any_of(
        _contradicted(policy, system, amounts) for system in sorted(set(known.CARD_COUNTERS.values()))
    )
    names = (
        f"{amounts}.filter(k, ({devices}) && quantity({amounts}[k]).compareTo(quantity('0')) == 0 && !({contradicted}))"
    )
    what = f"has(c.resources) && has({amounts}) ? {names}.join(', ') : ''"
    yield Check(
        "GPU006",
        variables.findings(f"({what})", "variables.all"),
        'container "{who}" sets {what} to 0, which reserves none, and under the NVIDIA runtime it may still see '
        "every GPU of the node; leave it out where no GPU is needed (and set NVIDIA_VISIBLE_DEVICES to void), or "
        "request 1",
    )


def _contradicted(policy: Policy, system: str, amounts: str) -> str:
    counters = [name for name, whose in known.CARD_COUNTERS.items() if whose == system]
    its = gpu_names.which(policy, "k", lambda each: each.system == system and each.name not in known.CARD_COUNTERS)
    other = gpu_names.which(policy, "o", lambda each: each.system == system)
    positive = requested.is_positive(f"{amounts}[o]")
    return f"((k in {texts(counters)} || {its}) && {amounts}.exists(o, o != k && ({other}) && {positive}))"


def foreign(policy: Policy) -> Iterator[Check]:
    """GPU101: a request by names that the policy's backend does not serve, and that are not translated in-tree."""
    names = gpu_names.which(policy, "k", lambda resource: is_translated(resource, policy))
    if names == "false":
        return
    positive = requested.is_positive("c.resources.requests[k]")
    found = (
        f"{requested.REQUESTS}.filter(k, ({names}) && {positive}).map(k, k + ': ' + c.resources.requests[k]).join(', ')"
    )
    title = registry.named(policy.backend.name).title
    yield Check(
        "GPU101",
        variables.findings(found, "variables.all"),
        'container "{who}" requests {what}, which nothing in this cluster offers: GPUs are served by '
        + title
        + "; write the "
        f"request with its resource names (gpu-admission translate --to {policy.backend.name} does)",
        fix="safe",
    )


def wanted_scheduler(policy: Policy) -> str | None:
    """Return the scheduler that pods of the policy's backend need, if any."""
    return policy.scheduler_name or registry.named(policy.backend.name).scheduler


def scheduler(policy: Policy) -> Iterator[Check]:
    """GPU202: another scheduler than the backend's, or (where that is not repaired) none."""
    wanted = wanted_scheduler(policy)
    if wanted is None:
        return
    yield Check(
        "GPU202",
        of_pod(f"variables.served && !({_SCHEDULER} in {texts([*UNSET, wanted])})", _SCHEDULER),
        f"the pod requests a GPU and its schedulerName is {{what}}, but in this cluster {wanted} shares out those "
        f"GPUs; write schedulerName: {wanted}, or leave it out",
        severity="error",
        fix="safe" if policy.spec.get("overwriteSchedulerName") else None,
    )
    yield Check(
        "GPU202",
        of_pod(f"variables.served && {_SCHEDULER} in {texts([each for each in UNSET if each != wanted])}"),
        f"the pod requests a GPU and schedulerName is not set: {wanted} allocates those GPUs, the default scheduler "
        f"does not know which are in use; write schedulerName: {wanted} into the pod's spec",
        severity="info",
        fix="safe",
    )


def node(_policy: Policy) -> Iterator[Check]:
    """GPU203: a pod with a nodeName."""
    name = "object.spec.?nodeName.orValue('')"
    yield Check(
        "GPU203",
        of_pod(f"{name} != '' && variables.wants", name),
        "the pod requests a GPU and sets nodeName to {what}, which bypasses the scheduler that counts free GPUs; "
        "remove nodeName and choose the node with nodeSelector or a nodeAffinity",
    )


def runtime_class(policy: Policy) -> Iterator[Check]:
    """GPU204: NVIDIA's runtime without a GPU, and (where that is not repaired) no runtime class."""
    yield Check(
        "GPU204",
        of_pod(_idle(), RUNTIME_CLASS),
        "the pod sets runtimeClassName to {what} but requests no GPU, and under that class an image that sets "
        "NVIDIA_VISIBLE_DEVICES sees every card of the node; request a GPU under resources.limits, or remove "
        "runtimeClassName, or set NVIDIA_VISIBLE_DEVICES to void in every container",
    )
    lacks = lacks_class(policy)
    if lacks:
        yield Check(
            "GPU204",
            of_pod(lacks),
            "the pod requests a GPU but sets no runtimeClassName, and GPUs of this cluster need "
            f"{policy.runtime_class}; write runtimeClassName: {policy.runtime_class}",
            fix="safe",
        )


def _idle() -> str:
    """Return the condition that a pod has NVIDIA's runtime, no GPU, and a container that may see cards."""
    hidden = (
        f"variables.all.all(c, has(c.env) && [c.env.filter(e, e.name == {text(visible_devices.NVIDIA)})].exists(n, "
        f"n.size() > 0 && [n[n.size() - 1]].exists(e, {variables.hides(visible_devices.NVIDIA)})))"
    )
    return (
        f"{RUNTIME_CLASS} in {texts(sorted(NVIDIA_RUNTIME_CLASSES))} && !variables.wants && "
        f"object.spec.?resourceClaims.orValue([]).size() == 0 && !{hidden}"
    )


def lacks_class(policy: Policy) -> str:
    """Return the condition that a pod needs the policy's runtime class and has none; empty without one."""
    if not policy.runtime_class:
        return ""
    wants = "variables.wants"
    if policy.runtime_class in NVIDIA_RUNTIME_CLASSES:
        wants = f"(variables.shares || variables.all.exists(c, {requested.of_vendors(policy, frozenset({'nvidia'}))}))"
    return f"{RUNTIME_CLASS} == '' && {wants}"


def tolerates(policy: Policy) -> Iterator[Check]:
    """GPU206: a pod that tolerates the taints of GPU nodes and requests no GPU."""
    keys = texts(sorted({*tolerations.taints(policy)} - {""}))
    given = (
        f"object.spec.?tolerations.orValue([]).filter(t, t.?key.orValue('') in {keys}).map(t, {pair(NOWHERE, 't.key')})"
    )
    daemon = "object.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'DaemonSet')"
    idle = f"!variables.wants && object.spec.?resourceClaims.orValue([]).size() == 0 && !{daemon}"
    yield Check(
        "GPU206",
        f"({idle} ? {given} : [])",
        "the pod tolerates the taint {what} of GPU nodes but requests no GPU, so it can take the place of pods that "
        "need one; remove the toleration, or request the GPU under resources.limits",
    )


def too_many(policy: Policy) -> Iterator[Check]:
    """GPU009, of one container: more than the policy allows, or not a number that it allows."""
    devices = gpu_names.which(policy, "k", lambda each: each.unit == "device")
    most, counts = policy.limits.get("perContainer"), sorted(policy.limits.get("counts") or ())
    amount = "quantity(c.resources.requests[k])"
    tests = [f"{amount}.isGreaterThan(quantity({text(str(most))}))"] * bool(most)
    if counts:
        tests.append(f"!{texts(map(str, counts))}.exists(x, {amount}.compareTo(quantity(x)) == 0)")
    if not tests:
        return
    positive = requested.is_positive("c.resources.requests[k]")
    names = f"{requested.REQUESTS}.filter(k, ({devices}) && {positive} && ({any_of(tests)}))"
    limits = [f"at most {most}"] * bool(most)
    limits += [f"one of {', '.join(map(str, counts))}"] * bool(counts)
    yield Check(
        "GPU009",
        variables.findings(f"{names}.map(k, k + ': ' + c.resources.requests[k]).join(', ')", "variables.all"),
        'container "{who}" requests {what}, and this cluster\'s policy allows '
        f"{' and '.join(limits)}; request that",
    )
