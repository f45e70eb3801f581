"""JSON Pointers: RFC 6901's examples, and round trips between text and tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.core import pointer
from gpu_admission.core.pointer import PointerError

# Section 5 of RFC 6901.
RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc(text, value):
    assert pointer.resolve(RFC, pointer.from_text(text)) == value


@pytest.mark.parametrize("text", ["a", "a/b", " /a", "/~", "/a~2", "/~~0", "/a~"])
def test_what_is_no_pointer(text):
    with pytest.raises(PointerError):
        pointer.from_text(text)


@pytest.mark.parametrize(
    "text", ["/no", "/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/x", "/foo/0/x", "/foo/99999999999"]
)
def test_what_leads_nowhere(text):
    assert not pointer.exists(RFC, pointer.from_text(text))
    with pytest.raises(PointerError, match="there is nothing at"):
        pointer.resolve(RFC, pointer.from_text(text))


@given(st.lists(st.text(), max_size=5))
def test_text_and_tokens_say_the_same(tokens):
    assert pointer.from_text(pointer.to_text(tuple(tokens))) == tuple(tokens)


def test_indices_come_before_keys_and_in_number_order():
    places = [("b",), ("a", 10), ("a", 2), ("a", "x"), (), ("a",)]
    assert sorted(places, key=pointer.sort_key) == [(), ("a",), ("a", 2), ("a", 10), ("a", "x"), ("b",)]


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (("foo", "*"), [("foo", 0), ("foo", 1)]),
        (("foo", "1"), [("foo", 1)]),
        (("missing", "*"), []),
        (("foo", "*", "*"), []),
        ((), [()]),
    ],
)
def test_patterns(pattern, places):
    assert [place for place, _ in pointer.expand(RFC, pattern)] == places


def test_a_star_is_every_value_of_a_mapping():
    assert dict(pointer.expand({"a": {"x": 1, "y": 2}}, ("a", "*"))) == {("a", "x"): 1, ("a", "y"): 2}
