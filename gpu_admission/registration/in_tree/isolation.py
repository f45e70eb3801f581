"""The checks on the isolation of cards: privileges, limits on shares, host namespaces."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod, registry
from gpu_admission.registration.cel_literals import text, texts
from gpu_admission.rules import device_count, privileges, visible_devices
from gpu_admission.rules.common import backend_vendor
from gpu_admission.rules.isolation import gpu308_isolation_switch
from gpu_admission.rules.runtime_variables import ISOLATION_PREFIXES, ISOLATION_SWITCHES, MPS_PREFIX, PRELOAD

from . import requested, variables
from .check import Check, of_pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.resources import Resource


def privileged(policy: Policy) -> Iterator[Check]:
    """GPU303, where the policy does not state how many cards a node has: a pod that takes all of them is exempt."""
    if device_count.largest_node(policy):
        return
    yield Check(
        "GPU303",
        f"(variables.wants ? {variables.findings(privileges_held())} : [])",
        'container "{who}" {what} in a pod with a GPU, so it can use every card of the node; remove it: a GPU that is '
        "requested under resources.limits needs no privileges",
        on_ephemeral=True,
    )


def privileges_held() -> str:
    """Return a CEL string: what gives ``c`` all devices of its node (``rules.privileges``), or empty."""
    names = texts(sorted(each for name in privileges.CAPABILITIES for each in (name, f"CAP_{name}")))
    added = f"c.securityContext.?capabilities.?add.orValue([]).filter(a, a.upperAscii() in {names}).join(', ')"
    is_it = "c.securityContext.?privileged.orValue(false) ? 'is privileged' : "
    return f"has(c.securityContext) ? ({is_it}[{added}].map(a, a == '' ? '' : 'adds the capability ' + a)[0]) : ''"


def limits_lifted(policy: Policy) -> Iterator[Check]:
    """GPU308: variables that lift the limits on a share of an NVIDIA card."""
    plain = [name for name in ISOLATION_SWITCHES if name != PRELOAD]
    families = tuple(f"{prefix}*" for prefix in ISOLATION_PREFIXES)
    harmless = variables.harmless_values(gpu308_isolation_switch.HARMLESS)
    switches = variables.that(f"!({harmless})", (*plain, *families, *ISOLATION_PREFIXES))
    preload = variables.that(f"!({harmless})", (PRELOAD,))
    others = f"{_shared_by_scheduler(policy)} || c.name in variables.share"
    preloaded = f"({requested.of(policy, lambda each: _is_preloaded(each, policy))}{others}) ? {preload} : ''"
    both = f"[{switches}, {preloaded}].filter(x, x != '').join(', ')"
    containers = f"variables.judged.filter(c, {requested.of(policy, lambda each: _is_limited(each, policy))}{others})"
    yield Check(
        "GPU308",
        variables.findings(both, containers),
        'container "{who}" sets {what}, which can lift the limits that keep it to its share of the GPU; remove it; to '
        "use a whole GPU, request a whole one",
        on_ephemeral=True,
    )
    yield Check(
        "GPU308",
        variables.findings(variables.completing((*plain, *ISOLATION_PREFIXES), ISOLATION_PREFIXES), containers),
        'container "{who}" takes variables from an envFrom with the prefix {what}, which can lift the limits on its '
        "share of the GPU; list the variables under env instead",
        on_ephemeral=True,
    )


def _shares_nvidia(policy: Policy) -> bool:
    return policy.backend.name in known.SHARES_CARDS and backend_vendor(policy) == "nvidia"


def _is_limited(resource: Resource, policy: Policy) -> bool:
    """Return whether a resource is a share of an NVIDIA card with limits."""
    if visible_devices.vendor_of(resource, policy) != "nvidia":
        return False
    if resource.sharing == "shared" or (per_pod.is_per_pod(policy) and resource.system in known.SHARES_CARDS):
        return True
    return _shares_nvidia(policy) and not gpu308_isolation_switch.is_whole(resource, policy.backend.name, policy)


def _is_preloaded(resource: Resource, policy: Policy) -> bool:
    """Return whether the limits on a resource are those of a preloaded library."""
    if not _is_limited(resource, policy):
        return False
    systems = {resource.system} if resource.sharing == "shared" else set()
    if _shares_nvidia(policy):
        systems.add(policy.backend.name)
    elif per_pod.is_per_pod(policy):
        systems.add(resource.system)
    return not gpu308_isolation_switch.PRELOADING.isdisjoint(systems) or any(
        registry.named(system).preloads for system in systems if system in registry.NAMES
    )


def _shared_by_scheduler(policy: Policy) -> str:
    """Return a condition, after ``||``, that the pod's scheduler shares whole cards (``backends.per_pod``)."""
    if not per_pod.is_per_pod(policy):
        return ""
    sharing = {name for name, backend in per_pod.BY_SCHEDULER.items() if backend not in known.GPU_IS_CARD}
    whole = requested.of(policy, lambda resource: resource.name == "nvidia.com/gpu")
    return f" || (object.spec.?schedulerName.orValue('') in {texts(sorted(sharing))} && {whole})"


def host_namespaces(policy: Policy) -> Iterator[Check]:
    """GPU309: host namespaces of processes or IPC in a pod that uses a card through MPS."""
    opened = [field for field in ("hostPID", "hostIPC") if not _is_allowed(field, policy)]
    given = requested.given(policy, "nvidia")
    mps = f"c.?env.orValue([]).exists(e, e.name.startsWith({text(MPS_PREFIX)}))"
    uses = f"{mps} && ({given} || !({requested.of(policy)}))"
    if policy.backend.name in known.USES_MPS:
        vendors = {"nvidia", visible_devices.ANY_VENDOR}

        def is_client(resource: Resource) -> bool:
            return resource.sharing != "partition" and visible_devices.vendor_of(resource, policy) in vendors

        uses = f"({requested.of(policy, is_client)}) || {uses}"
    fields = [f"[object.spec.?{field}.orValue(false) ? {text(field)} : '']" for field in opened]
    names = f"({' + '.join(fields)}).filter(x, x != '')"
    found = f"{names}.size() > 0 && variables.all.exists(c, {uses})"
    yield Check(
        "GPU309",
        of_pod(found, f"{names}.join(' and ')"),
        "the pod shares its GPU through MPS and sets {what}: true, which opens the work of the other clients of the "
        "MPS daemon; remove it: the device plugin mounts what MPS needs",
    )


def _is_allowed(field: str, policy: Policy) -> bool:
    return field == "hostIPC" and policy.backend.parameters.get("hostIPC") == "allow"
