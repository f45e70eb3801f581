"""Scalars, compared with the results of Kubernetes' library."""

import json
import os

import pytest

from gpu_admission.manifests.scalars import Keys, Plain, ScalarError, reads_as_string, tagged

with open(os.path.join(os.path.dirname(__file__), "scalars.json")) as file:
    GOLDEN = json.load(file)["scalars"]


def outcome(table, text):
    try:
        return json.dumps(table()[text])
    except ScalarError:
        return None


def test_every_value_is_the_one_that_kubernetes_reads():
    differing = [(text, value, outcome(Plain, text)) for text, value, _ in GOLDEN if outcome(Plain, text) != value]
    assert not differing
    assert len(GOLDEN) > 1000


def test_every_key_is_the_one_that_kubernetes_reads():
    expected = {text: None if key is None else json.dumps(key) for text, _, key in GOLDEN}
    assert {text: outcome(Keys, text) for text in expected} == expected


def test_what_reads_as_a_string_is_told_from_what_does_not():
    for text, value, _ in GOLDEN:
        assert reads_as_string(text) == (value == json.dumps(text) and text != "=")
    assert not reads_as_string("<<")


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "12", "12"),
        ("str", "~", "~"),
        ("int", "0b11", 3),
        ("float", "3", 3),
        ("float", "1.5", 1.5),
        ("bool", "on", True),
        ("null", "", None),
        ("timestamp", "2024-01-01", "2024-01-01"),
        ("timestamp", "2024-1-1T1:2:3Z", "2024-1-1T1:2:3Z"),
        ("binary", "aGVs\nbG8=", "hello"),
        ("set", "x", "x"),
        ("!Ref", "08", "08"),
    ],
)
def test_a_tag_decides(tag, text, value):
    full = tag if tag.startswith("!") else f"tag:yaml.org,2002:{tag}"
    found = tagged(full, text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("int", "1e3"),
        ("int", "true"),
        ("int", "x"),
        ("bool", "1"),
        ("bool", ""),
        ("null", "x"),
        ("float", "x"),
        ("float", "18446744073709551615"),
        ("float", ".inf"),
        ("timestamp", "12"),
        ("binary", "a"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tag, text):
    with pytest.raises(ScalarError):
        tagged(f"tag:yaml.org,2002:{tag}", text)


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "0x" + "f" * 100_000, "1e999999999", "0." + "1" * 100_000, "1_" * 9999]
)
def test_absurd_numbers_are_strings_or_numbers_and_never_an_exception(text):
    assert isinstance(Plain()[text], str | int | float)
