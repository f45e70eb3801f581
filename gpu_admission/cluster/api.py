"""The few calls of the Kubernetes API that certificates need, on raw JSON.

Raw, because the client's models of one release drop the fields of the next, and an update that goes
through them would delete those. The client is imported when it is first used: that costs half a second.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gpu_admission.pki.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = (3.0, 10.0)  # seconds to connect and to answer
Object = dict[str, Any]
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class NotFoundError(StoreError):
    """The object does not exist."""


ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PATHS = {
    "Secret": "/api/v1/namespaces/{namespace}/secrets/{name}",
    "MutatingWebhookConfiguration": ADMISSION + "/mutatingwebhookconfigurations/{name}",
    "ValidatingWebhookConfiguration": ADMISSION + "/validatingwebhookconfigurations/{name}",
}


# Requested where only the version is needed: a few hundred bytes, which the API server takes from its cache.
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


class KubernetesApi:
    """Reads and replaces objects of the kinds in `PATHS`.

    It uses the official client's connection (its TLS, tokens, proxies and timeouts). Raises ConflictError when the
    replaced object has another resourceVersion by now, NotFoundError when it does not exist, and StoreError for
    anything else.
    """

    def __init__(self, api_client: Any) -> None:
        self._api_client = api_client
        self._heard: tuple[datetime, float] | None = None  # the time in the last answer, and when it came (monotonic)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Read an object as the API server sends it."""
        return self._call("GET", kind, name, namespace)

    def version(self, kind: str, name: str, namespace: str | None = None) -> str:
        """Read an object's resourceVersion, which may be a moment old; needs no more rights than `get`."""
        found = self._call("GET", kind, name, namespace, accept=METADATA_ONLY, query="?resourceVersion=0")
        return str(found["metadata"]["resourceVersion"])

    def replace(self, kind: str, body: Object) -> Object:
        """Replace an object; its metadata names it and holds the resourceVersion that was read."""
        return self._call("PUT", kind, body["metadata"]["name"], body["metadata"].get("namespace"), body)

    def time(self) -> datetime | None:
        """Return the API server's time, to the second: the one in its last answer, and the time since then."""
        if self._heard is None:
            return None
        server_time, heard = self._heard
        return server_time + timedelta(seconds=time.monotonic() - heard)

    def _note_time(self, date: str | None) -> None:
        try:
            self._heard = parsedate_to_datetime(date or "").astimezone(UTC), time.monotonic()
        except (ValueError, OverflowError):
            return  # a proxy answered

    def try_create(self, path: str, body: Object) -> tuple[int, Object, list[str]]:
        """Create an object as a dry run; return the HTTP status, the answer (object or Status) and the warnings.

        Raises StoreError without an answer of the API server.
        """
        status, _, headers, data = self._send("POST", f"{path}?dryRun=All", body, "application/json", path)
        try:
            answer = json.loads(data)
        except (TypeError, ValueError):
            answer = None
        if not isinstance(answer, dict):
            raise StoreError(f"{path}: the API server's answer is not an object")
        return status, answer, _warnings(headers)

    def _send(
        self, method: str, path: str, body: Object | None, accept: str, what: str
    ) -> tuple[int, str, Mapping[str, str], bytes | str]:
        """Return status, reason, headers and body of an answer, whatever its status. Raises StoreError without one."""
        configuration = self._api_client.configuration
        refused = import_module("kubernetes.client.exceptions").ApiException
        unreachable = import_module("urllib3.exceptions").HTTPError
        try:
            # The generated methods use models, whose names and treatment of unknown fields change from release to
            # release. The connection below them does not.
            response = self._api_client.rest_client.request(
                method=method,
                url=configuration.host + path,
                headers=self._headers(accept),
                body=body,
                _request_timeout=TIMEOUT,
            )
            data = response.read() if response.data is None else response.data
            self._note_time(response.getheader("Date"))
        except refused as error:  # some releases raise, others return the response
            return error.status or 0, error.reason or "", error.headers or {}, error.body or ""
        except (unreachable, OSError) as error:
            raise StoreError(f"{what}: the API server cannot be reached: {type(error).__name__}") from None
        return response.status, response.reason or "", response.getheaders(), data

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "Content-Type": "application/json"}
        token = self._api_client.configuration.auth_settings().get("BearerToken")  # read anew: tokens of pods expire
        if token is not None:
            headers[token["key"]] = token["value"]
        return headers

    def _call(
        self,
        method: str,
        kind: str,
        name: str,
        namespace: str | None,
        body: Object | None = None,
        *,
        accept: str = "application/json",
        query: str = "",
    ) -> Object:
        what = f"{kind} {name if namespace is None else f'{namespace}/{name}'}"
        path = PATHS[kind].format(name=quote(name, safe=""), namespace=quote(namespace or "", safe=""))
        status, reason, _, data = self._send(method, path + query, body, accept, what)
        if not 200 <= status < 300:
            raise _translated(status, reason, method, what)
        return _object(data, what)


def _warnings(headers: Mapping[str, str]) -> list[str]:
    """Return the texts of ``Warning: 299 - "..."`` headers; several of one name arrive joined by commas."""
    joined = ",".join(value for name, value in headers.items() if name.lower() == "warning")
    return [text.replace('\\"', '"').replace("\\\\", "\\") for text in _WARNING.findall(joined)]


def _object(data: bytes | str, what: str) -> Object:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or "resourceVersion" not in metadata:
        raise StoreError(f"{what}: the API server's response is not an object")
    answer: Object = found
    return answer


def _translated(status: int | None, reason: str | None, method: str, what: str) -> StoreError:
    if status == 404:
        return NotFoundError(f"{what} does not exist")
    if status == 409:
        return ConflictError(f"{what} changed meanwhile")
    if status in {401, 403}:
        verb = "get" if method == "GET" else "update"
        return StoreError(f"{what}: not allowed to {verb} it, RBAC must grant get and update on this name")
    answer = " ".join(f"{status or ''} {reason or ''}".split())
    return StoreError(f"{what}: the API server responded {answer}")


def connect(context: str | None = None) -> KubernetesApi:
    """Connect as the pod's service account, or outside of a cluster by kubeconfig.

    Raises StoreError: no such context, no configuration, or the client is not installed.
    """
    try:
        client, config = import_module("kubernetes.client"), import_module("kubernetes.config")
    except ImportError:
        raise StoreError('needs the Kubernetes client: pip install "gpu-admission[cluster]"') from None
    # Releases before 37 log every answer at debug level: Secrets too.
    logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)
    settings = client.Configuration()
    try:
        if context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(context=context, client_configuration=settings)
    except Exception as error:  # noqa: BLE001 - any error of YAML, paths and contexts in it
        text = " ".join(str(error).split())
        raise StoreError(f"no cluster to talk to: {text[:200]}") from None
    return KubernetesApi(client.ApiClient(settings))
