"""The webhooks and the RBAC of policies as values of the Helm chart, with placeholders for names of a release.

The chart's templates fill in names, port, caBundle and stage; nothing of that depends on a policy.
"""

from __future__ import annotations

import hashlib
import json

from . import any_policy, audit_access, policy_access, server_access, webhook_configurations
from .webhook_configurations import RegistrationOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gpu_admission.policy.model import Policy

# Placeholders for names of the release: no name in Kubernetes has an @.
NAME, NAMESPACE, SECRET = "@name@", "@namespace@", "@secret@"
_SEPARATOR = "\n---\n"  # templates/_check.tpl joins with the same


def webhooks(policies: Policy | Sequence[Policy]) -> dict[str, list[dict[str, Any]]]:
    """Return ``{"mutating": [webhook, ...], "validating": [...]}`` for policies in the server's order.

    Raises ValueError as `webhook_configurations.configurations` does.
    """
    return _by_kind(webhook_configurations.configurations(policies, _options()))


def _options() -> RegistrationOptions:
    return RegistrationOptions(name=NAME, service=NAME, namespace=NAMESPACE)


def _by_kind(made: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {one["kind"].removesuffix("WebhookConfiguration").lower(): one["webhooks"] for one in made}


def audit_rights() -> list[dict[str, Any]]:
    """Return the account and the RBAC of the audit, under the release's names."""
    text = json.dumps(audit_access.access())
    text = text.replace(f'"namespace": "{audit_access.NAMESPACE}"', f'"namespace": "{NAMESPACE}"')
    found: list[dict[str, Any]] = json.loads(text.replace(f'"{audit_access.NAME}', f'"{NAME}-audit'))
    return found


def rights() -> dict[str, list[dict[str, Any]]]:
    """Return the RBAC objects of a server that ``keeps`` its certificate, and of one that only ``reads`` it."""
    return {
        way: server_access.access(_options(), SECRET, keeps=keeps) for way, keeps in (("keeps", True), ("reads", False))
    }


def policy_rights() -> list[dict[str, Any]]:
    """Return the RBAC and the Lease for GPUPolicy objects, under the release's names."""
    return policy_access.access(_options())


def any_webhooks(*, every_pod: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the webhooks for GPUPolicy objects, as `webhooks` does."""
    return _by_kind(any_policy.configurations(_options(), every_pod=every_pod))


def digest(texts: Iterable[str]) -> str:
    """Return the digest of policy files by which webhooks are known to be made from them: SHA-256 in hex."""
    return hashlib.sha256(_SEPARATOR.join(texts).encode()).hexdigest()


def values(policies: Sequence[Policy], texts: Sequence[str], version: str) -> dict[str, Any]:
    """Return the chart's values for custom policies; ``texts`` are their files, ``version`` is that of this package."""
    files = [{"name": policy.name, "content": text} for policy, text in zip(policies, texts, strict=True)]
    made = {"version": version, "digest": digest(texts), **webhooks(policies)}
    return {"policy": {"name": "", "files": files, "webhooks": made}}


def in_tree_values(objects: list[dict[str, Any]], name: str, version: str) -> dict[str, Any]:
    """Return the chart's values for in-tree policies whose names begin with ``name``; ``version`` is this package's."""
    return {"inTree": {"version": version, "objects": [_renamed(each, name) for each in objects]}}


def _renamed(obj: Mapping[str, Any], name: str) -> dict[str, Any]:
    metadata, spec = dict(obj["metadata"]), dict(obj["spec"])
    for part, key in ((metadata, "name"), (spec, "policyName")):
        if key in part:
            part[key] = NAME + part[key].removeprefix(name)
    return {**obj, "metadata": metadata, "spec": spec}


def share_lines(hooks: Mapping[str, list[dict[str, Any]]], lines: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return webhooks whose expressions are lists of keys of ``lines``, to which new lines are added.

    The expressions of all shipped policies consist of the same few lines, and Helm keeps a chart in a Secret of 1 MiB.
    """
    return {
        kind: [{**hook, "matchConditions": [_keyed(each, lines) for each in hook["matchConditions"]]} for hook in each]
        for kind, each in hooks.items()
    }


def _keyed(condition: Mapping[str, str], lines: dict[str, str]) -> dict[str, Any]:
    keys = []
    for line in condition["expression"].split("\n"):
        key = hashlib.sha256(line.encode()).hexdigest()[:8]
        if lines.setdefault(key, line) != line:
            raise ValueError(f"two lines of expressions have the key {key}: use more digits")
        keys.append(key)
    return {**condition, "expression": keys}
