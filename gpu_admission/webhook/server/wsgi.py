"""Calling a WSGI application (PEP 3333) for one request without a body."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from gpu_admission.webhook.review.types import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .http_request import RequestHead

    Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# The connection writes these headers itself.
FRAMING = frozenset({b"content-length", b"connection", b"transfer-encoding", b"server", b"date"})
BODY = frozenset({b"content-length", b"content-type", b"transfer-encoding", b"expect"})


def call(wsgi: Wsgi, head: RequestHead) -> Response:
    """Run the application and return its response. Raises what the application raises."""
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(*status_and_headers: Any) -> Callable[[bytes], None]:
        started[:] = status_and_headers
        return written.append

    result = wsgi(environ(head), start_response)
    try:
        written.extend(result)
    finally:
        getattr(result, "close", bool)()
    status, headers = started[:2]
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return Response(int(status[:3]), b"".join(written), tuple(field for field in fields if field[0] not in FRAMING))


def environ(head: RequestHead) -> dict[str, Any]:
    """Make the WSGI environment of a request without a body."""
    given = [(name, value) for name, value in head.fields if name not in BODY and b"_" not in name]
    return {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(head.raw_path).decode("latin-1"),
        "QUERY_STRING": head.query.decode("latin-1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{"HTTP_" + name.decode("ascii").upper().replace("-", "_"): value.decode("latin-1") for name, value in given},
    }
