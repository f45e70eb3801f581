"""What an update may change without a call to the webhook: only what no rule reads.

The conditions name the keys of metadata that rules read, and the fields of a pod's spec that none reads. These tests
fail for a new rule that reads another key.
"""

import ast
import copy
import random
import re
from pathlib import Path

import disorder
import fast_yaml
import pytest

import gpu_admission
from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader
from gpu_admission.registration import match_conditions

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

ROOT = Path(gpu_admission.__file__).parent
QUALIFIED = re.compile(r"([a-zA-Z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
VALUES = {"schedulingGates": [{"name": "x"}], "activeDeadlineSeconds": 5, "terminationGracePeriodSeconds": 0}


def patterns():
    """Return expressions for the keys of annotations and of labels whose changes are judged."""
    for field in ("annotations", "labels"):
        keys = (".+".join(map(re.escape, key.split("*"))) for key in match_conditions.judged(field))
        yield re.compile("|".join(f"{key}$" for key in keys))


def texts():
    """Return every string of the code of rules that could be the key of an annotation or label."""
    for part in ("rules", "backends", "core", "workloads"):
        for path in (ROOT / part).rglob("*.py"):
            if path.name == "time_limits.py":
                continue  # it names fields of jobs and of their templates, and Pods are not judged by them
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


KEYS = sorted(
    {word for text in texts() for word in (text, text.replace("*", "x"), f"{text}x") if QUALIFIED.fullmatch(word)}
)
assert len(KEYS) > 1000


def pods():
    for rule in rules.ALL:
        for text in (rule.bad, rule.good):
            yield from (obj for obj in fast_yaml.load_all(text) if obj["kind"] == "Pod")
    rng = random.Random(31)
    for _ in range(25):
        yield disorder.pod(rng, 0.3)


PODS = [pod for pod in pods() if isinstance(pod, dict) and isinstance(pod.get("spec"), dict)]


def said(engine, obj):
    return [(found.rule, found.message, found.pointer, found.action) for found in engine.validate(obj, "admission")]


def with_keys(obj, field, keys, value):
    made = copy.deepcopy(obj)
    metadata = made["metadata"] = made["metadata"] if isinstance(made.get("metadata"), dict) else {}
    kept = metadata.get(field) if isinstance(metadata.get(field), dict) else {}
    metadata[field] = dict.fromkeys(keys, value) | kept
    return made


POLICIES = list(loader.shipped())


def share(policy):
    """The pods that are judged under a policy: each is judged under a quarter of them, since each takes its time."""
    return PODS[POLICIES.index(policy) % 4 :: 4]


@pytest.mark.parametrize("policy", POLICIES)
class TestNoRuleReads:
    @pytest.mark.parametrize(("number", "field"), [(0, "annotations"), (1, "labels")])
    def test_other_keys_of_metadata(self, policy, number, field):
        engine = Engine(rules.ALL, loader.load(policy))
        judged = list(patterns())[number]
        others = [key for key in KEYS if not judged.match(key)]
        assert len(others) > 1000
        for turn, obj in enumerate(share(policy)):
            assert said(engine, with_keys(obj, field, others, ("true", "1")[turn % 2])) == said(engine, obj), obj

    def test_fields_that_change_while_a_pod_runs(self, policy):
        engine = Engine(rules.ALL, loader.load(policy))
        assert set(VALUES) == set(match_conditions.UNJUDGED)
        for obj in PODS:
            assert said(engine, {**obj, "spec": {**obj["spec"], **VALUES}}) == said(engine, obj), obj


def test_the_code_that_judges_does_not_so_much_as_name_those_fields():
    assert set(match_conditions.UNJUDGED).isdisjoint(texts())


def test_the_keys_that_are_judged_matter():
    """Each key is in the conditions because a rule reads it: the search above finds it."""
    engine = Engine(rules.ALL, loader.load("kai"))
    annotations, labels = patterns()
    changing = set()
    for number, (field, judged) in enumerate((("annotations", annotations), ("labels", labels))):
        for key in (key for key in KEYS if judged.match(key)):
            if any(said(engine, with_keys(obj, field, [key], "1")) != said(engine, obj) for obj in PODS):
                changing.add((number, key))
    assert {
        (0, "gpu-fraction"),
        (0, "gpu-memory"),
        (0, "kubernetes.io/config.mirror"),
        (1, "runai/queue"),
    } <= changing
    assert {(0, "ALIYUN_COM_GPU_x"), (0, "gpu-fraction-container-name"), (1, "runai-gpu-group")} <= changing
