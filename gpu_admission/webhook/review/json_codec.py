"""JSON of reviews and answers, read and written by msgspec: in half the time of Python's own.

Only what msgspec accepts is taken from it; for anything else Python's reader has the last word (UTF-16 and UTF-32,
lone surrogates, infinite numbers, the error message), so that both find the same in the same bytes (a test compares
them). msgspec keeps integers of any length, which orjson does not.
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
"""Write a text as JSON, in ASCII."""


def read(body: bytes) -> Any:
    """Return the value that the bytes encode.

    UTF-8, or UTF-16 and UTF-32 as Python's reader tells them apart. Lone surrogates are kept. Raises ValueError where
    the bytes are not JSON, RecursionError where the value is nested too deeply.
    """
    try:
        return _decode(body)
    except (ValueError, RecursionError):  # msgspec's own errors among them
        return _decode_slowly(body.decode(json.detect_encoding(body), "surrogatepass"))


def write(value: Any) -> bytes:
    """Return a value of JSON's types as JSON on one line."""
    try:
        return _encode(value)
    except (ValueError, OverflowError):  # lone surrogates, integers of over 64 bits
        return json.dumps(value, separators=(",", ":")).encode()
