"""The parser of CEL: what it accepts, what it rejects and where, in linear time."""

import re

import pytest

from gpu_admission.core import cel
from gpu_admission.rules.claims.selector_types import Selector

TAKEN = [
    "true",
    "device.driver == 'gpu.nvidia.com'",
    'device.attributes["a.b"].c in ["x", "y"]',
    "!(a || b) && c",
    "a ? b : c ? d : e",
    "1 + 2 * 3 - -4 % 5 > 0x1F",
    "1.5e3 > .5",
    "{'a': 1, 'b': [1, 2,],}['a'] == 1",
    "[1, 2].exists(x, x > 1)",
    'a.?b[?"c"].orValue("")',
    "cel.bind(d, device.attributes, d['a'].b == 1)",
    "'it''s' == r'\\d+'".replace("''", "\\'"),
    '"""long "quotes" here""" != ""',
    "b'x' == b'y'",
    "// a comment\ntrue",
    ".a.b",
    "a.`b-c` == 1",
    "'a in quotes' == 'in'",
]


@pytest.mark.parametrize("text", TAKEN)
def test_taken(text):
    assert cel.parse(text).height >= 1


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "ends too early"),
        ("a = b", 2, "equality is =="),
        ("a & b", 2, "and is &&"),
        ("a and b", 2, "and is &&"),
        ("a or b", 2, "or is ||"),
        ("(a", 2, "')' is missing"),
        ("a)", 1, "not expected"),
        ("a.", 2, "ends too early"),
        ("a.5", 1, "not expected"),
        ("a[1", 3, "']' is missing"),
        ("f(a b)", 4, "expected ','"),
        ("'a", 0, "not terminated"),
        ("a ? b", 5, "':' is missing"),
        ("for", 0, "reserved word"),
        ("a == ", 5, "ends too early"),
        ("a # b", 2, "not valid"),
        ("{a}", 2, "expected ':'"),
    ],
)
def test_refused(text, at, words):
    with pytest.raises(cel.CelSyntaxError, match=re.escape(words)) as caught:
        cel.parse(text)
    assert caught.value.at == at


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "a" + ".b" * 5000,
        "a" + " + a" * 2500,
        "[" * 9000,
        "a ? " * 2000,
        "!" * 200 + "(" * 60,
    ],
    ids=["brackets", "members", "sums", "open", "conditions", "not"],
)
def test_depth_is_refused(text):
    with pytest.raises((cel.CelDepthError, cel.CelSyntaxError)):
        cel.parse(text)


def test_a_long_chain_is_one_level():
    tree = cel.parse(" && ".join(["device.driver == 'a'"] * 400))
    assert tree.height < 10
    assert len(tree.children) == 400
    assert Selector(tree).faults == []


@pytest.mark.parametrize(
    "piece", ["'", '"', '"""', "a.", "a[", "0x", "`", "//", "?:", "\\", "-", "!", "é", "\U0001f600"]
)
def test_any_text_is_taken_or_refused(piece):
    for text in (piece * 3000, f"device.driver == {piece * 100}"):
        try:
            Selector(cel.parse(text))
        except (cel.CelSyntaxError, cel.CelDepthError):
            continue
