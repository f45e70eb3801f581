"""Webhooks for policies that are not known yet: what any of them may want to see of an object.

Policies that are objects in the cluster change while the webhook configurations stay. So these are made for a policy
that has every rule in force, counts every claim as a GPU's and exempts nobody, and let through whatever requests an
extended resource: ``resources.extra`` may name any. A cluster pays for it with the reviews of pods that no policy
says anything of.

Four settings reach beyond that, and `beyond` names them: ``visibleDevices.everyPod`` concerns pods that have nothing
to do with GPUs (``every_pod`` sends them all, and while no replica answers, none starts), the tolerations of a policy
may have keys that nobody knows, ``workloads`` names kinds for which the API server must be told to ask, and a resource
of ``resources.extra`` may be written where it does nothing.
"""

from __future__ import annotations

from gpu_admission.policy.model import Policy
from gpu_admission.rules import ALL
from gpu_admission.rules.tolerations import TAINT_KEYS
from gpu_admission.workloads import kinds

from .gpu_names import ANY_EXTENDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

NAME: Final = "any-policy"  # no policy has it: it stands for all
_EVERYTHING: Final = ["*"]


def widest(*, every_pod: bool = False) -> Policy:
    """Return the policy whose webhooks see what any policy judges, but for what `beyond` names."""
    return Policy(
        NAME,
        {
            "backend": {"name": "any"},
            "resources": {"extra": [ANY_EXTENDED]},
            "rules": {rule.id: "deny" for rule in ALL},
            "cluster": {"claims": {"templates": _EVERYTHING, "claims": _EVERYTHING, "classes": _EVERYTHING}},
            "visibleDevices": {"gpuLess": "void", "served": "leave", "everyPod": every_pod},
        },
    )


def beyond(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a policy's ``spec`` wants to see that these webhooks do not bring, one sentence each."""
    found = []
    if (spec.get("visibleDevices") or {}).get("everyPod"):
        found.append(
            "visibleDevices.everyPod: pods without a GPU come to the webhook only where its configurations were made"
            " with --every-pod (chart: policies.everyPod)"
        )
    keys = sorted({str(each.get("key")) for each in spec.get("tolerations") or () if each.get("key") not in TAINT_KEYS})
    if keys:
        found.append(
            f"tolerations: pods without a GPU that tolerate {', '.join(keys)} are not seen (GPU206, GPU208); those with"
            " a GPU are"
        )
    own = sorted({each["kind"] for each in spec.get("workloads") or () if not _is_known(each)})
    if own:
        found.append(
            f"workloads: {', '.join(own)} is judged by its pods only, as no webhook is registered for the kind"
        )
    if (spec.get("resources") or {}).get("extra"):
        found.append("resources.extra: seen where they are requested, and not where they are a nodeSelector (GPU008)")
    return tuple(found)


def _is_known(entry: Mapping[str, Any]) -> bool:
    group = kinds.split_group(entry["apiVersion"])
    return any(group == known and entry["kind"] == kind for known, kind, _ in kinds.known())
