"""The position of the key that a pointer refers to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_admission.manifests.reader import read

POD = """\
# a pod
apiVersion: v1
metadata: &m
  labels: {"a/b": x, 'c': [1, two]}   # flow
spec:
  containers:
  - name: a
    env:
      - {name: A}

      -
        name: B
  -   image: "ü"
      é: 1
  more: *m
  on: 1
  <<: [{x: 1}, {x: 2, z: 3}]
  last: |
    text
"""


def start(document, *pointer):
    position = document.position(pointer)
    return position.line, position.column


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ((), "2:1"),
        (("apiVersion",), "2:1"),
        (("metadata",), "3:1"),
        (("metadata", "labels"), "4:3"),
        (("metadata", "labels", "a/b"), "4:12"),
        (("metadata", "labels", "c"), "4:22"),
        (("metadata", "labels", "c", 1), "4:31"),
        (("spec", "containers"), "6:3"),
        (("spec", "containers", 0), "7:5"),
        (("spec", "containers", 0, "env", 0), "9:9"),
        (("spec", "containers", 0, "env", 1), "12:9"),
        (("spec", "containers", 0, "env", "1", "name"), "12:9"),
        (("spec", "containers", 1), "13:7"),
        (("spec", "containers", 1, "é"), "14:7"),
        (("spec", "more"), "15:3"),
        (("spec", "more", "labels", "c"), "4:22"),  # through the alias
        (("spec", "true"), "16:3"),
        (("spec", "x"), "17:9"),  # through the merge key: the first of the list wins
        (("spec", "z"), "17:23"),
        (("spec", "last"), "18:3"),
        (("spec", "containers", 9, "name"), "6:3"),  # the nearest ancestor
        (("spec", "containers", "-"), "6:3"),
        (("nowhere", "at", "all"), "2:1"),
        (("apiVersion", "deeper"), "2:1"),
    ],
)
def test_the_key(pointer, place):
    line, column = start(read(POD.encode()).documents[0], *pointer)
    assert f"{line}:{column}" == place


def test_the_region_is_the_key():
    position = read(b"a:\n  'b c': 1\n").documents[0].position(("a", "b c"))
    assert (position.line, position.column, position.end_line, position.end_column) == (2, 3, 2, 8)


def test_a_region_never_leaves_its_line():
    document = read(b"a: ['x\n  y',\n {b: 1,\n c: 2}]\n").documents[0]
    for pointer in (("a", 0), ("a", 1)):
        position = document.position(pointer)
        assert position.end_line == position.line
        assert position.column < position.end_column <= len(document.line_text(position.line)) + 1


def test_lines_are_counted_as_editors_count_them():
    document = read("a: '\u2028\u0085'\n\U0001f600: {b: 1}\n".encode()).documents[0]
    assert start(document, "\U0001f600") == (2, 1)
    assert start(document, "\U0001f600", "b") == (2, 5)


@pytest.mark.parametrize(
    "prefix", ["", "---\n", "%YAML 1.1\n---\n", "x: 1\n---\n", "x: 1\n...\n---\n# c\n", "--- # c\n"]
)
def test_in_whatever_document_of_a_stream(prefix):
    text = f"{prefix}  a:\n    b: 1\n"
    document = read(text.encode()).documents[-1]
    assert start(document, "a", "b") == (text.count("\n"), 5)


scalars = st.sampled_from(["x", "'y z'", '"é"', "1", "", "|\n{0}  t\n{0}  u", "{{a: b}}", "[]"])


@st.composite
def blocks(draw, indent=""):
    """Return a block of YAML, and the line and column that each pointer of it should have."""
    if draw(st.booleans()) and len(indent) < 8:
        keys = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True))
        lines, places = [], {}
        for key in keys:
            places[key,] = (len(lines) + 1, len(indent) + 1)
            _add(draw, lines, places, f"{indent}{key}:", indent, key)
        return lines, places
    lines, places = [], {}
    for at in range(draw(st.integers(1, 3))):
        places[at,] = None
        _add(draw, lines, places, f"{indent}-", indent, at)
    return lines, places


def _add(draw, lines, places, head, indent, name):
    if len(indent) < 8 and draw(st.booleans()):
        inner, inner_places = draw(blocks(indent + "  "))
        lines.append(head + draw(st.sampled_from(["", "  # comment"])))
        for pointer, place in inner_places.items():
            places[name, *pointer] = place and (place[0] + len(lines), place[1])
        lines.extend(inner)
    else:
        lines.extend(f"{head} {draw(scalars).format(indent)}".split("\n"))


@settings(max_examples=60, deadline=None)
@given(blocks())
def test_any_key_of_any_block(block):
    lines, places = block
    document = read("\n".join(lines).encode()).documents[0]
    for pointer, place in places.items():
        assert place is None or start(document, *pointer) == place
