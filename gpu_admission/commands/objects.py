"""The generated files of ``deploy/policy-objects``, the kustomize component for policies that are GPUPolicy objects."""

from __future__ import annotations

from gpu_admission.policyfile import crd
from gpu_admission.registration import any_policy, policy_access, webhook_configurations

from . import exempted
from .object_yaml import to_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOLDER = "deploy/policy-objects"
_HEADER = "# Written by make docs: gpu-admission manifests --policy-source crd --only {}\n"
_PATCH = "# Written by make docs: what the webhooks of the base see, for policies that are not known yet.\n"
_CHANGED = ("namespaceSelector", "rules", "matchConditions")
_OPTIONS = webhook_configurations.RegistrationOptions()


def _patch(kind: str) -> str:
    """Return the JSON patch that turns the base's webhooks of a kind into those for any policy.

    It leaves alone what other overlays set (failurePolicy, caBundle), and adds what the base lacks. Raises ValueError
    where those are not the last.
    """
    base = webhook_configurations.configurations(exempted.policy("default"), _OPTIONS)
    before, after = (
        next(one for one in made if one["kind"] == kind)["webhooks"]
        for made in (base, any_policy.configurations(_OPTIONS))
    )
    if [hook["name"] for hook in before] != [hook["name"] for hook in after[: len(before)]]:
        raise ValueError(f"the {kind} for any policy has other webhooks than the base's")
    operations: list[dict[str, Any]] = []
    for index, hook in enumerate(after[: len(before)]):
        operations.append({"op": "test", "path": f"/webhooks/{index}/name", "value": hook["name"]})
        operations += [
            {"op": "replace", "path": f"/webhooks/{index}/{field}", "value": hook[field]} for field in _CHANGED
        ]
    operations += [{"op": "add", "path": "/webhooks/-", "value": hook} for hook in after[len(before) :]]
    return _PATCH + to_yaml([operations])  # type: ignore[list-item]


FILES: dict[str, Callable[[], str]] = {
    f"{FOLDER}/crd.yaml": lambda: _HEADER.format("crd") + to_yaml([crd.definition()]),
    f"{FOLDER}/access.yaml": lambda: "# Written by make docs.\n" + to_yaml(policy_access.access(_OPTIONS)),
    f"{FOLDER}/mutating.yaml": lambda: _patch("MutatingWebhookConfiguration"),
    f"{FOLDER}/validating.yaml": lambda: _patch("ValidatingWebhookConfiguration"),
}
