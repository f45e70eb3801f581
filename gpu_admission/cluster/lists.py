"""Lists of objects, page by page: every object is seen once, even if the list expires.

Pages are split into the bytes of their objects, so that callers decode only those that they need. A page has at most
`LIMIT` objects and, estimated from the sizes of earlier ones, some `PAGE_BYTES`: 50,000 pods, or 500 objects of a
megabyte, need the same memory.

A list whose continue token expires (410) continues from the token in that answer. Without one, the list is restarted
and objects that have been seen are skipped: the API server lists in the order of namespace and name (the order of its
keys in etcd), so that remembering the last one is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .errors import ExpiredError, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .connection import Connection
    from .discovery import ServedKind

LIMIT = 500
PAGE_BYTES = 4 << 20  # target size of a page's JSON
_FEWEST = 5
_RESTARTS = 5
_BAD_PAGES = 3

_Key = tuple[str, str]


class _ListMetadata(msgspec.Struct):
    token: str | None = msgspec.field(default=None, name="continue")
    remaining: int | None = msgspec.field(default=None, name="remainingItemCount")
    version: str | None = msgspec.field(default=None, name="resourceVersion")


class _List(msgspec.Struct):
    items: list[msgspec.Raw] | None
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)


class _Named(msgspec.Struct):
    name: str | None = None
    namespace: str | None = None


class _Item(msgspec.Struct):
    metadata: _Named


_decode_list = msgspec.json.Decoder(_List).decode
_decode_key = msgspec.json.Decoder(_Item).decode
_decode = msgspec.json.Decoder().decode


class Page(NamedTuple):
    """The JSON of some objects, and how many remain, if the API server reports that."""

    items: Sequence[bytes]
    remaining: int


def pages(
    connection: Connection, path: str, query: Mapping[str, str] | None = None, *, limit: int = LIMIT
) -> Iterator[Page]:
    """Yield the pages of the list at a path (``/api/v1/pods``), each object once.

    Raises as `Connection.get` does (ExpiredError excepted), and ServerError where the answer is not a list.
    """
    yield from _Listing(connection, path, dict(query or {}), limit).pages()


def snapshot(connection: Connection, path: str) -> tuple[list[bytes], str]:
    """Return the JSON of every object of the list at a path, and the resourceVersion from which to watch it.

    Raises as `pages` does. Where the list expired, its pages are of several versions: a watch from that of the first
    repeats the changes in between.
    """
    listing = _Listing(connection, path, {}, LIMIT)
    return [item for page in listing.pages() for item in page.items], listing.version


def objects(
    connection: Connection, kind: ServedKind, namespace: str | None = None, query: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every object of a kind, of one namespace or all, with the apiVersion and kind that lists leave out.

    Raises as `pages` does.
    """
    for page in pages(connection, kind.path(namespace), query):
        for item in page.items:
            yield decode(item, kind)


def decode(item: bytes, kind: ServedKind) -> dict[str, Any]:
    """Return an object of a page. Raises ServerError where it is not an object."""
    try:
        found = _decode(item)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ServerError(f"{kind}: the API server lists something that is not an object")
    found.setdefault("apiVersion", kind.api_version)
    found.setdefault("kind", kind.kind)
    return found


class _Listing:
    """A list in progress."""

    def __init__(self, connection: Connection, path: str, query: dict[str, str], limit: int) -> None:
        self._connection = connection
        self._path = path
        self._query = query
        self._most = limit
        self._limit = limit
        self._last: _Key | None = None  # the last object that was yielded
        self._restarts = 0
        self.version = ""  # of the first page

    def pages(self) -> Iterator[Page]:
        token = ""
        passed_over = False  # whether the objects up to the last one seen are listed again
        while True:
            try:
                found = self._page(token)
            except ExpiredError as error:
                token, passed_over = error.token, not error.token and self._last is not None
                self._count_restart()
                continue
            self.version = self.version or found.metadata.version or ""
            items = [bytes(item) for item in found.items or ()]
            self._adapt(items)
            token = found.metadata.token or ""
            if items:
                last = self._key(items[-1])
                kept = self._after_last(items) if passed_over else items
                passed_over = passed_over and not kept
                self._last = last if kept else self._last
                if kept:
                    yield Page(kept, found.metadata.remaining or 0)
            if not token:
                return

    def _page(self, token: str) -> _List:
        query = {**self._query, "limit": str(self._limit), **({"continue": token} if token else {})}
        for _ in range(_BAD_PAGES):
            data = self._connection.get(self._path, query)
            try:
                return _decode_list(data)
            except (ValueError, RecursionError):  # truncated by a proxy: retry
                continue
        raise ServerError(f"{self._path}: the answer is not a list of objects: is a proxy in between?")

    def _count_restart(self) -> None:
        self._restarts += 1
        if self._restarts > _RESTARTS:
            raise ServerError(f"{self._path}: the list expires before it is read: try again when the cluster is calmer")

    def _adapt(self, items: list[bytes]) -> None:
        """Set the size of the next page from `PAGE_BYTES` and the size of this one."""
        if items:
            fitting = PAGE_BYTES * len(items) // max(sum(map(len, items)), 1)
            self._limit = max(_FEWEST, min(self._most, fitting))

    def _after_last(self, items: list[bytes]) -> list[bytes]:
        """Return the objects after the last one seen. Raises ServerError where they are in no order."""
        keys = [self._key(item) for item in items]
        if keys != sorted(keys):
            raise ServerError(f"{self._path}: the list expired and cannot be resumed, as it is in no order: try again")
        return [item for item, key in zip(items, keys, strict=True) if self._last is None or key > self._last]

    def _key(self, item: bytes) -> _Key:
        try:
            metadata = _decode_key(item).metadata
        except (ValueError, RecursionError):
            raise ServerError(f"{self._path}: the API server lists something that is not an object") from None
        return (metadata.namespace or "", metadata.name or "")
