"""The two review endpoints as the thinnest ASGI application; every other path goes to the pages."""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from gpu_admission.admission.intake import Intake
from gpu_admission.admission.replies import Gone, Refusal, busy, error_body, reply
from gpu_admission.admission.seam import JSON, Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from gpu_admission.admission.policies import PolicySet
    from gpu_admission.admission.replies import Receive, Scope, Send
    from gpu_admission.admission.seam import Decide
    from gpu_admission.admission.settings import Settings

ENDPOINTS = frozenset({"validate", "mutate"})
UID = re.compile(rb'"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
GO_DURATION = re.compile(r"(?:^|&)timeout=((?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s))+)(?:&|$)")
GO_PART = re.compile(r"([\d.]+)(h|ms|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class Observer:
    """Is told what became of each request, after it was answered; the service logs and counts."""

    def reviewed(self, endpoint: str, policy: str, answer: Answer, seconds: float) -> None:
        """A review was answered ``seconds`` after its body was complete."""

    def refused(self, path: str, refusal: Refusal) -> None:
        """A request got an HTTP error instead of a review."""

    def crashed(self, uid: str, error: Exception) -> None:
        """The decision raised: our bug."""


class Target(NamedTuple):
    """Where a review goes: ``validate`` or ``mutate``, and the policy asked for (None: the first)."""

    endpoint: str
    policy: str | None


class ReviewApp:
    """POST /validate, /mutate, /validate/NAME, /mutate/NAME."""

    def __init__(
        self,
        decide: Decide,
        policies: PolicySet,
        settings: Settings,
        *,
        pages: Callable[[Scope, Receive, Send], object],
        pool: Executor,
        observer: Observer,
    ) -> None:
        self._decide = decide
        self._policies = policies
        self._settings = settings
        self._pages = pages
        self._pool = pool
        self._observer = observer
        self._intake = Intake(settings)
        self._large = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        target = review_target(scope["path"])
        if target is None:
            await self._pages(scope, receive, send)  # type: ignore[misc]
            return
        headers = Headers(scope)
        try:
            body = await self._accept(target, scope, headers, receive)
        except Gone:
            return
        except Refusal as refusal:
            await self._refuse(refusal, scope, headers, receive, send)
            return
        await self._review(target, body, scope, send)

    async def _accept(self, target: Target, scope: Scope, headers: Headers, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "use POST", (*JSON, (b"allow", b"POST")))
        if self._policies.get(target.policy) is None:
            if target.policy is not None:
                raise Refusal(HTTPStatus.NOT_FOUND, "no policy of that name is loaded")
            raise busy("no policy is loaded")
        headers.check()
        if headers.declared > self._settings.max_body and headers.expects:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        return await self._intake.read(receive, headers.declared, deadline(scope["query_string"]))

    async def _review(self, target: Target, body: bytes, scope: Scope, send: Send) -> None:
        policy = self._policies.get(target.policy)
        name = policy.name if policy is not None else ""
        started = time.perf_counter()
        try:
            answer = await self._answer(target, body, scope)
        except Refusal as refusal:
            self._observer.refused(scope["path"], refusal)
            await reply(send, refusal.status, error_body(refusal.status, refusal.sentence), refusal.headers)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is our bug and no verdict
            found = UID.search(body, 0, 1 << 16)
            self._observer.crashed(found[1].decode() if found else "", error)
            answer = Answer(500, error_body(500, "internal error"), JSON, {"decision": "error"})
        await reply(send, answer.status, answer.body, answer.headers)
        self._observer.reviewed(target.endpoint, name, answer, time.perf_counter() - started)

    async def _answer(self, target: Target, body: bytes, scope: Scope) -> Answer:
        if len(body) <= self._settings.large_body:
            return self._decide(body, target.endpoint, target.policy)
        # Parsed, a body can take twenty times its size: one at a time. In a thread, because it can take a
        # second and small reviews should not wait behind it.
        patience = min(self._settings.large_body_wait, deadline(scope["query_string"]))
        try:
            await asyncio.wait_for(self._large.acquire(), patience)
        except TimeoutError:
            raise busy("busy with other large objects") from None
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._decide, body, target.endpoint, target.policy)
        finally:
            self._large.release()

    async def _refuse(self, refusal: Refusal, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        # Whoever waits for a 100 has sent nothing: the final answer comes instead of it, and ends the connection.
        drained = not headers.expects and await self._drained(refusal, receive)
        self._observer.refused(scope["path"], refusal)
        body = b"" if scope["method"] == "HEAD" else error_body(refusal.status, refusal.sentence)
        await reply(send, refusal.status, body, refusal.headers, close=not drained)

    async def _drained(self, refusal: Refusal, receive: Receive) -> bool:
        if refusal.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
            return False
        try:
            return await self._intake.drop(receive)
        except Gone:
            return False


class Headers:
    """The few request headers that matter here."""

    __slots__ = ("declared", "encoding", "expects", "media")

    def __init__(self, scope: Scope) -> None:
        self.media = self.encoding = b""
        self.declared = 0
        self.expects = False
        for name, value in scope["headers"]:
            if name == b"content-type":
                self.media = value
            elif name == b"content-length":
                self.declared = int(value)
            elif name == b"content-encoding":
                self.encoding = value
            elif name == b"expect":
                self.expects = value.lower() == b"100-continue"

    def check(self) -> None:
        """Refuse (415) what is not plain JSON."""
        if self.media != b"application/json":
            media = self.media.partition(b";")[0].strip().lower()
            if media != b"application/json":
                raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
        if self.encoding and self.encoding.strip().lower() != b"identity":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported")


def review_target(path: str) -> Target | None:
    """Which review a decoded path asks for; None for every other path."""
    endpoint, slash, name = path[1:].partition("/")
    if endpoint not in ENDPOINTS or path[:1] != "/":
        return None
    if not slash:
        return Target(endpoint, None)
    return Target(endpoint, name) if name and "/" not in name else None


def deadline(query: bytes) -> float:
    """Seconds that the API server waits, from the ``timeout=10s`` it appends; 30, its maximum, when not given."""
    found = GO_DURATION.search(query.decode("latin-1"))
    if found is None:
        return 30.0
    total = sum(float(number) * SECONDS[unit] for number, unit in GO_PART.findall(found[1]))
    return min(total, 30.0)
