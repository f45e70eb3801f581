"""An up-to-date copy of a list of the API server: listed once, then watched.

As in client-go's reflector: events of a watch are applied to the list; a watch that ends is continued from the last
version (which bookmarks advance where nothing changes); one whose version is too old (410, as a status or inside of the
stream) is restarted with a list, and so is everything that cannot be parsed. Retries back off exponentially with
jitter, so that replicas do not retry at the same time. The copy is kept while the API server is unavailable.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .errors import ClusterError, ExpiredError, ServerError
from .lists import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .connection import Connection

WATCH = 300.0  # seconds of one watch, up to twice as long: client-go's
SILENCE = 150.0  # seconds without an event or a bookmark (one a minute) after which a watch counts as broken
RESYNC = 600.0  # seconds after which everything is listed again, even if the watch works
FIRST_PAUSE, LONGEST_PAUSE = 0.8, 30.0  # seconds between two tries
QUICK = 5.0  # a watch that ends sooner, without an event, counts as a failure: client-go calls it very short


class _WatchedMetadata(msgspec.Struct):
    name: str
    version: str = msgspec.field(name="resourceVersion")
    uid: str = ""


class _Object(msgspec.Struct):
    metadata: _WatchedMetadata


class _VersionOnly(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")


class _Bookmark(msgspec.Struct):
    metadata: _VersionOnly


class _WatchStatus(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_object = msgspec.json.Decoder(_Object).decode
_bookmark = msgspec.json.Decoder(_Bookmark).decode
_status = msgspec.json.Decoder(_WatchStatus).decode
_event = msgspec.json.Decoder(_Event).decode


class Seen(NamedTuple):
    """An object as it was last seen: its name, its uid, its resourceVersion and its JSON."""

    name: str
    uid: str
    version: str
    data: bytes


class Reflector:
    """Keeps ``objects`` (by name) like the list at a path, for kinds of the cluster.

    ``problem`` is called with a line when that fails, and with an empty string when it succeeds again; ``changed`` is
    called after changes. Both are called in the thread of `run`. ``objects`` is replaced as a whole, so that any thread
    may read it; it is None until the list was read for the first time.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        problem: Callable[[str], None],
        changed: Callable[[], None],
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objects: Mapping[str, Seen] | None = None
        self._connection = connection
        self._path = path
        self._problem = problem
        self._changed = changed
        self._sleep = sleep
        self._clock = clock
        self._version = ""
        self._listed = 0.0
        self._failures = 0
        self._watch_failed = False
        connection.on_wait = problem  # retries inside of one request

    def run(self, stopped: Callable[[], bool]) -> None:
        """List and watch until stopped, which is checked between two requests. Never raises a ClusterError."""
        while not stopped():
            try:
                self.step()
            except ExpiredError:
                self._version = ""
                self._pause()
            except ClusterError as error:
                self._watch_failed = bool(self._version)
                self._version = ""
                self._problem(str(error))
                self._pause()

    def step(self) -> None:
        """List where that is due, or watch once. Raises ClusterError; ExpiredError where a list is due next."""
        if not self._version or self._clock() - self._listed > RESYNC:
            self._list()
        else:
            self._watch()

    def _list(self) -> None:
        self._version = ""
        items, version = snapshot(self._connection, self._path)
        if not version:
            raise ServerError(f"{self._path}: the list has no resourceVersion: is a proxy in between?")
        found = {seen.name: seen for seen in map(self._seen, items)}
        self._version, self._listed = version, self._clock()
        if not self._watch_failed:  # else it works again once a watch does
            self._problem("")
        if found != self.objects:
            self.objects = found
            self._changed()

    def _watch(self) -> None:
        begun, events = self._clock(), 0
        seconds = WATCH * (1 + random.random())  # noqa: S311 - only to spread the replicas' requests
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(seconds)),
        }
        for line in self._connection.stream(self._path, query, silence=SILENCE):
            self._take(line)
            if not events:
                self._works()
            events += 1
            if self._clock() - self._listed > RESYNC:
                return
        self._works(anew=bool(events) or self._clock() - begun >= QUICK)
        if not events and self._clock() - begun < QUICK:
            self._pause()

    def _works(self, *, anew: bool = True) -> None:
        """Record that a watch succeeded; ``anew`` resets the pauses (not after a very short watch)."""
        self._failures = 0 if anew else self._failures
        self._watch_failed = False
        self._problem("")

    def _take(self, line: bytes) -> None:
        """Apply an event. Raises ServerError where it is not valid, ExpiredError where it is a status 410."""
        try:
            event = _event(line)
            if event.type == "BOOKMARK":
                self._version = _bookmark(event.object).metadata.version or self._version
                return
            if event.type == "ERROR":
                raise self._error(_status(event.object))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ServerError(f"{self._path}: the watch holds something that is not an event") from None
        seen = self._seen(bytes(event.object))
        objects = dict(self.objects or {})
        if event.type == "DELETED":
            objects.pop(seen.name, None)
        elif event.type in {"ADDED", "MODIFIED"}:
            objects[seen.name] = seen
        else:
            raise ServerError(f"{self._path}: the watch holds an event of an unknown type")
        self._version = seen.version
        if objects != self.objects:
            self.objects = objects
            self._changed()

    def _error(self, status: _WatchStatus) -> ClusterError:
        if status.code == 410:
            return ExpiredError(f"{self._path}: the watch has expired", "")
        return ServerError(f"{self._path}: the watch ended: {status.code} {status.message[:200]}")

    def _seen(self, item: bytes) -> Seen:
        try:
            metadata = _object(item).metadata
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ServerError(f"{self._path}: the API server lists something that is not an object") from None
        return Seen(metadata.name, metadata.uid, metadata.version, item)

    def _pause(self) -> None:
        self._failures += 1
        pause = min(FIRST_PAUSE * 2.0 ** (self._failures - 1), LONGEST_PAUSE)
        self._sleep(pause * (0.5 + random.random()))  # noqa: S311 - as above
