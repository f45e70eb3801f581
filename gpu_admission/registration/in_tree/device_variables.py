"""The checks on variables that show or hide cards: lists of cards, switches of NVIDIA's toolkit, old images."""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.engine.reads import Reads
from gpu_admission.registration import container_conditions, patterns
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import gpu_markers, visible_devices
from gpu_admission.rules.isolation import gpu302_visible_devices_void, gpu310_unjudged_env_from
from gpu_admission.rules.runtime_variables import DEVICE_LIST_FAMILIES, DEVICE_LISTS, LEGACY, SWITCHES

from . import requested, variables
from .check import Check, per_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy

_CUDA = LEGACY["CUDA_VERSION"]
_NAMES = (*DEVICE_LISTS, *(f"{family}*" for family in DEVICE_LIST_FAMILIES))


def visible(policy: Policy) -> Iterator[Check]:
    """GPU301: lists of cards."""
    lists = f"({variables.shows(DEVICE_LISTS.values())})"
    own = _own_value(policy)
    if own:
        lists = f"({lists} && !({own}))"
    assigned = _assigned_by_scheduler(policy)
    yield Check(
        "GPU301",
        variables.findings(variables.that(f"{lists} && !({assigned})", _NAMES)),
        'container "{who}" sets {what}, which shows it cards of the node that it was not given; remove it and request '
        "GPUs under resources.limits, or set it to the value that shows none (void for NVIDIA_VISIBLE_DEVICES)",
        fix="unsafe",
        on_ephemeral=True,
    )


def switched(policy: Policy) -> Iterator[Check]:
    """GPU301: the switches of NVIDIA's toolkit, which are less severe on a container that has a card."""
    served = requested.of(policy)
    advice = "; remove it: what a GPU pod may reach is set up by the cluster's administrator"
    for severity in ("error", "warning"):
        names = variables.switches(severity)
        found = variables.findings(variables.that(variables.is_on(names), names), _except(served, severity))
        yield Check(
            "GPU301",
            found,
            'container "{who}" sets {what}, which opens more than the cards that it was given' + advice,
            severity=severity,
            on_ephemeral=True,
            reads=Reads(variables={name: ("", SWITCHES[name].off) for name in names}),
        )


def _except(condition: str, severity: str) -> str:
    return "variables.judged" if severity == "error" else f"variables.judged.filter(c, !({condition}))"


def completed(_policy: Policy) -> Iterator[Check]:
    """GPU301: an envFrom whose prefix is the beginning of one of the variables."""
    errors = [*DEVICE_LISTS, *variables.switches("error")]
    yield Check(
        "GPU301",
        variables.findings(variables.completing(errors, DEVICE_LIST_FAMILIES)),
        'container "{who}" takes variables from an envFrom with the prefix {what}, which can complete to a variable '
        "that shows it cards that it did not request; list the variables under env instead",
        fix="safe",
        on_ephemeral=True,
    )


def unjudged(_policy: Policy) -> Iterator[Check]:
    """GPU310: an envFrom without a prefix, where env does not set all of the variables itself."""
    unset = f"{texts(gpu310_unjudged_env_from.NAMES)}.exists(x, !c.?env.orValue([]).exists(e, e.name == x))"
    yield Check(
        "GPU310",
        per_container(f"c.?envFrom.orValue([]).exists(f, f.?prefix.orValue('') == '') && {unset}"),
        'container "{who}" takes all variables of a ConfigMap or Secret, and whether any of them shows it cards '
        "cannot be told from here; list the variables one by one under env, or give the envFrom a prefix",
        fix="safe",
        on_ephemeral=True,
    )


def legacy(policy: Policy) -> str:
    """Return the condition that NVIDIA's runtime takes the image of ``c`` for an old one, and shows it all cards."""
    unless = container_conditions.is_set(dict.fromkeys(_CUDA.unless, True)).replace("c.env.", "c.?env.orValue([]).")
    given = f"e.name == {text(_CUDA.name)} && (has(e.valueFrom) || e.?value.orValue('') != '')"
    prefix = f"f.?prefix.orValue('') in {texts(patterns.prefixes([_CUDA.name]))}"
    set_here = f"c.?env.orValue([]).exists(e, {given})"
    set_elsewhere = f"!{variables.sets(_CUDA.name)} && c.?envFrom.orValue([]).exists(f, {prefix})"
    lists = any_of(variables.sets(name) for name in _CUDA.lists)
    tests = [
        "(has(c.env) || has(c.envFrom))",
        f"({set_here} || {set_elsewhere})",
        f"!({lists})",
        f"!({unless})",
        f"!({requested.given(policy, _CUDA.vendor)})",
    ]
    return " && ".join(tests)


def old_images(policy: Policy) -> Iterator[Check]:
    """GPU301: images from before there were lists of cards."""
    yield Check(
        "GPU301",
        per_container(legacy(policy)),
        'container "{who}" sets CUDA_VERSION and not NVIDIA_VISIBLE_DEVICES, which the container runtime takes for an '
        "old image and shows it all cards of the node; add NVIDIA_VISIBLE_DEVICES with the value void to its env, or "
        "request GPUs under resources.limits",
        fix="safe",
        on_ephemeral=True,
    )


def _own_value(policy: Policy) -> str:
    """Return the condition that ``e`` has the value that the policy sets; empty where that shows no cards."""
    known = DEVICE_LISTS[visible_devices.NVIDIA]
    wanted = [visible_devices.wanted(policy, served=served) for served in (True, False)]
    if all(value is None or known.shows_none(value) for value in wanted):
        return ""
    served = requested.given(policy, "nvidia")
    values = [text(value) if value is not None else "'\\n'" for value in wanted]
    same = f"e.?value.orValue('') == ({served} ? {values[0]} : {values[1]})"
    return f"e.name == {text(visible_devices.NVIDIA)} && !has(e.valueFrom) && {same}"


def _assigned_by_scheduler(policy: Policy) -> str:
    """Return the condition that ``e`` is set from the annotation of a vendor's scheduler (``visible_devices``)."""
    tests = []
    for owner, vendor in visible_devices.SET_BY_ANNOTATION.items():
        keys = [key for key, whose in gpu_markers.TRUSTED_ANNOTATIONS.items() if whose == owner]
        names = [each.name for each in DEVICE_LISTS.values() if each.vendor == vendor]
        key = 'e.valueFrom.fieldRef.fieldPath.split("[\'")[1].split("\']")[0]'
        of_key = any_of(patterns.keys("q", keys)) if keys else "false"
        path = 'e.valueFrom.fieldRef.fieldPath.startsWith("metadata.annotations[\'")'
        tests.append(
            f"e.name in {texts(names)} && has(e.valueFrom) && has(e.valueFrom.fieldRef) && {path} && "
            f"[{key}].exists(q, {of_key}) && {requested.given(policy, vendor)}"
        )
    return any_of(f"({each})" for each in tests) or "false"


def hidden(policy: Policy) -> Iterator[Check]:
    """GPU302: a value that hides from a container the cards that it requests."""
    yield Check(
        "GPU302",
        variables.findings(hiding(policy)),
        'container "{who}" requests a GPU and sets {what} to a value that hides it; remove the variable: the device '
        "plugin sets it to the cards that the container gets",
        severity="warning",
        fix="safe",
        on_ephemeral=True,
    )


def unblinded(policy: Policy) -> Iterator[Check]:
    """GPU302, where the policy hides cards from all containers that are given none, in all pods."""
    if not visible_devices.every_pod(policy) or not visible_devices.wanted(policy, served=False):
        return
    served = requested.given(policy, "nvidia")
    if policy.backend.name in known.READS_ANNOTATIONS:
        served = f"{served} || c.name in variables.share"
    yield Check(
        "GPU302",
        per_container(f"!{variables.sets(visible_devices.NVIDIA)} && !({served})"),
        'container "{who}" requests no NVIDIA GPU and does not set NVIDIA_VISIBLE_DEVICES, and an image that sets it '
        "to all would see every card of the node; add it with the value "
        f"{visible_devices.wanted(policy, served=False)} to its env",
        severity="error",
        fix="safe",
        on_ephemeral=True,
    )


def hiding(policy: Policy, *, with_source: bool = True) -> str:
    """Return a CEL string: the variables that hide from ``c`` the cards that it requests."""
    own = visible_devices.wanted(policy, served=True)
    tests = []
    for name in sorted(gpu302_visible_devices_void.BY_PLUGIN):
        test = (
            f"e.name == {text(name)} && {variables.hides(name)} && {requested.given(policy, DEVICE_LISTS[name].vendor)}"
        )
        if own is not None and name == visible_devices.NVIDIA:
            test += f" && e.?value.orValue('') != {text(own)}"
        tests.append(f"({test})")
    passed = texts(sorted(gpu302_visible_devices_void.PASSED_THROUGH))
    names = variables.that(any_of(tests), gpu302_visible_devices_void.BY_PLUGIN)
    source = "" if with_source else " || c.?envFrom.orValue([]).size() > 0"
    return f"({requested.REQUESTS}.exists(k, k in {passed}){source} ? '' : {names})"
