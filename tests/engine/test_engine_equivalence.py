"""The engine's omissions for speed have no effect: it has the findings of every rule, run on everything."""

import copy
import itertools

import fast_yaml
import pytest
import strategies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.engine.rule import POD, SCOPES, TEMPLATE
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import workload

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

ORIGINS = ("file", "admission")


def naive(policy, document, origin):
    """Return the findings of every rule in force on fresh views of every object that it may judge."""
    found = []
    for rule in rules.ALL:
        for view in workload.read(document, policy, origin):
            if origin == "file" or (POD if view.defaulted else TEMPLATE) in rule.admission_kinds:
                alone = Engine([rule], policy)
                found += [(rule.id, each.pointer, each.message, each.advice) for each in rule.check(view, policy)
                          if alone.rules and policy.action(rule, each.severity or rule.severity) != "off"]  # fmt: skip
    return sorted(found, key=repr)


def told(findings):
    return sorted(((each.rule, each.pointer, each.message, each.advice) for each in findings), key=repr)


def same(policy, document, origin):
    engine = Engine(rules.ALL, policy)
    assert told(engine.validate(document, origin)) == naive(policy, document, origin)
    mutation = engine.mutate(document, origin)
    left = engine.remaining(mutation)
    assert left == engine.judge(workload.read(mutation.object, policy, origin))
    assert told(left) == naive(policy, mutation.object, origin)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(strategies.workloads(), strategies.documents()), st.sampled_from(policies.ALL), st.sampled_from(ORIGINS)
)
def test_on_broken_and_arbitrary_objects(document, policy, origin):
    same(policy, document, origin)


def examples():
    for rule in rules.ALL:
        for text in (rule.bad, rule.good):
            for document in fast_yaml.load_all(text):
                yield pytest.param(document, rule.policy, id=f"{rule.id} {'bad' if text == rule.bad else 'good'}")


@pytest.mark.parametrize(("document", "spec"), list(examples()))
def test_on_the_examples_of_every_rule(document, spec):
    for policy, origin in itertools.product((Policy("its own", spec), policies.ALL_ON), ORIGINS):
        same(policy, document, origin)


ANNOTATED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "annotations": {"gpu-fraction": "0.5"}},
    "spec": {"containers": [{"name": "a", "image": "i"}], "nodeName": "n", "hostPID": True},
}


@pytest.mark.parametrize("change", ["as it is", "only init containers", "no containers", "an odd amount"])
@pytest.mark.parametrize("policy", policies.ALL, ids=lambda policy: policy.name)
def test_on_requests_by_annotation(change, policy):
    pod = copy.deepcopy(ANNOTATED)
    if change == "only init containers":
        pod["spec"]["initContainers"] = pod["spec"].pop("containers")
        pod["metadata"]["annotations"]["gpu-fraction-container-name"] = "a"
    elif change == "no containers":
        pod["spec"]["containers"] = []
    elif change == "an odd amount":
        pod["metadata"]["annotations"] = {"gpu-memory": ["x"], "gpu-fraction": None}
    for origin in ORIGINS:
        same(policy, pod, origin)


SELECTING = {
    "init": ("initContainers", {}),
    "sidecar": ("initContainers", {"restartPolicy": "Always"}),
    "app": ("containers", {}),
    "ephemeral": ("ephemeralContainers", {}),
}


@pytest.mark.parametrize("role", SELECTING)
@pytest.mark.parametrize(
    "name", ["CUDA_VISIBLE_DEVICES", "MLU_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "CUDA_VERSION"]
)
def test_on_variables_of_every_role(role, name):
    """A scan returns the same flag for every role of container, beside a label that selects GPU nodes."""
    key, more = SELECTING[role]
    amounts = {"limits": {"nvidia.com/gpu": "1", "cambricon.com/mlu": "1"}}
    container = {"name": "a", "image": "i", "resources": amounts, "env": [{"name": name, "value": "7"}], **more}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "containers": [{"name": "b", "image": "i"}],
            "nodeSelector": {"nvidia.com/gpu.present": "yes"},
            key: [container],
        },
    }
    completed = copy.deepcopy(pod)
    completed["spec"][key][0].update(env=[], envFrom=[{"prefix": name[:5], "configMapRef": {"name": "c"}}])
    turn = list(SELECTING).index(role)  # each variable is judged under every policy, in one of the roles
    for document, origin in itertools.product((pod, completed), ORIGINS):
        for policy in {
            policy.name: policy for policy in (*policies.ALL[turn :: len(SELECTING)], policies.ALL_ON)
        }.values():
            same(policy, document, origin)


def test_the_rules_that_are_left_out_are_many():
    """Otherwise the tests above would compare results with themselves."""
    counts = {need: sum(rule.scope == need for rule in rules.ALL) for need in SCOPES}
    assert counts["request"] > 15
    assert 0 < counts["object"] < 14  # most of them judge claims only
