"""Webhook configurations for policies that are not known in advance: they send what any policy may judge.

GPUPolicy objects change while the webhook configurations stay. So these send what a policy judges that has every rule
in force, takes every claim and any extended resource for a GPU's (``resources.extra`` may name it) and has no
exemptions.

That includes many ordinary pods: with an ``envFrom`` without a prefix, node agents, pods with network cards. They must
not depend on the webhook. Pods are sent under ``failurePolicy: Fail`` only where they touch a GPU independently of
policies, and the others by a separate webhook, ``ordinary``, which is skipped while no replica answers.

Four settings need more than that, and `beyond` reports them: ``visibleDevices.everyPod`` is about pods without GPUs
(``every_pod`` sends them all), the tolerations of a policy may have any keys, ``workloads`` names kinds that no webhook
is registered for, and a resource that only the policy declares may be written where it has no effect.
"""

from __future__ import annotations

from gpu_admission.policy.model import Policy
from gpu_admission.rules import ALL
from gpu_admission.rules.tolerations import TAINT_KEYS
from gpu_admission.workloads import kinds

from . import webhook_configurations
from .gpu_names import ANY_EXTENDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    from .webhook_configurations import RegistrationOptions

NAME: Final = "any-policy"  # of all policies; none can have this name
_EVERYTHING: Final = ["*"]


def widest(*, every_pod: bool = False) -> Policy:
    """Return the policy whose webhooks send what any policy judges, except for what `beyond` reports."""
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


def known() -> Policy:
    """Return the policy whose webhooks send what touches a GPU under any policy: known names, default rules."""
    return Policy("known", {"backend": {"name": "any"}, "visibleDevices": {"gpuLess": "void"}})


def configurations(options: RegistrationOptions, *, every_pod: bool = False) -> list[dict[str, Any]]:
    """Return the two configurations, as `webhook_configurations.configurations` does for known policies."""
    mutating, validating = webhook_configurations.configurations(widest(every_pod=every_pod), options)
    (closed,) = _named(webhook_configurations.configurations(known(), options)[1], "pods")
    (pods,) = _named(validating, "pods")
    ordinary = {
        **pods,
        "name": f"ordinary.{webhook_configurations.DOMAIN}",
        "failurePolicy": "Ignore",
        "timeoutSeconds": 3,
        "matchConditions": [*pods["matchConditions"], _not_touching(closed)],
    }
    pods["matchConditions"] = closed["matchConditions"]
    validating["webhooks"].append(ordinary)
    return [mutating, validating]


def _named(configuration: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [hook for hook in configuration["webhooks"] if hook["name"] == f"{name}.{webhook_configurations.DOMAIN}"]


def _not_touching(hook: Mapping[str, Any]) -> dict[str, str]:
    """Return the condition that another webhook is not called for the object, in which mirror Pods are not excluded."""
    (touching,) = [each for each in hook["matchConditions"] if each["name"] == "touches-a-gpu"]
    return {"name": "not-touching-a-known-gpu", "expression": f"!(\n{touching['expression']}\n)"}


def beyond(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a policy's ``spec`` judges that these webhooks do not send, one sentence each."""
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
    named = " and ".join(_with_names(spec))
    if named:
        found.append(f"{named}: seen where they are requested, and not where they are a nodeSelector (GPU008)")
    return tuple(found)


def _with_names(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a policy that name GPU resources."""
    if (spec.get("resources") or {}).get("extra"):
        yield "resources.extra"
    if ((spec.get("cluster") or {}).get("claims") or {}).get("extendedResources"):
        yield "cluster.claims.extendedResources"


def _is_known(entry: Mapping[str, Any]) -> bool:
    group = kinds.split_group(entry["apiVersion"])
    return any(group == known and entry["kind"] == kind for known, kind, _ in kinds.known())
