"""JSON files."""

import pytest

from gpu_admission.manifests.reader import read


def test_values_one_after_another():
    reading = read(b'{"a": 1}\n{"b": [true, null, 1.5, 1e3, "\\u00e9"]} []\n', "a.json")
    assert [document.object for document in reading.documents] == [{"a": 1}, {"b": [True, None, 1.5, 1000, "é"]}, []]
    assert [document.position(()).line for document in reading.documents] == [1, 2, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,\n "a": 2}', "2:2: the key 'a' is given twice, first on line 1"),
        ('{"x": [{"a": 1, "b": [], "a": 2}]}', "1:26: the key 'a' is given twice, first on line 1"),
        ('{"a": NaN}', "1:7: NaN is not a number that Kubernetes can read"),
        ("[1, -Infinity]", "1:5: -Infinity is not a number that Kubernetes can read"),
        ('{"a": 1e999999999}', "1:7: 1e999999999 is not a number that Kubernetes can read"),
        ("[1" + "0" * 100_000 + "]", "1:2: 10000000000000000000 is not a number that Kubernetes can read"),
        ('{"a": 1', "1:8: not JSON: expected ',' or the closing bracket"),
        ('{"a": 1} x', "1:10: not JSON: expected a value"),
        ("// c\n{}", "1:1: not JSON: expected a value"),
        ('{"a": "\t"}', "1:8: not JSON: a control character in a string must be escaped"),
        ("[" * 101 + "]" * 101, "1:101: nested deeper than 100 levels"),
        ("[" * 100_000, "1:101: nested deeper than 100 levels"),
        ('{"a":' * 100_000, "1:501: nested deeper than 100 levels"),
        ("[" + "{}," * 600_000 + "0]", "1:1: the file holds more than 1,000,000 nodes"),
    ],
)
def test_an_error_says_what_and_where(text, expected):
    reading = read(text.encode(), "a.json")
    assert [str(error) for error in reading.errors] == [expected]


def test_numbers_are_those_that_kubernetes_holds():
    text = "[9223372036854775807, 18446744073709551615, -9223372036854775808, 18446744073709551616, 5.0, 1e21, -0]"
    value = read(text.encode(), "a.json").documents[0].object
    assert value == [2**63 - 1, 2**64 - 1, -(2**63), 18446744073709552000, 5, 1e21, 0]
    assert [type(item) for item in value] == [int, int, int, int, int, float, int]


def test_surrogate_escapes_pair_up_or_become_a_replacement():
    text = rb'{"a": "\ud83d\ude00", "b": ["\ud800", "\\ud800"], "\udc00": 1}'
    assert read(text, "a.json").documents[0].object == {"a": "\U0001f600", "b": ["\ufffd", "\\ud800"], "\ufffd": 1}


def test_nesting_up_to_the_limit():
    assert len(read(b"[" * 100 + b"]" * 100, "a.json").documents) == 1


@pytest.mark.parametrize("name", ["", "-", "a.yaml"])
def test_json_is_recognised_under_any_name(name):
    document = read(b'{"a": "\\ud83d\\ude00",\t"b": 1}', name).documents[0]
    assert document.object == {"a": "\U0001f600", "b": 1}
    assert document.is_json


@pytest.mark.parametrize("text", ["{a: b}", "{a: b}\n---\nc: 1\n", '{"a": 1, }', '{"a": 1}\n---\n{"b": 2}\n'])
def test_yaml_that_begins_with_a_brace_is_yaml(text):
    reading = read(text.encode(), "a.yaml")
    assert not reading.errors
    assert not reading.documents[0].is_json


def test_places():
    document = read(
        b'{"spec": {\n  "containers": [\n    {"name": "a"},\n\t{"n\\u00e4me": 1}\n  ]\n}}', "a.json"
    ).documents[0]
    where = {
        (): (1, 1),
        ("spec",): (1, 2),
        ("spec", "containers", 0): (3, 5),
        ("spec", "containers", 0, "name"): (3, 6),
        ("spec", "containers", 1, "n\u00e4me"): (4, 3),
        ("spec", "containers", 7): (2, 3),
    }
    assert {pointer: _start(document.position(pointer)) for pointer in where} == where


def _start(position):
    return position.line, position.column
