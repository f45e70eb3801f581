"""A cache of requests as they were read: a cluster's pods request the same few amounts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Backend
    from .native_request import NativeRequest
    from .portable import GpuShare

_SHORT = 24  # length of an amount that is cached
_MOST_KNOWN = 1024  # entries; a cluster has a few dozen amounts


class RequestCache:
    """Requests that were read before without a warning.

    The meaning of a native request depends only on its names, its amounts and the policy. Only a limited number of
    valid, short amounts is cached.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], GpuShare] = {}

    def key(self, value: NativeRequest, source: Backend, *, native: bool) -> tuple[object, ...] | None:
        """Return the cache key of a request, None where it is not cached."""
        if value.annotations or value.claims:
            return None
        parts: list[object] = [native, source.name, value.system]
        for name, gpu in value.gpus.items():
            limit = gpu.limit
            if not gpu.is_valid or type(limit) is not str or len(limit) > _SHORT:
                return None
            parts += (name, limit)
        return tuple(parts)

    def get(self, key: tuple[object, ...] | None) -> GpuShare | None:
        """Return a cached reading."""
        return None if key is None else self._known.get(key)

    def keep(self, key: tuple[object, ...] | None, request: GpuShare) -> None:
        """Store a reading."""
        if key is not None and len(self._known) < _MOST_KNOWN:
            self._known[key] = request
