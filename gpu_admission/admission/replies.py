"""How an answer and a refusal look on the wire."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gpu_admission.admission.seam import JSON, RETRY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from gpu_admission.admission.seam import Headers

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SERVER = (b"server", b"gpu-admission")
CLOSE = (b"connection", b"close")


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A request that gets no review: an HTTP status and a constant sentence, both safe to show and to log."""

    def __init__(self, status: int, sentence: str, headers: Headers = JSON) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


class Gone(Exception):  # noqa: N818 - as above
    """The client left before its request was complete; nobody is there to answer."""


def busy(sentence: str) -> Refusal:
    """A 503 that the API server retries: without the integer Retry-After it does not retry a POST."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, RETRY)


def error_body(status: int, sentence: str) -> bytes:
    """One line of JSON."""
    return json.dumps({"error": sentence, "status": status}).encode() + b"\n"


async def reply(send: Send, status: int, body: bytes, headers: Headers, *, close: bool = False) -> None:
    """Send one complete answer; ``close`` announces that the connection ends with it."""
    head = [*headers, (b"content-length", b"%d" % len(body)), SERVER]
    if close:
        head.append(CLOSE)
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
