"""Handles complete requests: a review is decided at once, a page is made in a thread."""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gpu_admission.webhook.review.types import JSON, Response

from .http_request import HttpError
from .wsgi import call

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gpu_admission.webhook.policy_store import PolicyStore
    from gpu_admission.webhook.review.types import ReviewHandler

    from .http_request import RequestHead
    from .settings import ServerSettings
    from .wsgi import Wsgi

ENDPOINTS = frozenset({"validate", "mutate"})
PATIENCE = 30.0  # seconds; the longest timeout of a webhook configuration
UID = re.compile(rb'"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
GO_DURATION = re.compile(rb"(?:^|&)timeout=((?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s)){1,4})(?:&|$)")
GO_PART = re.compile(rb"([\d.]+)(h|ms|m|s)")
SECONDS = {b"h": 3600.0, b"m": 60.0, b"s": 1.0, b"ms": 0.001}
PAGES_WAITING = 32  # pages in threads or waiting for one; a flood of them is refused beyond
LARGE_WAITING = 8
NO_SUCH_POLICY = HttpError(HTTPStatus.NOT_FOUND, "no policy of that name is loaded")


class Responder(Protocol):
    """The connection of a request, which sends the response."""

    def respond(self, answer: Response) -> None:
        """Send a response. Call it once, on the loop."""


class Observer(Protocol):
    """Logs and counts requests after they were answered."""

    def reviewed(self, endpoint: str, policy: str, answer: Response, seconds: float) -> None:
        """Note that a review was answered ``seconds`` after its body was complete."""

    def refused(self, path: str, refusal: HttpError) -> None:
        """Note that a request got an HTTP error instead of a review."""

    def crashed(self, uid: str, error: Exception) -> None:
        """Note that the decision raised an exception."""


class Pages:
    """Serves a WSGI application; one per event loop."""

    def __init__(self, wsgi: Wsgi, settings: ServerSettings, pool: Executor, observer: Observer) -> None:
        self._wsgi = wsgi
        self._settings = settings
        self._pool = pool
        self._observer = observer
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def admit(self, head: RequestHead) -> HttpError | None:  # noqa: ARG002 - used by Reviews
        """Return, before the body is read, the error of a request that will be refused; None for any other."""
        if self._running >= PAGES_WAITING:
            return HttpError.busy("too many requests")
        return None

    def patience(self, head: RequestHead) -> float:  # noqa: ARG002 - as above
        """Return how many seconds the client will wait."""
        return PATIENCE

    def too_large(self) -> HttpError:
        """Return the error for a body over the limit."""
        sentence = f"the body is larger than {self._settings.max_body} bytes"
        return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)

    def refused(self, head: RequestHead | None, refusal: HttpError) -> None:
        """Note a refusal that was answered."""
        self._observer.refused(head.path if head is not None else "", refusal)

    def handle(self, head: RequestHead, body: bytes, responder: Responder) -> None:  # noqa: ARG002 - pages take no body
        """Answer a complete request, now or later; never raises."""
        self._spawn(self._page(head, responder))

    def _spawn(self, work: asyncio.Coroutine[None, None, None]) -> None:  # type: ignore[name-defined]
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _page(self, head: RequestHead, responder: Responder) -> None:
        self._running += 1
        try:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool, call, self._wsgi, head)
        except Exception as error:  # noqa: BLE001 - any exception is a bug, and must be answered
            self._observer.crashed("", error)
            answer = HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error").answer
        finally:
            self._running -= 1
        responder.respond(answer)


class Target(NamedTuple):
    """The target of a review: ``validate`` or ``mutate``, and the policy requested (None: the first)."""

    endpoint: str
    policy: str | None


class Reviews(Pages):
    """POST /validate, /mutate, /validate/NAME, /mutate/NAME; every other path is a page."""

    def __init__(
        self,
        decide: ReviewHandler,
        policies: PolicyStore,
        wsgi: Wsgi,
        settings: ServerSettings,
        pool: Executor,
        observer: Observer,
    ) -> None:
        super().__init__(wsgi, settings, pool, observer)
        self._decide = decide
        self._policies = policies
        self._large = asyncio.Lock()
        self._queued = 0

    def admit(self, head: RequestHead) -> HttpError | None:
        """Return a 404, 405, 413, 415 or 503 as far as the head determines it."""
        target = review_target(head)
        if target is None:
            return super().admit(head)
        if self._policies.get(target.policy) is None:
            return HttpError.busy("no policy is loaded") if target.policy is None else NO_SUCH_POLICY
        return self._refuse(head)

    def _refuse(self, head: RequestHead) -> HttpError | None:
        if head.method != "POST":
            return HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "use POST", (*JSON, (b"allow", b"POST")))
        if head.media != b"application/json" and _essence(head.media) != b"application/json":
            return HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
        if head.encoding and head.encoding.lower() != b"identity":
            return HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported")
        if head.length is not None and head.length > self._settings.max_body:
            return self.too_large()
        return None

    def patience(self, head: RequestHead) -> float:
        """Return the seconds of the ``timeout=10s`` that the API server appends."""
        return deadline(head.query)

    def handle(self, head: RequestHead, body: bytes, responder: Responder) -> None:
        """Decide a review at once, or in a thread when it is large."""
        target = review_target(head)
        if target is None:
            super().handle(head, body, responder)
        elif len(body) <= self._settings.large_body:
            self._finish(target, body, responder, *self._judge(target, body))
        else:
            self._spawn(self._review_large(head, target, body, responder))

    def _judge(self, target: Target, body: bytes) -> tuple[Response, float]:
        started = time.perf_counter()
        try:
            answer = self._decide(body, target.endpoint, target.policy)
        except Exception as error:  # noqa: BLE001 - any exception is a bug, and must not allow or deny
            found = UID.search(body, 0, 1 << 16)
            self._observer.crashed(found[1].decode() if found else "", error)
            failure = HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error").answer
            answer = failure._replace(record={"decision": "error"})
        return answer, time.perf_counter() - started

    def _finish(self, target: Target, _body: bytes, responder: Responder, answer: Response, seconds: float) -> None:
        responder.respond(answer)
        policy = self._policies.get(target.policy)
        self._observer.reviewed(target.endpoint, policy.name if policy is not None else "", answer, seconds)

    async def _review_large(self, head: RequestHead, target: Target, body: bytes, responder: Responder) -> None:
        """Decide a large review: one at a time, because a parsed body can take twenty times its size.

        In a thread, because it can take a second, and small reviews should not wait for it.
        """
        patience = min(self._settings.large_body_wait, deadline(head.query))
        self._queued += 1
        try:
            await asyncio.wait_for(self._large.acquire(), patience if self._queued <= LARGE_WAITING else 0)
        except TimeoutError:
            refusal = HttpError.busy("busy with other large objects")
            responder.respond(refusal.answer)
            self.refused(head, refusal)
            return
        finally:
            self._queued -= 1
        try:
            loop = asyncio.get_running_loop()
            answer, seconds = await loop.run_in_executor(self._pool, self._judge, target, body)
        finally:
            self._large.release()
        self._finish(target, body, responder, answer, seconds)


def _essence(media: bytes) -> bytes:
    return media.partition(b";")[0].strip().lower()


def review_target(head: RequestHead) -> Target | None:
    """Return the target of a review; None for every other path."""
    return _target(head.raw_path) if b"%" not in head.raw_path else _of_path(head.path)


@lru_cache(maxsize=64)  # two per policy
def _target(raw_path: bytes) -> Target | None:
    return _of_path(raw_path.decode("utf-8", "replace"))


def _of_path(path: str) -> Target | None:
    endpoint, slash, name = path[1:].partition("/")
    if endpoint not in ENDPOINTS or path[:1] != "/":
        return None
    if not slash:
        return Target(endpoint, None)
    return Target(endpoint, name) if name and "/" not in name else None


@lru_cache(maxsize=64)  # a cluster has a few timeouts
def deadline(query: bytes) -> float:
    """Return the seconds that the API server waits: the Go duration in ``timeout=10s``; PATIENCE when not given."""
    found = GO_DURATION.search(query)
    if found is None:
        return PATIENCE
    total = sum(float(number) * SECONDS[unit] for number, unit in GO_PART.findall(found[1]))
    return min(total, PATIENCE)
