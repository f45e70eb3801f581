"""The checks of the guardrails: memory and CPU beside a GPU, where GPU pods run, pods with all devices of a node."""

from __future__ import annotations

from gpu_admission.registration import globs
from gpu_admission.registration.cel_literals import any_of, pattern, text, texts
from gpu_admission.rules import node_selection

from . import isolation, requested, variables, volumes
from .check import NOWHERE, Check, of_pod, pair
from .placement import RUNTIME_CLASS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy

_SELECTOR = "object.spec.?nodeSelector.orValue({})"
_REQUIRED = (
    "object.spec.?affinity.?nodeAffinity.?requiredDuringSchedulingIgnoredDuringExecution.?nodeSelectorTerms.orValue([])"
)
_MOST_SHOWN = 3


def host_requests(policy: Policy) -> Iterator[Check]:
    """GPU501: memory whose request is not its limit, and no CPU, of containers with a GPU or of the whole pod."""
    serves = f"({requested.of(policy)}) || c.name in variables.share"
    found = {
        "memory": "sets no memory limit that equals its memory request, so it may be killed when its node runs short "
        "of memory; set resources.requests.memory and resources.limits.memory to what it needs",
        "cpu": "sets no CPU request, so it may get no CPU to feed its GPU with; set resources.requests.cpu to what it "
        "needs",
    }
    for name, message in found.items():
        pod = f"object.spec.?resources.?limits[?{text(name)}].hasValue() || "
        pod += f"object.spec.?resources.?requests[?{text(name)}].hasValue()"
        bad = {"memory": _unequal, "cpu": _is_nothing}[name]
        label = pair("'container \"' + string(c.name) + '\"'", NOWHERE)
        each = f"variables.all.filter(c, ({serves}) && {bad('c', name)}).map(c, {label})"
        whole = f"({bad('object.spec', name)} ? [{pair(text('the pod'), NOWHERE)}] : [])"
        yield Check("GPU501", f"(variables.wants ? ({pod} ? {whole} : {each}) : [])", "{who} has a GPU and " + message)


def _given(owner: str, side: str, name: str) -> str:
    return f"{owner}.?resources.?{side}[?{text(name)}].orValue('0')"


def _is_nothing(owner: str, name: str) -> str:
    """Return the condition that no amount above zero is requested or limited."""
    sides = [f"!({requested.is_positive(_given(owner, side, name))})" for side in ("limits", "requests")]
    return " && ".join(sides)


def _unequal(owner: str, name: str) -> str:
    """Return the condition that there is no limit, or a request below it."""
    limit, request = (_given(owner, side, name) for side in ("limits", "requests"))
    given = f"{owner}.?resources.?limits[?{text(name)}].hasValue()"
    return f"(!{given} || quantity({request}).isLessThan(quantity({limit})))"


def node_targeting(policy: Policy) -> Iterator[Check]:
    """GPU504: a pod with a GPU that does not select its node by a label of GPU nodes."""
    labels = policy.guardrails.node_labels.patterns
    shown = ", ".join(labels[:_MOST_SHOWN]) + (", ..." if len(labels) > _MOST_SHOWN else "")
    yield Check(
        "GPU504",
        of_pod(untargeted(policy)),
        f"the pod requests a GPU and does not select its node by a label of GPU nodes ({shown}): it may run on any "
        "kind of GPU node; write a label of the GPU nodes it needs under nodeSelector, or require one by node affinity",
        fix="safe" if policy.guardrails.node_selector else None,
    )


def untargeted(policy: Policy) -> str:
    """Return the condition that a pod with a GPU may run on any node (``rules.node_selection``)."""
    labels = list(policy.guardrails.node_labels.patterns)
    operators = texts(sorted(node_selection.SELECTING))
    by_name = "t.?matchFields.orValue([]).exists(f, f.operator == 'In')"
    by_label = f"t.?matchExpressions.orValue([]).exists(e, e.operator in {operators} && {_is_one_of('e.key', labels)})"
    required = f"[{_REQUIRED}].exists(l, l.size() > 0 && l.all(t, {by_name} || {by_label}))"
    selected = f"{_SELECTOR}.exists(k, {_is_one_of('k', labels)})"
    return f"variables.wants && object.spec.?nodeName.orValue('') == '' && !({selected} || {required})"


def node_in_hand(_policy: Policy) -> Iterator[Check]:
    """GPU507: privileges and mounts that lead to every device of the node, in a pod that requests no GPU."""
    advice = "; run it in a namespace that the policy exempts, or without the privilege or the mount"
    yield Check(
        "GPU507",
        f"(variables.wants ? [] : {variables.findings(isolation.privileges_held())})",
        'container "{who}" {what} and so can use every GPU of its node, but requests none' + advice,
        on_ephemeral=True,
    )
    yield Check(
        "GPU507",
        f"(variables.wants ? [] : {volumes.above_devices()})",
        'volume "{who}" mounts {what} of the node, and with it devices, or a socket that hands them out: its '
        "containers can reach GPUs, and the pod requests none" + advice,
    )


def class_allowed(policy: Policy) -> Iterator[Check]:
    """GPU505: a runtime class that the policy does not allow for pods with a GPU."""
    allowed = policy.guardrails.runtime_classes
    if allowed is None:
        return
    patterns = sorted({*allowed.patterns, *filter(None, [policy.runtime_class])})
    others = f"use one of: {', '.join(patterns)}; or " if patterns else ""
    yield Check(
        "GPU505",
        of_pod(f"variables.wants && {RUNTIME_CLASS} != '' && !{_is_one_of(RUNTIME_CLASS, patterns)}", RUNTIME_CLASS),
        "the pod requests a GPU and sets runtimeClassName to {what}, which this cluster's policy does not allow for "
        f"GPU pods; {others}remove runtimeClassName",
    )


def namespace_allowed(policy: Policy) -> Iterator[Check]:
    """GPU506: a GPU in a namespace that the policy does not allow."""
    allowed = policy.guardrails.namespaces
    if allowed is None:
        return
    name = "request.namespace"
    yield Check(
        "GPU506",
        of_pod(f"variables.wants && !{_is_one_of(name, sorted(allowed.patterns))}", name),
        "the pod requests a GPU in the namespace {what}, where this cluster's policy allows none; create it in a "
        "namespace for GPUs, or ask the administrator to add this one",
    )


def _is_one_of(value: str, patterns: list[str]) -> str:
    wild = [each for each in patterns if globs.is_pattern(each)]
    tests = [f"{value} in {texts(patterns)}"]
    return f"({any_of([*tests, *[f'{value}.matches({pattern(globs.expression(wild))})'] * bool(wild)])})"
