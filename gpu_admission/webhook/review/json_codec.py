"""JSON of reviews and responses, read and written by msgspec in half the time of Python's json module.

What msgspec refuses is read again by the json module, which decides (UTF-16 and UTF-32, lone surrogates, infinite
numbers, the error message), so that both give the same result for the same bytes (a test compares them). msgspec keeps
integers of any length, which orjson does not.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not valid JSON")


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_decode_slowly = json.JSONDecoder(parse_constant=_reject_constant).decode  # json.loads would make one for every body

quote = json.encoder.encode_basestring_ascii
"""Return a string as JSON, in ASCII."""


def read(body: bytes) -> Any:
    """Return the value that the bytes encode.

    UTF-8, UTF-16 or UTF-32, as the json module detects them. Lone surrogates are kept. Raises ValueError where
    the bytes are not JSON, RecursionError where the value is nested too deeply.
    """
    try:
        return _decode(body)
    except (ValueError, RecursionError):  # msgspec's own errors among them
        return _decode_slowly(body.decode(json.detect_encoding(body), "surrogatepass"))


def write(value: Any) -> bytes:
    """Return a value as JSON on one line."""
    try:
        return _encode(value)
    except (ValueError, OverflowError):  # lone surrogates, integers of over 64 bits
        return json.dumps(value, separators=(",", ":")).encode()
