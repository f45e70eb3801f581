"""Every rule's own examples, run: ``bad`` is found, ``good`` is clean, and the fix turns one into the other."""

import fast_yaml
import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads.claim_index import ClaimIndex


def policy_for(rule):
    return Policy("example", rule.policy).selecting(frozenset({rule.id}))


def documents(text):
    return [document for document in fast_yaml.load_all(text) if document is not None]


def engine_for(rule, text):
    """An engine that has seen all documents of an example, as the linter's has those of its input."""
    made = Engine(rules.ALL, policy_for(rule), ClaimIndex())
    read = documents(text)
    made.claim_index.enter(read)
    return made, read


def findings(rule, text):
    engine, read = engine_for(rule, text)
    return [finding for document in read for finding in engine.validate(document)]


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
class TestExamples:
    def test_the_bad_example_is_found(self, rule):
        found = findings(rule, rule.bad)
        assert found
        assert {finding.rule for finding in found} == {rule.id}

    def test_the_good_example_is_clean(self, rule):
        assert findings(rule, rule.good) == []

    def test_the_fix_turns_bad_into_good(self, rule):
        if rule.fix is None:
            assert all(finding.fix is None for finding in findings(rule, rule.bad))
            return
        engine, read = engine_for(rule, rule.bad)
        fixed = [engine.mutate(document, unsafe=True, consent=True).object for document in read]
        assert fixed == documents(rule.good)

    def test_a_message_tells_what_is_wrong_and_the_advice_what_to_write(self, rule):
        for finding in findings(rule, rule.bad):
            assert finding.message[0].islower() or finding.message[0] in "\"'" or finding.message.startswith("NVIDIA")
            assert finding.advice
            assert not finding.message.endswith(".")


def test_ids_and_names_are_unique_and_in_order():
    ids = [rule.id for rule in rules.ALL]
    assert ids == sorted(set(ids))
    assert len({rule.name for rule in rules.ALL}) == len(ids)
