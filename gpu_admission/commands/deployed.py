"""The generated files of ``deploy/``: what follows from the shipped default policy."""

from __future__ import annotations

from gpu_admission.registration import audit_access, server_access, webhook_configurations

from . import exempted
from .object_yaml import to_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = "# Written by make docs from policies/default.yaml. For another policy: gpu-admission manifests -p FILE {}\n"


def _webhooks() -> str:
    objects = webhook_configurations.configurations(
        exempted.policy("default"),
        webhook_configurations.RegistrationOptions(),
    )
    return _HEADER.format("--only webhooks") + to_yaml(objects)


def _access(*, keeps: bool) -> str:
    return _HEADER.format("--only rbac") + to_yaml(
        server_access.access(webhook_configurations.RegistrationOptions(), keeps=keeps)
    )


def _audited() -> str:
    """Return the default policy with mode audit; raises ValueError when that line is missing."""
    text = exempted.text("default")
    if text.count("\n  mode: enforce\n") != 1:
        raise ValueError("policies/default.yaml has no line 'mode: enforce'")
    return text.replace("\n  mode: enforce\n", "\n  mode: audit\n")


def _audit_access() -> str:
    return "# Written by make docs from the table of kinds (workloads/kinds.py).\n" + to_yaml(audit_access.access())


FILES: dict[str, Callable[[], str]] = {
    "deploy/audit/policy.yaml": lambda: exempted.text("default"),
    "deploy/audit/rbac.yaml": _audit_access,
    "deploy/base/policy.yaml": lambda: exempted.text("default"),
    "deploy/base/webhooks.yaml": _webhooks,
    "deploy/overlays/self-signed/rbac.yaml": lambda: _access(keeps=True),
    "deploy/overlays/cert-manager/rbac.yaml": lambda: _access(keeps=False),
    "deploy/overlays/audit-first/policy.yaml": _audited,
}
