"""Cases from public bug reports and other projects' test suites: small inputs, each with what is right about it.

``fixtures/cases/peers``: the first line of each file is what is expected, as JSON (``policy``; ``via`` lint, else a
review of a new Pod as the API server has defaulted it; ``allowed``; ``must``, ``must_not``, ``must_any`` rules;
``says`` in words). Of the other folders ``expected.json`` tells the same for each file, with ``fixed``: JSON Pointers
and what stands there once the linter has fixed the file (null: nothing), ``kept``: texts that are still in it then, and
``errors``: line and text of what cannot be read.
"""

import base64
import copy
import json
from pathlib import Path
from typing import NamedTuple

import fast_yaml
import jsonpatch
from reviews import review

from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider

FOLDER = Path(__file__).parent / "fixtures" / "cases"
_MARK = "# expected: "


class Case(NamedTuple):
    """One input, with what is expected of it."""

    path: Path
    expected: dict

    def __str__(self):
        return f"{self.path.parent.name}-{self.path.stem}-{self.expected['policy']}"


class Outcome(NamedTuple):
    """What became of an input: whether it is allowed, by which rules anything was found, in what words."""

    allowed: bool
    rules: frozenset
    text: str


def peers():
    """Return the files whose first line has the expectation."""
    found = []
    for path in sorted((FOLDER / "peers").glob("*.yaml")):
        first = path.read_text().partition("\n")[0]
        assert first.startswith(_MARK), path
        found.append(Case(path, json.loads(first.removeprefix(_MARK))))
    return found


def listed():
    """Return the files whose expectations are in ``expected.json`` of their folder.

    None may be left out: ``names.json`` has the rest (``tests/rules/test_field_cases.py``), but for the review of a
    mirror Pod (``tests/webhook/test_mirror_pods.py``).
    """
    found, files = [], set()
    for table in sorted(FOLDER.glob("*/expected.json")):
        folder = table.parent
        files |= {path for path in folder.rglob("*.*") if path != table}
        found += [Case(folder / each.pop("file"), each) for each in json.loads(table.read_text())]
    elsewhere = {FOLDER / name for name in json.loads((FOLDER / "names.json").read_text())}
    elsewhere.add(FOLDER / "field" / "G1-mirror-review.json")
    assert files - elsewhere == {case.path for case in found}
    return found


def reviewed(case):
    """Return what admission makes of a Pod: mutated, then validated as it is left."""
    made = fast_yaml.load(case.path.read_text()) if case.path.suffix == ".yaml" else _of_review(case.path)
    made = _defaulted(made)
    policy = loader.load(case.expected["policy"])
    decide = Decider({None: policy}.get)
    first = _answer(decide, made, "mutate", case)
    patched = jsonpatch.apply_patch(made, json.loads(base64.b64decode(first.get("patch", "W10="))))
    second = _answer(decide, patched, "validate", case)
    notes = [
        answer.get("auditAnnotations", {}).get(key, "") for answer in (first, second) for key in ("rules", "applied")
    ]
    rules = frozenset(rule.strip() for note in notes for rule in note.split(",") if rule)
    text = json.dumps([first.get("status"), first.get("warnings"), second.get("status"), second.get("warnings")])
    return Outcome(first["allowed"] and second["allowed"], rules, text)


def _of_review(path):
    return json.loads(path.read_text())["request"]["object"]


def _answer(decide, made, endpoint, case):
    more = {key: case.expected[key] for key in ("namespace", "user") if key in case.expected}
    answer = decide(json.dumps(review(made, **more)).encode(), endpoint)
    assert answer.status == 200
    return json.loads(answer.body)["response"]


def _defaulted(made):
    """Return a Pod as the API server hands it on, as far as it matters here."""
    made = copy.deepcopy(made)
    made["spec"].setdefault("schedulerName", "default-scheduler")
    for container in (*made["spec"].get("initContainers", ()), *made["spec"]["containers"]):
        resources = container.get("resources", {})
        for name, amount in resources.get("limits", {}).items():
            resources["limits"][name] = str(amount)
            resources.setdefault("requests", {}).setdefault(name, str(amount))
    return made


def check(case, outcome):
    """Hold an outcome against what is expected."""
    expected = case.expected
    if "allowed" in expected:
        assert outcome.allowed is expected["allowed"], outcome
    assert set(expected.get("must", ())) <= outcome.rules, outcome
    assert not set(expected.get("must_not", ())) & outcome.rules, outcome
    if "only" in expected:
        assert set(expected["only"]) == outcome.rules, outcome
    if "must_any" in expected:
        assert set(expected["must_any"]) & outcome.rules, outcome
    for text in expected.get("says", ()):
        assert text in outcome.text, outcome.text
