"""A certificate set in a Secret that all replicas share, with a compare-and-swap between writers.

The Secret is created empty by the installation, so that RBAC must grant only get and update on this one name.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from gpu_admission.pki.certificate_set import FILES, TLS_CRT, TLS_KEY, CertificateSet, StoredSet, from_files, to_files
from gpu_admission.pki.errors import CertificateSetError, ConflictError, PkiError, StoreError

from .api import NotFoundError

if TYPE_CHECKING:
    from .api import KubernetesApi, Object


class SecretStore:
    """A `CertificateStore` in a Secret; the API server's resourceVersion is the compare-and-swap."""

    __slots__ = ("_api", "_name", "_namespace")

    def __init__(self, api: KubernetesApi, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    def __str__(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    def files(self) -> dict[str, bytes]:
        """Read the data of any origin unchanged. Raises StoreError, CertificateSetError."""
        return _decoded(self._get())

    def version(self) -> str:
        """Read the Secret's version. Raises StoreError."""
        return self._api.version("Secret", self._name, self._namespace)

    def read(self) -> StoredSet:
        """Read the set. Raises StoreError (also for a missing Secret), CertificateSetError, ForeignError."""
        found = self._get()
        try:
            return StoredSet(from_files(_decoded(found)), str(found["metadata"]["resourceVersion"]))
        except PkiError as error:
            raise type(error)(f"{self}: {error}") from None

    def write(self, certificates: CertificateSet, version: str | None) -> None:
        """Replace what `read` saw, keeping labels and other data. Raises ConflictError, StoreError."""
        found = self._get()
        if version is not None and found["metadata"]["resourceVersion"] != version:
            raise ConflictError(f"{self} changed meanwhile")
        data = {key: value for key, value in (found.get("data") or {}).items() if key not in FILES}
        # Secrets of type kubernetes.io/tls must hold both keys, if only empty.
        data |= {TLS_CRT: "", TLS_KEY: ""}
        data |= {key: base64.b64encode(value).decode() for key, value in to_files(certificates).items()}
        self._api.replace("Secret", {**found, "data": data})

    def _get(self) -> Object:
        try:
            return self._api.get("Secret", self._name, self._namespace)
        except NotFoundError:
            raise StoreError(
                f"{self} does not exist: create it empty first (kubectl create secret generic"
                f" {self._name} -n {self._namespace})"
            ) from None


def _decoded(secret: Object) -> dict[str, bytes]:
    files = {}
    for name in FILES:
        try:
            files[name] = base64.b64decode((secret.get("data") or {}).get(name) or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise CertificateSetError(f"{name}: not base64") from None
    return files
