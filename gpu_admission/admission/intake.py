"""Reading request bodies from clients that may be slow, hostile or gone, within bounded memory and time."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from gpu_admission.admission.replies import Gone, Refusal, busy

if TYPE_CHECKING:
    from gpu_admission.admission.replies import Receive
    from gpu_admission.admission.settings import Settings

STALLED = 0.5  # seconds without a byte after which an unfinished body may be given up for another


class _Reading:
    """One unfinished body: how much of it is here, and since when nothing came."""

    __slots__ = ("limit", "progress", "size")

    def __init__(self, limit: asyncio.Timeout) -> None:
        self.limit = limit
        self.size = 0
        self.progress = time.monotonic()


class Intake:
    """Reads bodies; all unfinished ones of this process together hold at most ``max_buffered`` bytes.

    When they would hold more, the one that stalled longest is given up, so that a hundred clients who each
    leave a body unfinished cost those who finish theirs nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._max_body = settings.max_body
        self._max_discard = settings.max_discard
        self._max_buffered = settings.max_buffered
        self._timeout = settings.body_timeout
        self._buffered = 0
        self._readings: set[_Reading] = set()

    async def read(self, receive: Receive, declared: int, seconds: float) -> bytes:
        """The whole body, or Refusal (408, 413, 503), or Gone. ``declared`` is the Content-Length, 0 if none."""
        try:
            async with asyncio.timeout(min(seconds, self._timeout)) as limit:
                if declared > self._max_body:
                    await self._discard(receive, 0)
                    raise self._too_large()
                message = await receive()
                if message["type"] == "http.request" and not message.get("more_body", False):
                    body: bytes = message.get("body", b"")
                    if len(body) > self._max_body:
                        raise self._too_large()
                    return body
                return await self._gather(message, receive, limit)
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None

    async def _gather(self, message: object, receive: Receive, limit: asyncio.Timeout) -> bytes:
        reading = _Reading(limit)
        self._readings.add(reading)
        parts = bytearray()
        try:
            while True:
                chunk, more = _chunk(message)
                if reading.size + len(chunk) > self._max_body:
                    taken = reading.size + len(chunk)
                    parts.clear()
                    self._release(reading)
                    if more:
                        await self._discard(receive, taken)
                    raise self._too_large()
                self._reserve(reading, len(chunk))
                parts += chunk
                if not more:
                    return bytes(parts)
                message = await receive()
        finally:
            self._readings.discard(reading)
            self._release(reading)

    async def drop(self, receive: Receive) -> bool:
        """Throw away the body of a request that is refused whatever it holds; True when all of it was read."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._discard(receive, 0)
        except TimeoutError:
            return False

    async def _discard(self, receive: Receive, taken: int) -> bool:
        """Read on to the end or to ``max_discard``: a client still sending would not read our answer."""
        while taken < self._max_discard:
            chunk, more = _chunk(await receive())
            if not more:
                return True
            taken += len(chunk)
        return False

    def _too_large(self) -> Refusal:
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {self._max_body} bytes")

    def _reserve(self, reading: _Reading, size: int) -> None:
        now = time.monotonic()
        while self._buffered + size > self._max_buffered:
            others = (other for other in self._readings if other is not reading and other.size)
            slowest = min(others, key=lambda other: other.progress, default=None)
            if slowest is None or now - slowest.progress < STALLED:
                raise busy("too many unfinished bodies")
            self._release(slowest)
            slowest.limit.reschedule(asyncio.get_running_loop().time())
        reading.progress = now
        reading.size += size
        self._buffered += size

    def _release(self, reading: _Reading) -> None:
        self._buffered -= reading.size
        reading.size = 0


def _chunk(message: object) -> tuple[bytes, bool]:
    assert isinstance(message, dict)  # noqa: S101 - what ASGI says
    if message["type"] != "http.request":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)
