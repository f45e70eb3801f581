"""Real manifests, and the right findings for each: ``fixtures/cases`` holds both.

``found`` are findings that must be there (rule and pointer), ``silent`` prefixes of rules that must report nothing,
``absent`` beginnings of findings (rule and pointer) that must not be there, ``says`` what a message or advice must
hold, ``policy`` a shipped policy, ``fixed`` what stands at a pointer once all fixes are applied (null: nothing).
"""

import json
from pathlib import Path

import pytest

from gpu_admission import rules
from gpu_admission.core import patch, pointer
from gpu_admission.engine.engine import Engine
from gpu_admission.manifests import reader
from gpu_admission.policyfile import loader

CASES = Path(__file__).parent.parent / "fixtures" / "cases"
EXPECTED = json.loads((CASES / "names.json").read_text())


def load(name):
    reading = reader.read((CASES / name).read_bytes(), name)
    assert not reading.errors
    (document,) = reading.documents
    return document.object


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_case_gives_what_is_right(name):
    want, manifest = EXPECTED[name], load(name)
    engine = Engine(rules.ALL, loader.load(want.get("policy", "any")))
    found = engine.validate(manifest)
    assert set(want["found"]) <= {f"{each.rule} {pointer.to_text(each.pointer)}" for each in found}
    assert not [each for each in found if each.rule.startswith(tuple(want.get("silent", ())))]
    absent = tuple(want.get("absent", ()))
    assert not [each for each in found if f"{each.rule} {pointer.to_text(each.pointer)}".startswith(absent)]
    told = "\n".join(f"{each.message}; {each.advice}" for each in found)
    assert all(fragment in told for fragment in want.get("says", ()))
    assert '"spec" ' not in told  # messages name the object


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if "fixed" in EXPECTED[name]))
def test_the_fixes_of_the_case(name):
    want, manifest = EXPECTED[name], load(name)
    engine = Engine(rules.ALL, loader.load(want.get("policy", "any")))
    fixed = engine.mutate(manifest, unsafe=True, consent=True)
    assert patch.apply(manifest, fixed.patch) == fixed.object
    for place, value in want["fixed"].items():
        path = _path(place)
        there = pointer.resolve(fixed.object, path) if pointer.exists(fixed.object, path) else None
        assert there == value, place
    assert not engine.mutate(fixed.object, unsafe=True, consent=True).patch


def _path(text):
    parts = [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]
    return tuple(int(part) if part.isdigit() else part for part in parts)
