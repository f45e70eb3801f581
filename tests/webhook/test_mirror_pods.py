"""Mirror Pods show static ones, which run whatever is answered: never patched, never denied, under any policy."""

import copy
import json
from pathlib import Path

import pytest
from reviews import review

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations
from gpu_admission.webhook.review.handler import Decider

CASE = Path(__file__).parent.parent / "fixtures" / "cases" / "field" / "G1-mirror-review.json"
MIRROR = "kubernetes.io/config.mirror"
POLICIES = [loader.load(name) for name in loader.shipped()]
POLICIES.append(Policy("every", {"visibleDevices": {"everyPod": True}}))


def pod():
    return json.loads(CASE.read_text())["request"]["object"]


def ask(obj, endpoint, policy, **request):
    answer = Decider({None: policy}.get)(json.dumps(review(obj, **request)).encode(), endpoint)
    return json.loads(answer.body)["response"]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("endpoint", ["mutate", "validate"])
def test_a_mirror_pod_is_allowed_as_it_is(policy, endpoint):
    output = ask(pod(), endpoint, policy)
    assert output["allowed"]
    assert "patch" not in output
    assert "warnings" not in output


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_its_update_is_allowed(policy):
    changed = copy.deepcopy(pod())
    changed["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"] = "GPU-1"
    assert ask(changed, "validate", policy, operation="UPDATE", old=pod())["allowed"]


def test_a_file_that_shows_one_has_no_findings():
    engine = Engine(rules.ALL, loader.load("strict"))
    assert engine.validate(pod()) == []
    listed = {"apiVersion": "v1", "kind": "List", "items": [pod()]}
    assert engine.validate(listed) == []
    assert engine.mutate(pod(), unsafe=True, consent=True).patch == ()


def without_node(obj):
    del obj["spec"]["nodeName"]  # the API server refuses it, and a Binding's object has no spec at all


def odd_node(obj):
    obj["spec"]["nodeName"] = ["n1"]


def as_label(obj):
    obj["metadata"]["labels"] = {MIRROR: "x"}
    obj["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}


def odd_annotations(obj):
    obj["metadata"]["annotations"] = [MIRROR]


@pytest.mark.parametrize("change", [without_node, odd_node, as_label, odd_annotations])
def test_what_only_looks_like_one_is_judged(change):
    obj = pod()
    change(obj)
    assert not ask(obj, "validate", loader.load("strict"))["allowed"]


def test_a_template_with_the_annotation_is_judged():
    inner = pod()
    template = {"metadata": {"annotations": {MIRROR: "x"}}, "spec": inner["spec"]}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    deployment["spec"] = {"template": template}
    assert Engine(rules.ALL, loader.load("strict")).validate(deployment)


def test_a_binding_cannot_call_its_pod_one():
    marks = {MIRROR: "x", "hami.io/vgpu-devices-allocated": "GPU-1"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p", "annotations": marks}}
    binding["target"] = {"kind": "Node", "name": "n1"}
    assert not ask(binding, "validate", loader.load("hami"), subresource="binding")["allowed"]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_api_server_does_not_ask_about_them(policy):
    hooks = [
        hook
        for made in webhook_configurations.configurations(policy, webhook_configurations.RegistrationOptions())
        for hook in made["webhooks"]
    ]
    requested = {
        hook["name"].partition(".")[0]
        for hook in hooks
        for condition in hook["matchConditions"]
        if condition["name"] == "not-a-mirror-pod"
    }
    assert requested == {"mutate", "pods"}
