"""From ASGI to WSGI: small answers made in a thread, for the pages that are not on the hot path."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from gpu_admission.admission.intake import Intake
from gpu_admission.admission.replies import Gone, busy, error_body, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from gpu_admission.admission.replies import Receive, Scope, Send
    from gpu_admission.admission.seam import Headers
    from gpu_admission.admission.settings import Settings

    Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

WAITING = 32  # requests in threads or waiting for one; a flood of page views is refused beyond


class WsgiPages:
    """An ASGI application around a WSGI one. Request bodies are discarded: no page of ours takes one."""

    def __init__(self, wsgi: Wsgi, settings: Settings, pool: Executor) -> None:
        self._wsgi = wsgi
        self._pool = pool
        self._intake = Intake(settings)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        try:
            expects = any(name == b"expect" for name, _ in scope["headers"])
            drained = not expects and await self._intake.drop(receive)
        except Gone:
            return
        if self._running >= WAITING:
            refusal = busy("too many requests")
            body = error_body(refusal.status, refusal.sentence)
            await reply(send, refusal.status, body, refusal.headers, close=not drained)
            return
        self._running += 1
        try:
            loop = asyncio.get_running_loop()
            status, headers, body = await loop.run_in_executor(self._pool, call, self._wsgi, environ(scope))
        finally:
            self._running -= 1
        await reply(send, status, body, headers, close=not drained)


def environ(scope: Scope) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an HTTP scope whose body is empty."""
    server = scope.get("server") or ("localhost", 0)
    made = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if name not in {b"content-length", b"content-type", b"transfer-encoding"}:
            made["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
    return made


def call(wsgi: Wsgi, env: dict[str, Any]) -> tuple[int, Headers, bytes]:
    """Run a WSGI application to its end: status, headers without framing, whole body."""
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], None]:
        started.update(status=status, headers=headers)
        return written.append

    written: list[bytes] = []
    result = wsgi(env, start_response)
    try:
        written.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    framing = {"content-length", "connection", "transfer-encoding", "server"}
    headers = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in started["headers"]
        if name.lower() not in framing
    )
    return int(started["status"][:3]), headers, b"".join(written)
