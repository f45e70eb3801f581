"""Replies of an API server, and the errors that they mean: each is one line that ends with what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import (
    ClusterError,
    ConnectError,
    CredentialsError,
    ExpiredError,
    ForbiddenError,
    NotServedError,
    ServerError,
    StaleWriteError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    Headers = Mapping[str, str]

_LONGEST_DETAIL = 200


class Reply(NamedTuple):
    """A response: the status, the headers and the whole body."""

    status: int
    headers: Headers
    data: bytes


def fault_of(reply: Reply, method: str, path: str, name: str) -> ClusterError:
    """Return the error for a status that is not a success."""
    status, detail = reply.status, _detail(reply.data)
    if status == 410:
        return ExpiredError(f"{path}: the list has expired: try again", _continue_token(reply.data))
    if status in _REFUSALS:
        error, text = _REFUSALS[status]
        values = {"name": name, "path": path, "verb": _VERBS.get(method, "use")}
        return error(f"{text.format(**values)}{': ' + detail if detail and status != 401 else ''}")
    if 300 <= status < 400:
        return ConnectError(f"{name}: {path} is answered with a redirect ({status}): is this the URL of an API server?")
    return ServerError(f"{path}: the API server responded {status}{': ' + detail if detail else ''}")


_REFUSALS: dict[int, tuple[type[ClusterError], str]] = {
    401: (
        CredentialsError,
        "{name}: the credentials are not accepted (401 Unauthorized): log in again, or choose another --context",
    ),
    403: (ForbiddenError, "{path}: RBAC does not allow to {verb} it"),
    404: (NotServedError, "{path}: does not exist"),
    409: (StaleWriteError, "{path}: has changed meanwhile"),
    429: (ServerError, "{path}: the API server keeps throttling requests (429): try again later"),
}
_VERBS = {"GET": "read", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def short(error: object) -> str:
    """Return an error of a library as one line of reasonable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith(("HTTPConnection(", "HTTPSConnection(")):  # urllib3 begins with the host once more
        text = text.partition("): ")[2] or text
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"


def json_object(data: bytes) -> dict[str, Any]:
    """Return a JSON object; empty for anything else."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _detail(data: bytes) -> str:
    message = json_object(data[: 1 << 20]).get("message")
    return short(message) if isinstance(message, str) else ""


def _continue_token(data: bytes) -> str:
    metadata = json_object(data).get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) else ""


def retry_after(headers: Headers) -> float:
    """Return the seconds of Retry-After; 0 without one (API servers do not send dates)."""
    value = headers.get("Retry-After") or ""
    return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0.0
