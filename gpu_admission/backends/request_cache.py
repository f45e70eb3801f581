"""What requests were found to mean: the same few amounts are requested all day."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Backend
    from .native_request import NativeRequest
    from .portable import GpuShare

_SHORT = 24  # letters of an amount that is worth remembering
_MOST_KNOWN = 1024  # amounts; a cluster has a few dozen


class RequestCache:
    """Requests that were read before without a doubt: most pods of a cluster request the same few amounts.

    What a native request means depends on nothing but its names, its amounts and the policy. Only valid amounts of a
    few characters are remembered, and no more of them than a cluster has.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], GpuShare] = {}

    def key(self, value: NativeRequest, source: Backend, *, native: bool) -> tuple[object, ...] | None:
        """Return what a reading depends on, None where it is not to be remembered."""
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
        """Return a reading of before."""
        return None if key is None else self._known.get(key)

    def keep(self, key: tuple[object, ...] | None, request: GpuShare) -> None:
        """Remember a reading."""
        if key is not None and len(self._known) < _MOST_KNOWN:
            self._known[key] = request
