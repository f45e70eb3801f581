"""JSON of reviews and answers, read and written by msgspec where it is installed: in half the time of Python's own.

Only what msgspec takes is taken from it; at anything else Python's reader has the last word, so that both find the
same in the same bytes (a test compares them). msgspec keeps integers of any length, which orjson does not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_PYTHONS = json.JSONDecoder(parse_constant=_no_constant)  # json.loads would make one for every body
_quick: Callable[[bytes], Any] | None = None
_encoder: Callable[[Any], bytes] | None = None
_packer: Callable[[Any], bytes] | None = None
try:
    import msgspec
except ImportError:  # `gpu-admission review` works without the server's libraries
    pass
else:
    _quick = msgspec.json.Decoder().decode
    _encoder = msgspec.json.Encoder().encode
    _packer = msgspec.msgpack.Encoder().encode

quote = json.encoder.encode_basestring_ascii
"""Write a text as JSON, in ASCII."""


def read(body: bytes) -> Any:
    """Return what the bytes say; raises ValueError where they are no JSON, RecursionError where it is too deep.

    UTF-8, or UTF-16 and UTF-32 as Python's reader tells them apart. Lone surrogates are kept.
    """
    if _quick is not None:
        try:
            return _quick(body)
        except (ValueError, RecursionError):  # msgspec's own errors among them
            pass
    return _PYTHONS.decode(body.decode(json.detect_encoding(body), "surrogatepass"))


def write(value: Any) -> bytes:
    """Return a value of JSON's types as JSON on one line."""
    if _encoder is not None:
        try:
            return _encoder(value)
        except (ValueError, OverflowError):  # lone surrogates, integers of over 64 bits
            pass
    return json.dumps(value, separators=(",", ":")).encode()


def packed(value: Any) -> bytes | None:
    """Return a value of JSON's types as bytes that tell it from every other, or None where that cannot be done.

    MessagePack keeps apart what Python's ``==`` does not (1, 1.0 and true) and JSON cannot say (infinity, which is
    what Python's reader makes of 1e999).
    """
    if _packer is None:
        return None
    try:
        return _packer(value)
    except (ValueError, OverflowError, RecursionError):  # lone surrogates, integers of over 64 bits, too deep
        return None
