"""Names and patterns of names: what they match, the same in all places, and the cost of many."""

import fnmatch
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.commands.lint import main as lint
from gpu_admission.commands.main import main
from gpu_admission.policy.exemptions import Exemptions, NamePatterns, is_pattern

ACCOUNT = "system:serviceaccount:gpu-operator:driver"
LETTERS = st.sampled_from("ab-[]!^*?\\.|:&~{}()$/\n é𝒳")
PATTERNS = (
    "*", "**", "?", "a*", "*a", "a?c", "a*b*c", "[abc]", "[a-c]", "[!a-c]", "[^a]", "[]a]", "[!]a]", "[a", "[!", "[]", "[!]",
    "[]-a]", "[c-a]", "[!c-a]", "[a-]", "[-a]", "[--/]", "[[:alpha:]]", "[[a]", "[\\d]", "\\d", "\\*", "a.c", "a|b", "(a)",
    "[a-b-c]", "[a-b--d]", "[a-cb-d]", "*[0-9]", "?*?", "*ab*b", "a*a", "system:serviceaccount:*:driver", "system:node:?*",
)  # fmt: skip
NAMES = (
    *"abcABC-[]!^\\.|:&~d0é𝒳\n", "aa", "abc", "axc", "a.c", "a|b", "(a)", "a\nb", "a\n", "\\d", "\\*", "*", "a9", "ab", "abb",
    ":]", "a]", "[]", "[!]", "[a", "[!", "[!a]", "[[:alpha:]]", "p]", "system:node:", "system:node:n", ACCOUNT, f"{ACCOUNT}\n",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_it_means_to_the_shell(pattern):
    patterns = NamePatterns([pattern])
    expected = [name for name in NAMES if name == pattern or fnmatch.fnmatchcase(name, pattern)]
    assert [name for name in NAMES if patterns.match(name)] == expected


@given(st.lists(st.text(LETTERS, max_size=7), max_size=4), st.text(LETTERS, max_size=8))
def test_lists_match_what_one_of_them_matches(patterns, name):
    expected = bool(name) and any(each and (each == name or fnmatch.fnmatchcase(name, each)) for each in patterns)
    assert NamePatterns(patterns).match(name) == expected


@pytest.mark.parametrize("name", ["", None])
def test_no_name_is_matched_by_nothing(name):
    assert not NamePatterns(["*", ""]).match(name)
    assert not Exemptions({"namespaces": ["*"], "users": ["*"]}).covers(name, name)


@pytest.mark.parametrize(("text", "wild"), [("a", False), ("a*", True), ("?", True), ("[a]", True), ("a]\\", False)])
def test_what_is_a_pattern(text, wild):
    assert is_pattern(text) == wild


def test_namespaces_and_users_are_not_mixed_up():
    exempt = Exemptions({"namespaces": ["a"], "users": ["b*"]})
    assert exempt.covers("a", "x")
    assert exempt.covers("x", "bob")
    assert not exempt.covers("b", "a")
    assert not Exemptions(None).covers("a", "b")


def lines_run(action):
    """Return how many lines of the matcher an action runs."""
    count = 0

    def local(_frame, event, _arg):
        nonlocal count
        count += event == "line"
        return local

    def trace(frame, _event, _arg):
        return local if frame.f_code.co_filename.endswith("exemptions.py") else None

    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    "shape",
    ["user-{}-*", "*-{}", "team-*-{}", "system:serviceaccount:team-{}:*", "?-{}", "{}-[a-z]*", "user-{}"],
)
def test_many_patterns_are_looked_up_not_tried(shape):
    """Of 20,000 patterns a name is only compared with those whose literal head and tail it has."""
    few = NamePatterns([shape.format(n) for n in range(10)])
    many = NamePatterns([shape.format(n) for n in range(20_000)])
    for name in ("alice", shape.format(7).replace("*", "x"), shape.format("x")):
        assert few.match(name) == many.match(name)
        assert lines_run(lambda name=name: many.match(name)) < 12 * lines_run(lambda name=name: few.match(name))
    assert many.match(shape.format(19_999).replace("*", "x").replace("?", "y").replace("[a-z]", "q"))


@pytest.mark.parametrize("pattern", ["*a*b*", "a*?b*c", "*[ab]?[ab]*c", "**?a**"])
def test_a_long_name_costs_no_more_than_its_length(pattern):
    patterns = NamePatterns([pattern])
    short, long = (lines_run(lambda n=n: patterns.match("a" * n)) for n in (1_000, 4_000))
    assert long < 5 * max(short, 10)


POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: {namespace}}}
spec:
  containers:
    - name: c
      image: example.com/c:1
      resources: {{limits: {{nvidia.com/gpu: "0.5"}}}}
"""
POLICY = """\
apiVersion: gpu-admission.io/v1alpha1
kind: GPUPolicy
metadata: {name: p}
spec:
  exempt: {namespaces: ["team-?", "[a-c]-*"]}
"""


@pytest.mark.parametrize(("line", "found"), [("namespace: team-a", 1), ("namespace: rest", 0), ("labels: {}", 1)])
def test_files_are_judged_where_the_policy_is_for_and_where_they_name_no_namespace(
    tmp_path, monkeypatch, capsys, line, found
):
    monkeypatch.chdir(tmp_path)
    spec = POLICY.replace("exempt: {namespaces:", "match: {namespaces:")
    (tmp_path / "policy.yaml").write_text(spec)
    (tmp_path / "p.yaml").write_text(POD.format(namespace="x").replace("namespace: x", line))
    assert lint(["-p", "policy.yaml", "p.yaml"]) == found
    assert main(["mutate", "-p", "policy.yaml", "p.yaml"]) == found
    capsys.readouterr()


@pytest.mark.parametrize(
    ("namespace", "exempt"), [("team-a", True), ("team-ab", False), ("b-x", True), ("d-x", False), ("team-", False)]
)
def test_every_entry_point_reads_a_pattern_alike(tmp_path, monkeypatch, capsys, namespace, exempt):
    """The webhook and the tests of the matchConditions use the same class."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "p.yaml").write_text(POD.format(namespace=namespace))
    assert lint(["-p", "policy.yaml", "p.yaml"]) == (0 if exempt else 1)
    assert main(["mutate", "-p", "policy.yaml", "p.yaml"]) == (0 if exempt else 1)
    capsys.readouterr()
