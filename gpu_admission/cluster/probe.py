"""Two pods that show whether the webhook does its work: the API server judges them as a dry run, nothing is created.

The bad one shows every card of its node to a container that requests none (GPU301): the API server itself, Pod
Security's "restricted" included, admits it, and every shipped policy denies it. The good one requests one whole GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .api import KubernetesApi

DOMAIN = "gpu-admission.io"
RULE = "GPU301"
_FAILED = "failed calling webhook"


class ProbeResult:
    """What came of one pod: ``ok`` where it is as it should be, and a sentence for a person."""

    __slots__ = ("ok", "text")

    def __init__(self, text: str, *, ok: bool) -> None:
        self.text = text
        self.ok = ok


def probe(api: KubernetesApi, namespace: str, stage: str) -> list[ProbeResult]:
    """Have the good and the bad pod judged in a namespace. Raises StoreError where the API server cannot be asked."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    return [
        _good(*api.try_create(path, pod("good", {"resources": {"limits": {"nvidia.com/gpu": "1"}}}))),
        _bad(*api.try_create(path, pod("bad", {"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]})), stage),
    ]


def pod(name: str, container: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod that Pod Security admits under "restricted", with this in its container."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    whole = {"name": "probe", "image": "gpu-admission.invalid/probe:1", "securityContext": security, **container}
    metadata = {"generateName": f"gpu-admission-probe-{name}-"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [whole]}}


def _good(status: int, answer: Mapping[str, Any], warnings: list[str]) -> ProbeResult:
    if status == 201:
        keys = [each.get("key") for each in answer.get("spec", {}).get("tolerations") or ()]
        repaired = ", with the tolerations of GPU nodes" if "nvidia.com/gpu" in keys else ""
        return ProbeResult(f"good pod: admitted{repaired}{_listed(warnings)}", ok=True)
    return ProbeResult(
        f"good pod: expected it to be admitted, but it was refused: {_message(status, answer)}", ok=False
    )


def _bad(status: int, answer: Mapping[str, Any], warnings: list[str], stage: str) -> ProbeResult:
    message = _message(status, answer)
    if status != 201:
        ours = f'{DOMAIN}" denied the request' in message
        if stage == "enforce" and ours:
            return ProbeResult(f"bad pod: denied, as it should be: {message}", ok=True)
        reason = "the API server could not call the webhook" if _FAILED in message else "it was refused"
        expected = f"{'denied by the webhook' if stage == 'enforce' else 'admitted'} at stage {stage}"
        return ProbeResult(f"bad pod: expected it to be {expected}, but {reason}: {message}", ok=False)
    warned = any(RULE in each for each in warnings)
    if stage == "audit":
        counted = f'gpu_admission_findings_total{{rule="{RULE}"}} counts it'
        return ProbeResult(f"bad pod: admitted, as it should be at stage audit; {counted}", ok=True)
    if stage != "enforce" and warned:
        return ProbeResult(f"bad pod: admitted at stage {stage}{_listed(warnings)}", ok=True)
    wanted = "denied" if stage == "enforce" else "warned of"
    return ProbeResult(
        f"bad pod: expected it to be {wanted} by {RULE}, but it was admitted{_listed(warnings)}. Either no "
        "policy applies to the namespace (it is exempt, or no GPUPolicy object matches it), the policy turns "
        f"{RULE} off, or the webhook was not called (see log and metrics of the replicas)",
        ok=False,
    )


def _message(status: int, answer: Mapping[str, Any]) -> str:
    return " ".join(str(answer.get("message") or f"HTTP {status}").split())


def _listed(warnings: list[str]) -> str:
    return f", with the warning: {'; '.join(warnings)}" if warnings else ""
