"""Responses without an end: the lines of a watch, as they arrive."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 8 << 20  # bytes: an event has one object, at most 1.5 MiB in etcd
_CHUNK = 1 << 16


def lines(response: Any, path: str) -> Iterator[bytes]:
    """Yield the lines of urllib3's response, except empty ones.

    Raises ServerError where the connection breaks or exceeds its read timeout, where a line is longer than
    `LONGEST_LINE`, and where the stream ends inside of one.
    """
    errors = import_module("urllib3.exceptions")
    rest = bytearray()
    try:
        for chunk in response.stream(_CHUNK):
            start = len(rest)
            rest += chunk
            if rest.find(b"\n", start) >= 0:
                *whole, last = bytes(rest).split(b"\n")
                rest = bytearray(last)
                yield from (line for line in whole if line.strip())
            if len(rest) > LONGEST_LINE:
                raise ServerError(f"{path}: a line of the stream is longer than {LONGEST_LINE >> 20} MiB")
    except (errors.HTTPError, OSError, ValueError) as error:
        raise ServerError(f"{path}: the stream broke ({type(error).__name__})") from None
    if rest.strip():
        raise ServerError(f"{path}: the stream ends inside of a line")
