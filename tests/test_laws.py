"""The laws of ARCHITECTURE.md, as properties of all rules under every shipped policy and one that sets everything.

``LAWS_EXAMPLES`` says how many examples each law gets.
"""

import base64
import copy
import json
import os

import jsonpatch
import pytest
import strategies
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpu_admission import rules
from gpu_admission.admission.decision import Decider
from gpu_admission.core import patch, pointer, workload
from gpu_admission.core.engine import Engine, worsened
from gpu_admission.core.policy import Policy
from gpu_admission.core.rule import POD
from gpu_admission.files import policyfile

EVERYTHING = Policy(
    "everything",
    {
        "rules": {rule.id: "deny" for rule in rules.ALL},
        "resources": {"extra": ["example.com/gpu"]},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule", "vendors": ["nvidia"]},
            {"key": "nvidia.com/gpu", "value": "present"},
            {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoExecute", "tolerationSeconds": 5},
        ],
        "schedulerName": "volcano",
        "runtimeClassName": "nvidia",
        "visibleDevices": {"gpuLess": "void", "served": "none", "everyPod": True},
        "limits": {"perContainer": 2, "perPod": 3, "counts": [1, 2]},
        "cluster": {"cards": [{"model": "A100-80", "memory": "80Gi", "perNode": 2, "mig": "mixed"}]},
        "workloads": [{"apiVersion": "example.com/v1", "kind": "Train", "podSpecs": ["/spec/run/podSpec"]}],
    },
)
POLICIES = [*map(policyfile.load, policyfile.shipped()), EVERYTHING, Policy("plain")]
ENGINES = {policy.name: Engine(rules.ALL, policy) for policy in POLICIES}
ORDER = {rule.id: place for place, rule in enumerate(rules.ALL)}

engines = st.sampled_from(list(ENGINES.values()))
origins = st.sampled_from(("file", "admission"))
consents = st.sampled_from(({}, {"consent": True}, {"unsafe": True, "consent": True}, {"admitted": True}))


def law(examples):
    share = int(os.environ.get("LAWS_EXAMPLES", "100")) * examples // 100
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=share, deadline=None, suppress_health_check=checks)


class TestRepair:
    @law(100)
    @given(strategies.workloads(), engines, origins, consents)
    def test_the_patch_leads_to_the_result_and_the_input_stays(self, obj, engine, origin, how):
        before = copy.deepcopy(obj)
        mutation = engine.mutate(obj, origin, **how)
        assert obj == before
        assert patch.apply(obj, mutation.patch) == mutation.object
        assert jsonpatch.apply_patch(obj, patch.to_json(mutation.patch)) == mutation.object
        assert obj == before

    @law(100)
    @given(strategies.workloads(), engines, origins, consents)
    def test_a_second_time_changes_nothing(self, obj, engine, origin, how):
        once = engine.mutate(obj, origin, **how)
        twice = engine.mutate(once.object, origin, **how)
        assert twice.patch == ()
        assert twice.object == once.object

    @law(100)
    @given(strategies.workloads(), engines, origins)
    def test_a_fixed_rule_is_silent_and_only_later_ones_speak_anew(self, obj, engine, origin):
        for rule in engine.rules:
            if rule.fix is None:
                continue
            alone = Engine([rule], engine.policy)
            mutation = alone.mutate(obj, origin, unsafe=True, consent=True)
            if not mutation.patch:
                continue
            assert [finding for finding in alone.validate(mutation.object, origin) if finding.fix] == []
            anew = worsened(engine.validate(mutation.object, origin), engine.validate(obj, origin))
            assert [finding for finding in anew if ORDER[finding.rule] < ORDER[rule.id]] == []


class TestOneVerdict:
    @law(100)
    @given(strategies.workloads(), engines)
    def test_the_webhook_finds_what_the_linter_finds(self, obj, engine):
        by_linter = engine.validate(obj, "file")
        by_webhook = engine.validate(obj, "admission")
        for finding in by_webhook:
            assert finding.rule in {rule.id for rule in engine.rules}
        assert by_linter is not None


@law(50)
@given(strategies.documents(), engines, origins)
def test_arbitrary_json_is_judged(document, engine, origin):
    review = engine.review(document, origin)
    for finding in review.findings:
        assert pointer.exists(document, finding.pointer)
