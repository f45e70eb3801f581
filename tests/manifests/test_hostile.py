"""Files made to break a reader. Each has a result: documents, one clear error, or both."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_admission.manifests import yaml_loader
from gpu_admission.manifests.reader import read
from gpu_admission.manifests.text import MAX_BYTES

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

MIB = 1024 * 1024


def bomb(levels, line, last):
    names = [chr(ord("a") + at) for at in range(levels)]
    lines = [line.format(name=name, inner=inner) for inner, name in pairwise(names)]
    return last + "".join(lines)


ALIASES = "aliases expand to more than 100,000 nodes"
DEEP = "nested deeper than 100 levels"
HOSTILE = {
    # libyaml's composer crashes on these
    "brackets": ("[" * 100_000, DEEP),
    "spaced braces": ("{ " * 100_000, DEEP),
    "dashes": ("- " * 100_000, DEEP),
    "question marks": ("? " * 100_000, DEEP),
    "indentation": ("".join(" " * depth + "a:\n" for depth in range(1000)), DEEP),
    "just too deep": ("[" * 101 + "]" * 101, DEEP),
    "deep by aliases": (
        "a0: &a0 " + "[" * 60 + "]" * 60 + "\na1: &a1 " + "[" * 60 + "*a0" + "]" * 60 + "\n",
        DEEP,
    ),
    "billion laughs": (bomb(12, "{name}: &{name} [" + ", ".join(["*{inner}"] * 9) + "]\n", "a: &a [x, x]\n"), ALIASES),
    "billion laughs in maps": (bomb(24, "{name}: &{name} {{l: *{inner}, r: *{inner}}}\n", "a: &a {}\n"), ALIASES),
    "billion laughs by merging": (
        bomb(20, "{name}: &{name} {{<<: *{inner}, l: *{inner}, r: *{inner}}}\n", "a: &a {z: 1}\n"),
        ALIASES,
    ),
    "laughs in every document": (
        "---\na: &a [1, 1, 1, 1, 1]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n" * 2000,
        ALIASES,
    ),
    "recursion": ("&a [*a]", "the anchor 'a' contains itself"),
    "recursion by merging": ("a: &a\n  <<: *a\n", "the anchor 'a' contains itself"),
    "recursion two levels up": ("&a {b: {c: *a}}", "the anchor 'a' contains itself"),
    "too many directives": ("%FOO\n" * 1000 + "---\na: 1\n", None),
    "too large": ("#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES // MIB} MiB"),
    "surrogate escape": ('a: "\\ud800"', "an escape sequence that is not a Unicode character"),
    "absurd escape": ('a: "\\UFFFFFFFF"', "an escape sequence that is not a Unicode character"),
    "unclosed quote": ('a: "' + "x\n" * MIB, "this quoted string is not closed before the end of the file"),
    "long key": ("x" * 2000 + ": 1\n", "unexpected ':' here"),
    "base64 that is none": ("a: !!binary " + "a" * 1001, "!!binary is not valid base64"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_one_clear_error(name):
    text, expected = HOSTILE[name]
    reading = read(text.encode(), "a.yaml")
    if expected is None:
        assert reading.errors
        return
    (error,) = reading.errors
    assert expected in error.message
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "# comment\n" * 1_000_000,
        " " * (20 * MIB),
        "\n" * (20 * MIB),
        "a: " + "1" * 100_000,
        "a: 1e999999999",
        "a: '" + "x" * (10 * MIB) + "'",
        "".join(f"- &a{at} x\n" for at in range(20_000)),
        "".join(f"%TAG !a{at}! tag:x\n" for at in range(1000)) + "---\na: 1",
        "[" * 100 + "]" * 100,
        "a: >\n" + " x\n\n" * 100_000,
        "a: &" + "x" * MIB + " 1",
    ],
    ids=lambda text: text[:10],
)
def test_what_is_only_large_or_strange_is_read(text):
    assert read(text.encode()).errors == ()


@pytest.mark.parametrize(
    "text", ["- \n" * 2000, "---\n[[]]\n" * 600, "[" + "{a: 1}, " * 600 + "]", "a: [\n---\n" + "- \n" * 2000]
)
def test_too_many_nodes_are_not_read(text, monkeypatch):
    monkeypatch.setattr(yaml_loader, "MAX_NODES", 1000)
    assert read(text.encode()).errors[-1].message == yaml_loader.TOO_MANY


def test_errors_before_a_bomb_are_kept():
    text = "a: 1\n---\nb: [\n---\n" + HOSTILE["billion laughs"][0]
    assert read(text.encode()).errors[0].line == 3
    assert len(read(text.encode()).documents) == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "a.json"]))
@example(b"\xef\xbb\xbf\xef\xbb\xbf", "")
@example(b"? ? ? :", "")
@example(b"%YAML 9.9\n---\n", "")
def test_no_bytes_make_it_raise(data, name):
    examine(read(data, name))


YAML = [
    "a",
    ": ",
    ":",
    "- ",
    "\n",
    "  ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    '"',
    "&a ",
    "*a",
    "!!int ",
    "<<",
    "#",
    "|\n",
    "? ",
]
MORE = [
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "1",
    "{{",
    "%TAG",
    "!",
    "\\",
    "\0",
    "\ufeff",
    "\u2028",
    "\U0001f600",
    ">-\n",
    ".inf",
    "~",
]
ALPHABET = st.sampled_from([*YAML, *MORE])


@settings(max_examples=500, deadline=None)
@given(st.lists(ALPHABET, max_size=30).map("".join), st.sampled_from(["", "a.json"]))
@example(text="1---\n", name="a.json")
@example(text="\ufeff\ufeffa", name="")
def test_nothing_that_looks_like_yaml_makes_it_raise(text, name):
    examine(read(text.encode(), name))


def examine(reading):
    """Use every property and method of a reading."""
    assert all("\n" not in str(error) for error in reading.errors)
    assert reading.comments is not None
    for document in reading.documents:
        assert document.source is None or document.source
        for pointer in pointers(document.object):
            position = document.position(pointer)
            assert 0 < position.column < position.end_column
            assert position.column <= len(document.line_text(position.line)) + 1


def pointers(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from pointers(item, (*path, name))
