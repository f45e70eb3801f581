"""Calling a WSGI application (PEP 3333) for one request without a body."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from gpu_admission.admission.seam import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gpu_admission.admission.http_request import RequestHead

    Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# The connection frames the answer itself.
FRAMING = frozenset({"content-length", "connection", "transfer-encoding", "server", "date"})
BODY = frozenset({b"content-length", b"content-type", b"transfer-encoding", b"expect"})


def call(wsgi: Wsgi, head: RequestHead) -> Answer:
    """Run the application to its end. Raises whatever it raises."""
    started: dict[str, Any] = {}
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], None]:
        started.update(status=status, headers=headers)
        return written.append

    result = wsgi(environ(head), start_response)
    try:
        written.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    headers = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in started["headers"]
        if name.lower() not in FRAMING
    )
    return Answer(int(started["status"][:3]), b"".join(written), headers)


def environ(head: RequestHead) -> dict[str, Any]:
    """Make the WSGI environment."""
    made = {
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
    }
    for name, value in head.fields:
        if name not in BODY and b"_" not in name:
            made["HTTP_" + name.decode("ascii").upper().replace("-", "_")] = value.decode("latin-1")
    return made
