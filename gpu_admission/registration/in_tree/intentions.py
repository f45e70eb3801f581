"""Containers that intend to have a GPU, in CEL (``rules.intent``): cards are not hidden from them."""

from __future__ import annotations

from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import common, intent

from . import requested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.resources import Resource

DOMAIN = "k.contains('/') && !k.substring(0, k.indexOf('/')).endsWith('kubernetes.io')"  # not in Kubernetes' domains
CLAIMED = "c.?resources.?claims.orValue([]).size() > 0"


def means_another() -> str:
    """Return the condition that ``c`` intends a GPU that a list of cards would hide, unlike that of a claim."""
    return f"variables.misspelt[{{at}}] && !({CLAIMED})"


def misspelt(policy: Policy) -> str:
    """Return the condition that ``c`` intends to have a GPU in a way that gives it none (``rules.intent``).

    It names a resource that resembles a GPU's; or the pod's nodeSelector has a count of one that no container requests,
    which is meant for the only container or for any.
    """
    sounds = any_of(f"k.lowerAscii().contains({text(word)})" for word in intent.WORDS)
    device = "k.lowerAscii().split('/', 2)[1]"
    of_networks = any_of(f"d.contains({text(word)})" for word in intent.OF_NETWORKS)
    gpu_like = f"k.contains('/') && ({sounds}) && ![{device}].exists(d, !d.contains('gpu') && ({of_networks}))"
    odd = f"!(k in {texts(gpu_names.ORDINARY)}) && !({gpu_names.which(policy, 'k')})"
    near = gpu_names.resembles(policy, "k")
    home = "(object.spec.containers.size() > 1 || c.name == object.spec.containers[0].name)"
    return f"{requested.REQUESTS}.exists(k, {odd} && ({gpu_like} || {near})) || {home} && ({_selected(policy)})"


def _selected(policy: Policy) -> str:
    """Return the condition that the nodeSelector has a count of GPUs of a vendor of which no container requests one."""
    selector = "object.spec.nodeSelector"
    tests = []
    for of_nvidia in (True, False):
        name = gpu_names.which(policy, "k", lambda each, mine=of_nvidia: _is_nvidias(each, policy) == mine)  # type: ignore[misc]
        counted = f"({name}) && {selector}[k].matches('^[0-9]+$')"
        wanted = f"variables.all.exists(c, {requested.REQUESTS}.exists(k, {name}))"
        shared = " || variables.shares" if of_nvidia else ""
        tests.append(f"({selector}.exists(k, {counted}) && !({wanted}{shared}))")
    claims = "object.spec.?resourceClaims.orValue([]).size() == 0"
    return f"has({selector}) && {claims} && ({any_of(tests)})"


def _is_nvidias(resource: Resource, policy: Policy) -> bool:
    return common.vendor_of(resource, policy) == "nvidia"
