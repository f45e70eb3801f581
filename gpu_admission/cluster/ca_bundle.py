"""The CA bundle in webhook configurations, with which the API server verifies our certificate."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from gpu_admission.pki.bundle import BundleState, dump_bundle, parse_bundle
from gpu_admission.pki.errors import ConflictError

from .api import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.pki.bundle import Bundle

    from .api import KubernetesApi, Object

KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class WebhookCaBundle:
    """A `CaBundleTarget`: every webhook of one configuration object."""

    __slots__ = ("_api", "_kind", "_name")

    def __init__(self, api: KubernetesApi, kind: str, name: str) -> None:
        self._api = api
        self._kind = kind
        self._name = name

    def __str__(self) -> str:
        return f"{self._kind} {self._name}"

    def version(self) -> str:
        """Read the configuration's version; empty where it does not exist."""
        try:
            return self._api.version(self._kind, self._name)
        except NotFoundError:
            return ""

    def read(self) -> BundleState:
        """Read the bundle of each webhook; empty where the object does not exist."""
        try:
            found = self._api.get(self._kind, self._name)
        except NotFoundError:
            return BundleState((), (), "")
        raw = [_caBundle(webhook) for webhook in _webhooks(found)]
        return BundleState(
            tuple(parse_bundle(data) for data in raw),
            tuple(data == b"" for data in raw),
            str(found["metadata"]["resourceVersion"]),
        )

    def write(self, bundles: Sequence[Bundle], version: str) -> None:
        """Replace the bundle of each webhook in one update. Raises ConflictError, StoreError."""
        found = self._api.get(self._kind, self._name)
        webhooks = _webhooks(found)
        if found["metadata"]["resourceVersion"] != version or len(webhooks) != len(bundles):
            raise ConflictError(f"{self} changed meanwhile")
        changed = [
            {**webhook, "clientConfig": {**(webhook.get("clientConfig") or {}), "caBundle": _encoded(bundle)}}
            for webhook, bundle in zip(webhooks, bundles, strict=True)
        ]
        if changed != webhooks:
            self._api.replace(self._kind, {**found, "webhooks": changed})


def ca_bundle_targets(api: KubernetesApi, name: str) -> tuple[WebhookCaBundle, ...]:
    """Return the targets for both configurations of a name; one that does not exist is skipped."""
    return tuple(WebhookCaBundle(api, kind, name) for kind in KINDS)


def _webhooks(configuration: Object) -> list[dict[str, Any]]:
    return configuration.get("webhooks") or []


def _caBundle(webhook: dict[str, Any]) -> bytes:  # noqa: N802 - the field's name
    text = (webhook.get("clientConfig") or {}).get("caBundle") or ""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def _encoded(bundle: Bundle) -> str:
    return base64.b64encode(dump_bundle(bundle)).decode()
