"""The RBAC of the server: its certificate's Secret, and the webhook configurations that have its caBundle."""

from __future__ import annotations

from . import rbac
from .webhook_configurations import LABELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .webhook_configurations import RegistrationOptions

# Findings of a scanner on the ClusterRole, and why they are accepted.
_JUSTIFIED = {"checkov.io/skip1": "CKV_K8S_155=two configurations, by name, so that their caBundle follows the CA"}
_CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


def access(
    options: RegistrationOptions,
    secret: str = "gpu-admission-tls",  # noqa: S107 - a Secret's name
    *,
    keeps: bool = True,
) -> list[dict[str, Any]]:
    """Return the RBAC of the server: only its Secret and its two configurations, by name.

    A server that does not keep its certificate (``keeps`` false) may only read the configurations.
    """
    verbs = ["get", "update"] if keeps else ["get"]
    metadata = {"name": options.name, "labels": dict(LABELS)}
    account = (options.service, options.namespace)
    justified = {"annotations": dict(_JUSTIFIED)} if keeps else {}
    rule = rbac.rule("admissionregistration.k8s.io", _CONFIGURATIONS, verbs, [options.name])
    objects = [rbac.role({**metadata, **justified}, [rule]), rbac.binding(metadata, *account)]
    if keeps:
        metadata["namespace"] = options.namespace
        rule = rbac.rule("", ["secrets"], verbs, [secret])
        objects += [rbac.role(metadata, [rule]), rbac.binding(metadata, *account)]
    return objects
