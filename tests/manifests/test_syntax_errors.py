"""Messages of syntax errors do not depend on the parser or its release."""

import json

import pytest

from gpu_admission.manifests import syntax_errors, yaml_events
from gpu_admission.manifests.reader import read
from gpu_admission.manifests.yaml_loader import MAX_DEPTH

COLON = "unexpected ':' here (quote a string that contains ': ')"
TAB = "a tab cannot be used for indentation"
KEY = "expected a key at the indentation of this mapping"
ITEM = "expected '- ' at the indentation of this list"
LIST = "expected ',' or ']' in this list"
MAPPING = "expected ',' or '}' in this mapping"
END = "expected '---' or the end of the file"
INDICATOR = "invalid indicator after '|' or '>'"
ESCAPE = "invalid escape sequence in a double-quoted string"
UNCLOSED = "this quoted string is not closed before the end of the file"

YAML = {
    "a: b: c": COLON,
    "a: 1\n b: 2": COLON,
    "a: &b: c": COLON,
    "x" * 1025 + ": 1": COLON,
    "a:\n\tb: 1": TAB,
    "a: [": "expected a value",
    "a: [1,,2]": "expected a value",
    "a: }": "expected a value",
    "a: [1 2": LIST,
    "a: [a: b: c]": LIST,
    "{a: 1": MAPPING,
    "a: 'x": UNCLOSED,
    'a: "x\n...\nb': "this quoted string is not closed before the end of the document",
    'a: "\\q"': "unknown escape sequence in a double-quoted string",
    'a: "\\uZZ"': ESCAPE,
    'a: "\\x': ESCAPE,
    "a: &": "expected a name after '&'",
    "a: *": "expected a name after '*'",
    "a: !foo!bar x": "undefined tag handle",
    "a: !<x y": "invalid tag",
    "a: !<> y": "invalid tag",
    "a: !e!%G x": "invalid tag",
    "%YAML 2.0\n---\na": "a version of YAML other than 1.x",
    "%YAML 1.1\n%YAML 1.1\n---": "this directive is given twice",
    "%TAG ! a\n%TAG ! b\n---": "this directive is given twice",
    "%YAML x\n---": "invalid directive",
    "%TAG x\n---": "invalid directive",
    "%\n---": "invalid directive",
    "a: |0\n x": INDICATOR,
    "a: |x\n  y": INDICATOR,
    "a: >- foo\n y": INDICATOR,
    "- a\nb: 1": ITEM,
    "a: 1\n- b": KEY,
    "a:\n  b: 1\n c: 2": KEY,
    "a: 'it's'": KEY,
    "a: - b": "unexpected '- ' here (a list begins on a line of its own)",
    "a: ? b": "unexpected '? ' here",
    "a: @b": "unexpected character '@': quote a string that starts with it",
    "- - a: b\n  c": "expected ':' after this key",
    "[a]b": END,
    '"a" "b"': END,
    "a: x\0": "a control character cannot be used in YAML",
}
# Rejected by libyaml only; PyYAML's parser in Python accepts some, and rejects some later.
LIBYAML = {
    "[a:b, c:]": "unexpected ':' in a plain string (quote it)",
    "[" * 2000: "nested deeper than 100 levels",
    "a: |\n \tx": TAB,
    'a: "\\uD800"': "an escape sequence that is not a Unicode character",
    "%FOO": "invalid directive",
}


def message(text):
    (error,) = read(text.encode(), "a.yaml").errors
    return error.message


@pytest.mark.parametrize("text", [*YAML, *LIBYAML], ids=lambda text: ascii(text[:20]))
def test_libyaml(text):
    assert message(text) == {**YAML, **LIBYAML}[text]


@pytest.mark.parametrize("text", YAML, ids=lambda text: ascii(text[:20]))
def test_the_parser_in_python_reports_the_same(text, monkeypatch):
    monkeypatch.setattr(yaml_events, "_parser", yaml_events._python_parser())
    assert message(text) == YAML[text]


JSON = {
    "[1": "expected ',' or the closing bracket",
    "[": "expected a value",
    "{": "expected a key in double quotes",
    "{a: 1}": "expected a key in double quotes",
    '{"a" 1}': "expected ':' after the key",
    '{"a": 1 "b": 2}': "expected ',' or the closing bracket",
    '["a': "this string is not closed",
    '["\n"]': "a control character in a string must be escaped",
    '["\\q"]': "invalid escape sequence in a string",
    '["\\u12"]': "invalid escape sequence in a string",
}


@pytest.mark.parametrize("text", JSON)
def test_json(text):
    (error,) = read(text.encode(), "a.json").errors
    assert error.message == f"not JSON: {JSON[text]}"


@pytest.mark.parametrize("text", ["[1,]", '{"a": 1,}'])
def test_a_trailing_comma_is_worded_by_the_release_of_python(text):
    (error,) = read(text.encode(), "a.json").errors
    expected = ("unexpected ',' before the closing bracket", "expected a value", "expected a key in double quotes")
    assert error.message.removeprefix("not JSON: ") in expected


def test_a_new_sentence_is_passed_on_as_the_parsers_own():
    told = syntax_errors.yaml_message("thou shalt\nnot", "in YAML 3", "x", MAX_DEPTH)
    assert told == "invalid YAML (thou shalt not in YAML 3)"
    assert syntax_errors.json_message("Nope") == "not JSON: Nope"


EVERY = ("", "[", "{", '{"a"', '{"a":1', '"', '"\\', '"\\q"', '"\\u1"', '"\n"', "[1,]", '{"a":1,}', "1 1", "{1}")


@pytest.mark.parametrize("text", EVERY)
def test_every_sentence_of_the_installed_json_module_is_known(text):
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    assert syntax_errors.json_message(caught.value.msg) != f"not JSON: {caught.value.msg}"
