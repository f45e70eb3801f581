"""The laws of ARCHITECTURE.md, as properties of all rules under every shipped policy and one that sets everything.

``LAWS_EXAMPLES`` says how many examples each law gets.
"""

import base64
import copy
import json
import os

import disorder
import jsonpatch
import pytest
import strategies
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpu_admission import rules
from gpu_admission.core import patch, pointer
from gpu_admission.engine.changes import introduced
from gpu_admission.engine.engine import Engine
from gpu_admission.engine.rule import POD, TEMPLATE
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider

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
POLICIES = [*map(loader.load, loader.shipped()), EVERYTHING, Policy("plain")]
ENGINES = {policy.name: Engine(rules.ALL, policy) for policy in POLICIES}
ORDER = {rule.id: place for place, rule in enumerate(rules.ALL)}
# A share of a card that is translated to a whole card is counted as one only then; there is nothing to repair.
MAY_WAKE = {("GPU101", "GPU009"), ("GPU101", "GPU013")}

engines = st.sampled_from(list(ENGINES.values()))
origins = st.sampled_from(("file", "admission"))
consents = st.sampled_from(({}, {"consent": True}, {"unsafe": True, "consent": True}, {"admitted": True}))


def law(examples):
    share = int(os.environ.get("LAWS_EXAMPLES", "150")) * examples // 100
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
        before = engine.validate(obj, origin)
        for rule in engine.rules:
            if rule.fix is None:
                continue
            alone = Engine([rule], engine.policy)
            mutation = alone.mutate(obj, origin, unsafe=True, consent=True)
            assert [finding for finding in alone.validate(mutation.object, origin) if finding.fix] == []
            if rule.fix == "safe" and mutation.patch:
                anew = introduced(engine.validate(mutation.object, origin), before, mutation.object, obj)
                earlier = [finding for finding in anew if ORDER[finding.rule] < ORDER[rule.id]]
                assert [finding for finding in earlier if (rule.id, finding.rule) not in MAY_WAKE] == []


def summary(finding):
    """What both must say alike: all of it, but that a file names the default scheduler, which every admitted Pod does."""
    message = finding.message if finding.rule != "GPU202" else ""
    return (finding.rule, finding.pointer, finding.severity, finding.action, finding.fix, finding.container, message)


class TestOneVerdict:
    """Of an object that is whole, and holds no word that only a file may hold, both say the same."""

    @law(100)
    @given(strategies.whole_workloads(), engines)
    def test_the_webhook_finds_what_the_linter_finds(self, obj, engine):
        seen = {rule.id for rule in engine.rules if (POD if obj["kind"] == "Pod" else TEMPLATE) in rule.admission_kinds}
        by_linter = [finding for finding in engine.validate(obj, "file") if finding.rule in seen]
        assert list(map(summary, by_linter)) == list(map(summary, engine.validate(obj, "admission")))
        answer = ask(engine.policy, obj, "validate")
        assert set(ids(answer, "rules")) == {finding.rule for finding in by_linter}

    @law(100)
    @given(strategies.pods(), engines)
    def test_the_webhook_repairs_what_the_linter_says_it_would(self, pod, engine):
        shown, done = engine.review(pod, "file"), engine.mutate(pod, "admission")
        remaining = [
            found for found in shown.findings if not found.repaired and POD in rules.BY_ID[found.rule].admission_kinds
        ]
        answer = ask(engine.policy, pod, "mutate")
        assert answer["allowed"] is not any(finding.action == "deny" for finding in remaining)
        if answer["allowed"]:
            operations = json.loads(base64.b64decode(answer.get("patch", "W10=")))
            assert operations == patch.to_json(done.patch)
            assert jsonpatch.apply_patch(pod, operations) == done.object
            assert ids(answer, "applied") == sorted(shown.mutation.applied)


def ask(policy, obj, endpoint):
    group, _, version = obj["apiVersion"].rpartition("/")
    request = {
        "uid": "u",
        "operation": "CREATE",
        "namespace": "research",
        "userInfo": {"username": "alice"},
        "kind": {"group": group, "version": version, "kind": obj["kind"]},
        "object": obj,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    answer = Decider(lambda _: policy)(json.dumps(review).encode(), endpoint)
    assert answer.status == 200
    return json.loads(answer.body)["response"]


def ids(answer, key):
    return [one for one in answer.get("auditAnnotations", {}).get(key, "").split(",") if one]


def size(value):
    """How many values a document holds, and how much text."""
    return sum(1 for _ in disorder.paths(value)) + len(repr(value))


class TestAnything:
    """No JSON makes the engine or the webhook fail, and what they say of it stays in proportion."""

    @law(100)
    @given(strategies.documents(), engines, origins)
    def test_arbitrary_json_is_judged(self, document, engine, origin):
        before = copy.deepcopy(document)
        review = engine.review(document, origin)
        assert document == before
        assert len(review.findings) + len(review.mutation.patch) <= size(document)
        for finding in review.findings:
            assert len(finding.message) + len(finding.advice) < 1200
            assert f"{finding.message}{finding.advice}".isprintable()
            assert finding.repaired or pointer.exists(review.mutation.object, finding.pointer)

    @law(50)
    @given(st.one_of(strategies.json_values, strategies.documents()), engines, st.sampled_from(["mutate", "validate"]))
    @example(
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "\ud800"}]}}, ENGINES["plain"], "mutate"
    )
    def test_arbitrary_requests_are_answered(self, document, engine, endpoint):
        for request in (
            document,
            {"uid": "u", "object": document, "operation": "CREATE", "kind": {"version": "v1", "kind": "Pod"}},
            {"uid": "u", "object": document, "oldObject": [document], "operation": "UPDATE", "kind": document},
            {"uid": "u", "object": {"spec": document}, "oldObject": document, "operation": "UPDATE", "kind": {}},
        ):
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
            answer = Decider(lambda _: engine.policy)(json.dumps(review).encode(), endpoint)
            output = json.loads(answer.body)
            assert answer.status == 200 or (answer.status == 400 and set(output) == {"error", "status"})
            assert len(answer.body) < 100_000 + 10 * size(document)

    @pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
    def test_depth_costs_nothing(self, engine):
        deep = leaf = {}
        for _ in range(20_000):
            leaf["spec"] = leaf = {"containers": [leaf.setdefault("x", {})]}
        for kind in ("Pod", "Deployment", "Unknown"):
            engine.review({"apiVersion": "v1", "kind": kind, "spec": deep})

    @law(50)
    @given(
        strategies.workloads(), engines, st.sampled_from(["1e2147483646", "1e20000000", "9" * 100_000, "1e-999999999"])
    )
    def test_no_amount_is_ever_expanded(self, obj, engine, amount):
        for path in sorted(disorder.paths(obj), key=len, reverse=True):
            if path and "/" in str(path[-1]):
                here = pointer.resolve(obj, path[:-1])
                here[path[-1]] = amount
        engine.review(obj, "admission")
