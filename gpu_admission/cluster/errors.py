"""Errors between us and an API server. Each message is one line that ends with what to do about it."""

from __future__ import annotations


class ClusterError(Exception):
    """The base of all errors of reading or writing a cluster."""


class ConnectError(ClusterError):
    """No connection to an API server: no kubeconfig, no such context, no route, an untrusted certificate."""


class CredentialsError(ClusterError):
    """The API server does not accept our credentials (401)."""


class ForbiddenError(ClusterError):
    """RBAC does not allow this request (403)."""


class NotServedError(ClusterError):
    """The path does not exist (404): a CRD or an object was deleted, or was never created."""


class ServerError(ClusterError):
    """The API server failed or refused, after all retries."""


class StaleWriteError(ServerError):
    """The object has changed since it was read (409)."""


class ExpiredError(ClusterError):
    """A list cannot be continued from its token (410).

    ``token`` continues after the same object from the newest state; it is empty where the server gave none.
    """

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token
