"""Every case of ``cases.py`` is answered as it should be."""

import json

import cases
import fast_yaml
import pytest
from lint.conftest import Lint

from gpu_admission.core import pointer

PEERS, LISTED = cases.peers(), cases.listed()


@pytest.fixture
def lint(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    return Lint(tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize("case", [each for each in (*PEERS, *LISTED) if each.expected.get("via") != "lint"], ids=str)
def test_reviewed(case):
    cases.check(case, cases.reviewed(case))


@pytest.mark.parametrize("case", [each for each in (*PEERS, *LISTED) if each.expected.get("via") == "lint"], ids=str)
def test_linted(case, lint):
    lint.write("case.yaml", case.path.read_bytes())
    made = lint.json("case.yaml", "-p", case.expected["policy"], "--min-severity", "info").json
    found = made["findings"]
    errors = case.expected.get("errors", [])
    assert [each["line"] for each in made["errors"]] == [line for line, _ in errors]
    assert all(text in each["message"] for each, (_, text) in zip(made["errors"], errors, strict=True))
    for rule, severity in case.expected.get("severities", {}).items():
        assert {each["severity"] for each in found if each["rule"] == rule} == {severity}
    for rule, place in case.expected.get("at", {}).items():
        assert {each["pointer"] for each in found if each["rule"] == rule} == {place}
    allowed = not any(each["severity"] == "error" for each in found)
    text = " ".join(f"{each['message']} {each['advice']}" for each in found)
    cases.check(case, cases.Outcome(allowed, frozenset(each["rule"] for each in found), text))


@pytest.mark.parametrize("case", [each for each in LISTED if "fixed" in each.expected], ids=str)
def test_fixed(case, lint):
    lint.write("case.yaml", case.path.read_bytes())
    lint("case.yaml", "-p", case.expected["policy"], "--min-severity", "info", "--fix")
    fixed = next(fast_yaml.load_all(lint.read("case.yaml")))
    for place, value in case.expected["fixed"].items():
        where = pointer.from_text(place)
        there = pointer.resolve(fixed, where) if pointer.exists(fixed, where) else None
        assert there == value, (place, json.dumps(fixed))


@pytest.mark.parametrize("case", [each for each in LISTED if "kept" in each.expected], ids=str)
def test_kept(case, lint):
    """A fix loses nothing that the author wrote beside what it moves."""
    lint.write("case.yaml", case.path.read_bytes())
    lint("case.yaml", "-p", case.expected["policy"], "--min-severity", "info", "--fix")
    fixed = lint.read("case.yaml")
    assert fixed != case.path.read_text()
    assert [text for text in case.expected["kept"] if text not in fixed] == []
