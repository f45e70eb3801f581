"""Conditions on the requests of a container ``c`` of a Pod, whose limits have been copied to its requests, in CEL.

The API server does that before admission, and rejects a GPU whose request differs from its limit: so the requests alone
determine what an admitted Pod gets.
"""

from __future__ import annotations

from gpu_admission.backends import kai_annotations, registry
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.native_request import system_of
from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import common, visible_devices
from gpu_admission.workloads import share_annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.resources import Resource

REQUESTS = "c.?resources.?requests.orValue({})"
ANNOTATIONS = "object.metadata.?annotations.orValue({})"


def is_positive(amount: str) -> str:
    """Return the condition that a quantity is more than zero."""
    return f"quantity({amount}).compareTo(quantity('0')) > 0"


def of(policy: Policy, holds: Callable[[Resource], bool] | None = None, beside: str = "") -> str:
    """Return the condition that ``c`` requests more than zero of a GPU resource ``k`` for which ``holds`` is true."""
    which = gpu_names.which(policy, "k", holds)
    if which == "false":
        return which
    more = f" && {beside}" if beside else ""
    return (
        f"{REQUESTS}.exists(k, !(k in {texts(gpu_names.ORDINARY)}) && ({which}) && "
        f"{is_positive('c.resources.requests[k]')}{more})"
    )


def of_vendors(policy: Policy, vendors: frozenset[str]) -> str:
    """Return the condition that ``c`` requests cards of one of these vendors (``common.asked_vendors``)."""
    return of(policy, lambda resource: common.vendor_of(resource, policy) in vendors)


def given(policy: Policy, vendor: str) -> str:
    """Return the condition that ``c`` is given cards of a vendor by its resources (``visible_devices.is_given``)."""
    wanted = {vendor, visible_devices.ANY_VENDOR}
    return of(policy, lambda resource: visible_devices.vendor_of(resource, policy) in wanted)


def native(policy: Policy) -> str:
    """Return the condition that ``c`` uses resource names that the policy's backend serves unchanged."""
    own = registry.named(policy.backend.name).own(ClusterFacts.of(policy))
    return of(policy, lambda resource: system_of(resource) in own)


def shares() -> str:
    """Return the condition that an annotation requests a share of a card for a container (``Pod.shared_container``)."""
    return f"{ANNOTATIONS}.exists(k, k in {texts(share_annotations.REQUEST_ANNOTATIONS)} || {_is_for_a_container()})"


def _is_for_a_container() -> str:
    """Return the condition that ``k`` is the key of an annotation that requests an amount for a named container."""
    amounts = "|".join(each.replace(".", "\\.") for each in share_annotations.CONTAINER_AMOUNTS)
    prefix = share_annotations.CONTAINER_PREFIX
    expression = f"^{prefix}[^.]*\\.({amounts})$".replace("nvidia.com", "nvidia\\.com")
    return f"(k.startsWith({text(prefix)}) && k.matches(r'{expression}'))"


def annotated() -> str:
    """Return the condition that there are annotations that may request a share of a card, valid or not."""
    exact = texts([*share_annotations.REQUEST_ANNOTATIONS, *share_annotations.SHARE_ANNOTATIONS])
    begun = any_of(
        f"k.startsWith({text(prefix)})"
        for prefix in (share_annotations.CONTAINER_PREFIX, share_annotations.PORTION_PREFIX)
    )
    return f"{ANNOTATIONS}.exists(k, k in {exact} || {begun})"


def share_names() -> str:
    """Return a list of the names of the containers that an annotation is for: the first container by default."""
    start = len(share_annotations.CONTAINER_PREFIX)
    named = f"{ANNOTATIONS}.filter(k, {_is_for_a_container()}).map(k, k.substring({start}).split('.')[0])"
    chosen = f"{ANNOTATIONS}[?{text(kai_annotations.CONTAINER)}].orValue('')"
    those = "(object.spec.containers + object.spec.?initContainers.orValue([]))"
    first = f"{those}.exists(x, x.name == n) ? n : object.spec.containers[0].name"
    return f"(variables.shares ? [{named}].map(l, l.size() > 0 ? l : [{chosen}])[0].map(n, {first}) : [])"
