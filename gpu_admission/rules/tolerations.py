"""Tolerations, compared by what they mean."""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.core.raw import as_str, iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod

# Taints that keep ordinary pods off accelerator nodes: GKE, EKS, the GPU operators' documentation, and the names
# of resources that ExtendedResourceToleration takes as keys.
TAINT_KEYS = (
    "nvidia.com/gpu",
    "amd.com/gpu",
    "google.com/tpu",
    "habana.ai/gaudi",
    "aws.amazon.com/neuron",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
)
# Taints that Kubernetes itself puts on nodes: k8s.io/api core/v1, well_known_taints.go
_NODE_KEYS = tuple(
    f"node.kubernetes.io/{state}"
    for state in (
        "not-ready", "unreachable", "unschedulable", "memory-pressure", "disk-pressure", "pid-pressure",
        "network-unavailable",
    )
)  # fmt: skip
LONGEST = 64  # keys of taints are shorter; longer ones are not compared
EFFECTS = ("NoSchedule", "NoExecute")  # PreferNoSchedule keeps nothing away


@lru_cache(maxsize=32)
def taints(policy: Policy) -> tuple[str, ...]:
    """Return the keys of taints that are known to keep pods off GPU nodes, the policy's own first."""
    own = [as_str(entry.get("key")) for entry in policy.tolerations]
    return tuple(dict.fromkeys([*own, *TAINT_KEYS]))


@lru_cache(maxsize=32)
def ordinary(policy: Policy) -> frozenset[str]:
    """Return keys that a toleration may have without being a typo: nearly all in use."""
    known = taints(policy)
    return frozenset([key for key in (*_NODE_KEYS, *known, "") if meant(key, known) is None])


@lru_cache(maxsize=32)
def wanted(policy: Policy, vendors: frozenset[str]) -> tuple[dict[str, Any], ...]:
    """Return the policy's tolerations for pods that request cards of these vendors; not to be modified."""
    entries = [(entry, entry.get("vendors")) for entry in policy.tolerations]
    return tuple([_normal(entry) for entry, named in entries if not named or vendors.intersection(named)])


def _normal(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy's entry as a toleration of a pod; without a value it tolerates any."""
    value = entry.get("value")
    operator = entry.get("operator") or ("Equal" if value else "Exists")
    candidate: dict[str, Any] = {"key": entry["key"]} if entry.get("key") else {}
    candidate["operator"] = operator
    if operator != "Exists" and value is not None:
        candidate["value"] = value
    candidate.update({name: entry[name] for name in ("effect", "tolerationSeconds") if entry.get(name)})
    return candidate


def of(pod: Pod) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the tolerations of a pod with their indices."""
    return list(iter_dicts(pod.spec.get("tolerations")))


def tolerated(wish: Mapping[str, Any], present: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a pod already tolerates what a policy's toleration does, effect by effect.

    ``present`` are the pod's tolerations. Where the policy takes any value, an author's value counts: it may select one
    pool of several.
    """
    wanted_key = wish.get("key")
    near = [each for each in present if as_str(each.get("key")) in ("", wanted_key)]
    if not near:
        return False
    effects = (wish["effect"],) if wish.get("effect") else EFFECTS
    return all([any([_covers(toleration, wish, effect) for toleration in near]) for effect in effects])


def _covers(toleration: Mapping[str, Any], wish: Mapping[str, Any], effect: str) -> bool:
    """Return whether a toleration of the wanted key, or of none, covers one effect of it."""
    if as_str(toleration.get("effect")) not in {"", effect}:
        return False
    operator = as_str(toleration.get("operator")) or "Equal"
    if not as_str(toleration.get("key")):
        return operator == "Exists"
    if operator == "Exists" or wish["operator"] == "Exists":
        return True
    return as_str(toleration.get("value")) == as_str(wish.get("value"))


@lru_cache(maxsize=1024)  # pods share the same few keys
def meant(key: str, taints: tuple[str, ...]) -> str | None:
    """Return the taint that a key resembles, or None where it is one or resembles none.

    A key without a domain (``nvidia-gpu``, ``gpu``) may be the cluster's own.
    """
    if key in taints or not ("/" in key or "." in key):
        return None
    return next((taint for taint in taints if taint and _near(key, taint)), None)


def _near(key: str, taint: str) -> bool:
    if bare(key) == bare(taint):
        return True
    domain, _, name = key.partition("/")
    other, _, meant = taint.partition("/")
    if name == meant:
        return len(other) > 6 and _one_slip(domain, other)
    return domain == other and name[:1].lower() == meant[0] and _one_slip(name.lower(), meant)


def bare(key: str) -> str:
    """Return a key without the usual mistakes: case, punctuation, ``.com``, a plural."""
    letters = "".join(char for char in key.lower().replace(".com", "") if char.isalnum())
    return letters.removesuffix("s")


def _one_slip(candidate: str, meant: str) -> bool:
    """Return whether two strings differ by one extra or missing letter, two swapped ones, or (if long) a wrong one."""
    start = 0
    while start < min(len(candidate), len(meant)) and candidate[start] == meant[start]:
        start += 1
    a, b = candidate[start:], meant[start:]
    if a and b and len(meant) > 4 and a[1:] == b[1:]:
        return True
    return (a[:1].isalpha() and a[1:] == b) or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
