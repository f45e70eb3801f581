"""Requests to an API server that survive throttling, restarts and broken connections.

The official client makes the connection: its TLS, tokens, exec plugins and proxies. Requests go through its pool
directly and answers stay bytes, because its models cost ten times what reading JSON costs, and its releases differ in
which statuses they raise and retry.
"""

from __future__ import annotations

import json
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .errors import ClusterError, ConnectError, ServerError
from .replies import Reply, fault_of, json_object, retry_after, short
from .streams import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

JSON = "application/json"
CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 60.0  # seconds between two bytes; the default of --request-timeout
TRIES = 5  # of a request that fails, with 0.5, 1, 2 and 4 seconds between them
PATIENCE = 180.0  # seconds in total that we wait by Retry-After for one request
LONGEST_WAIT = 60.0  # seconds of one Retry-After
_TRANSIENT = frozenset({500, 502, 503, 504})


class Connection:
    """One API server, as one user.

    ``namespace`` is that of the context, ``name`` the cluster's name in messages. ``headers`` are sent with every
    request (impersonation). ``on_wait`` is called with a line before a request is retried after a second or more;
    ``sleep`` waits. ``tries`` is how often a failing request is sent.
    """

    def __init__(
        self,
        api_client: Any,
        *,
        name: str = "the cluster",
        namespace: str = "default",
        headers: Sequence[tuple[str, str]] = (),
        timeout: float = READ_TIMEOUT,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.on_wait: Callable[[str], None] = _ignore
        self._api_client = api_client
        self._headers = tuple(headers)
        self._timeout = timeout
        self._tries = tries
        self._sleep = sleep
        self._was_reached = False

    def close(self) -> None:
        """Close the connections of the pool."""
        self._api_client.rest_client.pool_manager.clear()

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> bytes:
        """Return the body of a resource; retries while that may help.

        Raises ConnectError, CredentialsError, ForbiddenError, NotServedError, ExpiredError, ServerError.
        """
        return self._until_answered("GET", path, query, {"Accept": accept}, None)

    def read(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> dict[str, Any]:
        """Return a resource as an object. Raises as `get` does, and ServerError where it is not an object."""
        try:
            found = json.loads(self.get(path, query, accept=accept))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerError(f"{path}: the answer is not a Kubernetes object: is {self.name} an API server?")
        return found

    def write(
        self, method: str, path: str, body: Any, *, query: Mapping[str, str] | None = None, content: str = JSON
    ) -> bytes:
        """Send an object by PUT, POST or PATCH, or DELETE the path; return the response's body.

        Raises as `get` does.

        The request must be idempotent: it is retried like reading.
        """
        headers = {"Accept": JSON, "Content-Type": content}
        return self._until_answered(method, path, query, headers, None if body is None else json.dumps(body).encode())

    def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object by PUT and return it as it was stored. Raises as `get` does, and StaleWriteError."""
        found = json_object(self.write("PUT", path, body))
        if not found:
            raise ServerError(f"{path}: the answer is not a Kubernetes object: is {self.name} an API server?")
        return found

    def stream(self, path: str, query: Mapping[str, str] | None = None, *, silence: float) -> Iterator[bytes]:
        """Yield the lines of a response without an end, such as a watch's, as they arrive. It is sent once.

        Raises as `get` does; ServerError also where nothing comes for ``silence`` seconds, the connection breaks, or a
        line is longer than `streams.LONGEST_LINE`.
        """
        try:
            response = self._open("GET", path, query, {"Accept": JSON}, None, silence)
        except _BrokenError as error:
            raise ServerError(f"{path}: {error}") from None
        try:
            if response.status != 200:
                raise fault_of(Reply(response.status, response.headers, response.read()), "GET", path, self.name)
            yield from lines(response, path)
        finally:
            response.close()

    def _until_answered(
        self, method: str, path: str, query: Mapping[str, str] | None, headers: dict[str, str], body: bytes | None
    ) -> bytes:
        failures, waited = 0, 0.0
        while True:
            fault: ClusterError
            wait = 0.0
            try:
                reply = self._request(method, path, query, headers, body)
            except _BrokenError as error:
                fault = ServerError(f"{path}: {error}: try again, or raise --request-timeout")
            else:
                if 200 <= reply.status < 300:
                    return reply.data
                fault = fault_of(reply, method, path, self.name)
                wait = retry_after(reply.headers)
                if (reply.status not in _TRANSIENT and reply.status != 429) or self._tries == 1:
                    raise fault
                if reply.status == 429:
                    wait, failures = wait or 1.0, failures - 1  # a request to wait is not a failure
            failures += 1
            wait = min(wait, LONGEST_WAIT) or 0.5 * 2.0 ** (failures - 1)
            if failures >= self._tries or waited + wait > PATIENCE:
                raise fault
            waited += wait
            self._wait(wait, fault)

    def _wait(self, seconds: float, fault: ClusterError) -> None:
        if seconds >= 1:
            self.on_wait(f"trying again in {seconds:.0f} s: {fault}")
        self._sleep(seconds)

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, headers: dict[str, str], body: bytes | None
    ) -> Reply:
        """Send one request. Raises ConnectError where a retry cannot help, _BrokenError where it may."""
        response = self._open(method, path, query, headers, body)
        return Reply(response.status, response.headers, response.data)

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: dict[str, str],
        body: bytes | None,
        silence: float | None = None,
    ) -> Any:
        """Send one request and return urllib3's response: complete, or a stream where ``silence`` bounds its pauses.

        Raises as `_request` does.
        """
        import urllib3  # noqa: PLC0415 - comes with the Kubernetes client

        host = self._api_client.configuration.host
        url = f"{host}{path}{'?' + urlencode(query) if query else ''}"
        sent = self._all_headers({**headers, "Accept-Encoding": "gzip" if silence is None else "identity"})
        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT, self._timeout), read=silence or self._timeout)
        try:
            response = self._api_client.rest_client.pool_manager.request(
                method, url, headers=sent, body=body, timeout=timeout, retries=False, redirect=False,
                preload_content=silence is None,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._failure(error, host) from None
        self._was_reached = True
        return response

    def _all_headers(self, headers: dict[str, str]) -> Any:
        """Return a request's headers with those of the connection and of its user."""
        sent = import_module("urllib3").HTTPHeaderDict({**headers, "User-Agent": "gpu-admission"})
        for name, value in self._headers:  # a header may be repeated
            sent.add(name, value)
        for setting in self._api_client.configuration.auth_settings().values():  # read anew: tokens expire
            if setting.get("in") == "header" and setting.get("value"):
                sent[setting["key"]] = setting["value"]
        return sent

    def _failure(self, error: Exception, host: str) -> Exception:
        detail = short(error)
        if "CERTIFICATE_VERIFY_FAILED" in detail or "certificate" in detail.lower():
            return ConnectError(
                f"{self.name}: the certificate of {host} cannot be verified ({detail}): check certificate-authority"
                " in the kubeconfig"
            )
        if "SSL" in type(error).__name__ or "SSL" in detail:
            return ConnectError(
                f"{self.name}: TLS with {host} failed ({detail}): check the server's URL in the kubeconfig"
            )
        if isinstance(error, ValueError) or (not self._was_reached and isinstance(error, _never_connected())):
            return ConnectError(
                f"{self.name}: {host} cannot be reached ({detail}): check the context, the network and the proxy"
            )
        return _BrokenError(f"the connection to the API server broke ({type(error).__name__})")


def _never_connected() -> tuple[type[Exception], ...]:
    errors = import_module("urllib3.exceptions")
    return (errors.NewConnectionError, errors.ConnectTimeoutError, errors.ProxyError, OSError)


class _BrokenError(Exception):
    """An established connection that broke: a retry may help."""


def _ignore(_: str) -> None:
    """Do not report the wait."""
