"""What goes wrong between us and an API server. Each message is one line that ends in what to do about it."""

from __future__ import annotations


class ClusterError(Exception):
    """Anything that keeps us from reading or writing a cluster."""


class ConnectError(ClusterError):
    """No API server can be talked to: no kubeconfig, no such context, no route, no trust in its certificate."""


class CredentialsError(ClusterError):
    """The API server does not accept who we are (401)."""


class ForbiddenError(ClusterError):
    """We may not do this one thing (403)."""


class NotServedError(ClusterError):
    """There is nothing at this path (404): a CRD or an object that is gone, or never was."""


class ServerError(ClusterError):
    """The API server failed, or kept refusing, for as long as it was asked."""


class StaleWriteError(ServerError):
    """What was to be written has changed since it was read (409)."""


class ExpiredError(ClusterError):
    """A list cannot be continued from its token (410).

    ``token`` continues after the same object from the newest state; it is empty where the server gave none.
    """

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token
