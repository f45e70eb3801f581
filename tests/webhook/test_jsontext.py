"""Two readers of JSON, one meaning: whatever msgspec takes, Python's own reader takes for the same."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_admission.webhook.review import json_codec

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False) | st.text()
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def meant(body, read):
    """What a reader makes of bytes, types included; None where it takes them for no JSON."""
    try:
        return repr(read(body))
    except (ValueError, RecursionError):
        return None


def alone(body):
    return json_codec._decode_slowly(body.decode(json.detect_encoding(body), "surrogatepass"))


@given(VALUES, st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"]), st.booleans())
def test_any_value_reads_the_same(value, encoding, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    assert meant(body, json_codec.read) == meant(body, alone)


@settings(max_examples=400)
@given(VALUES, st.data())
def test_a_broken_text_reads_the_same_or_not_at_all(value, data):
    body = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body)))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"\\u", b"\\ud800", b"1e999", b"NaN", b"-", b"0", b"\xed\xa0\x80"])
        )
    assert meant(bytes(body), json_codec.read) == meant(bytes(body), alone)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"1 2", b"01", b"1.", b"-", b"-0", b"1e999", b"-1e999", b"1e-400", b"NaN", b"Infinity", b"1" * 40,
     b"1" * 5000, b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xed\xa0\x80"', b'"\xff"', b'"a\tb"', b'{"a":1,"a":2}', b"[1,]",
     b"\xef\xbb\xbf1", b"[" * 100_000, b"[" * 900 + b"]" * 900, b'{"a":' * 100_000, b'"\\u0000"', b"9007199254740993"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_odd_texts_read_the_same(body):
    assert meant(body, json_codec.read) == meant(body, alone)


@given(VALUES)
@example("\ud800")
@example(10**30)
@example({"é": [1.5, -0.0, None]})
def test_what_is_written_reads_back(value):
    assert repr(json.loads(json_codec.write(value))) == repr(value) or not finite(value)


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@given(st.text() | st.just("\ud800\x00\x1b"))
def test_a_text_is_quoted_as_json_writes_it(output):
    assert json_codec.quote(output) == json.dumps(output)
