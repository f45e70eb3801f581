"""Reviews of claims, templates of claims and device classes: the webhook and the linter find the same."""

import json

import pytest
from reviews import review

from gpu_admission.policy.model import Policy
from gpu_admission.webhook.review.handler import Decider
from rules import claim_objects, test_claim_objects
from rules.claim_objects import claim, configured, device_class, exactly, found, selected, template

POLICY = Policy("p")
# What only a file can be wrong in: a version that is not served, a label that the API server looks at, a second object.
ONLY_IN_FILES = {"GPU408", "GPU414", "GPU417"}
TABLES = {
    **{f"clean: {name}": obj for name, obj in test_claim_objects.CLEAN.items() if "$" not in str(obj)},
    **{f"request: {name}": claim(each) for name, each in test_claim_objects.REQUEST_FORMS.items()},
    **{f"count: {number}": claim(exactly(**each[0])) for number, each in enumerate(test_claim_objects.WRONG_COUNTS)},
    **{f"selector: {text[:40]}": selected(text) for text in test_claim_objects.REFUSED_SELECTORS},
    **{f"stops: {text[:40]}": selected(text) for text in test_claim_objects.STOPPING_SELECTORS},
    "a class that nearly is known": claim(exactly(device_class="nvidia.gpu.com")),
    "a template": template(exactly(device_class="gpu.nvidia.con")),
    "a parameter": configured({"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfigs"}),
    "no request": claim(),
    "a network card": claim(exactly(device_class="dra.net", count=40)),
    "one of both": claim(exactly(device_class="dra.net"), exactly(name="g", count=40)),
    "a class": device_class("fast", driver="gpu.nvidia.com"),
    "admin access": claim(exactly(adminAccess=True)),
    "an old version": {**claim({"name": "g", "deviceClassName": "nvidia.gpu.com"}),
                       "apiVersion": "resource.k8s.io/v1beta1"},
}  # fmt: skip


def rules_of(obj, **more):
    reply = json.loads(Decider(lambda _: POLICY)(json.dumps(review(obj, **more)).encode(), "validate").body)["response"]
    return set(filter(None, reply.get("auditAnnotations", {}).get("rules", "").split(","))), reply


@pytest.mark.parametrize("obj", TABLES.values(), ids=TABLES)
def test_the_webhook_finds_what_the_linter_does(obj):
    at_admission, _ = rules_of(obj)
    assert at_admission == {rule for rule, _, _ in found(obj)} - ONLY_IN_FILES


def test_a_configuration_that_the_driver_refuses_is_denied():
    parameters = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": {"strategy": "MSP"}}
    _, reply = rules_of(configured(parameters))
    assert not reply["allowed"]
    assert reply["status"]["code"] == 403
    assert "write MPS" in reply["status"]["message"]
    assert "/spec/devices/config/0/opaque/parameters/sharing/strategy" in reply["status"]["message"]


def test_a_class_that_nearly_is_known_is_warned_of():
    _, reply = rules_of(claim(exactly(device_class="nvidia.gpu.com")))
    assert reply["allowed"]
    assert [each[:7] for each in reply["warnings"]] == ["GPU409 "]


def test_an_update_that_leaves_the_spec_is_allowed():
    bad = configured({"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfigs"})
    labelled = {**bad, "metadata": {**bad["metadata"], "labels": {"a": "b"}}}
    _, reply = rules_of(labelled, operation="UPDATE", old=bad)
    assert reply["allowed"]


@pytest.mark.parametrize("spec", [None, [], "x", 7, {"devices": None}, {"devices": {"requests": {"a": 1}}},
                                  {"devices": {"requests": [None, 1, {"exactly": 3}, {"firstAvailable": "x"}]}},
                                  {"devices": {"requests": [], "config": [None, {"opaque": 4}, {"opaque": {}}]}}])  # fmt: skip
@pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate", "DeviceClass"])
def test_shapes_that_no_api_server_sends_are_answered(kind, spec):
    rules_of({"apiVersion": claim_objects.V1, "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    rules_of({"apiVersion": claim_objects.V1, "kind": kind, "metadata": "x", "spec": {"spec": spec}})
