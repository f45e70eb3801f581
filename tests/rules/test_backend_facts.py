"""Facts about a backend are in its class: no rule names one, and derived facts equal those of the classes."""

import ast
from pathlib import Path

import pytest

from gpu_admission import rules
from gpu_admission.backends import known, registry
from gpu_admission.docpages import known_backends as rendered
from gpu_admission.rules import gpu_markers

FOLDER = Path(rules.__file__).parent


def names_in(source):
    """Names of backends among the strings of a module, without docstrings and the texts of its Rule."""
    tree = ast.parse(source)
    others = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) or _is_other(node)]
    told = {id(inner) for other in others for inner in ast.walk(other)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in told]
    return sorted((node.value, node.lineno) for node in texts if node.value in registry.NAMES)


def _is_other(node):
    """A rule's own texts, values of labels, and kinds of resources (``exclusive``: a whole card)."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "Rule"
    if isinstance(node, ast.Dict):
        return all("/" in str(getattr(key, "value", "")) for key in node.keys)
    return isinstance(node, ast.Compare) and getattr(node.left, "attr", "") == "sharing"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_rule_names_a_backend(path):
    assert names_in(path.read_text()) == []


def test_the_test_finds_a_name():
    source = (
        '"""mps"""\nX = frozenset({"mps", gpu.sharing == "kai"})\nRULE = Rule(policy={"backend": {"name": "hami"}})\n'
    )
    assert names_in(source) == [("mps", 2)]
    assert names_in('if policy.backend.name == "kai": pass') == [("kai", 1)]
    assert names_in('X = {"nvidia.com/gpu.sharing-strategy": ("mps",)}\nY = {"mps": 1}') == [("mps", 2)]


def test_what_is_derived_is_fresh():
    assert Path(known.__file__).read_text() == rendered.page()


def test_every_mark_of_a_backend_is_known_to_the_rules():
    for backend in registry.ALL:
        for key in backend.marks.annotations:
            assert gpu_markers.TRUSTED_ANNOTATIONS.of(key.replace("*", "x")) == backend.marks.owner
        for key in backend.marks.labels:
            assert gpu_markers.TRUSTED_LABELS.of(key.replace("*", "x")) == backend.marks.owner
        for key, value in backend.marks.opt_out:
            assert (key, value, backend.marks.owner) in gpu_markers.OPT_OUT_LABELS
        assert bool(backend.marks.owner) == bool(backend.marks.annotations)


def test_who_writes_on_pods_has_an_account():
    for backend in registry.ALL:
        accounts = [account for part in backend.components for account in part.accounts]
        assert bool(accounts) == bool(backend.marks.annotations), backend.name


def test_readers_read_what_they_are_asked_for():
    for system in known.READERS:
        reader = registry.reader(system)
        assert reader is not None
        assert system in reader.reads or reader.translates == {system}
    assert registry.reader("kubevirt") is None


def test_facts_go_together():
    for backend in registry.ALL:
        assert backend.sharing in {"whole", "count", "memory"}
        assert not backend.uses_mps or backend.shares_cards
        assert {parameter.name for parameter in backend.parameters} >= set(backend.sample)
        assert not backend.plain or backend.sharing == "whole"
