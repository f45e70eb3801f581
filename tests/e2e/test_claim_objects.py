"""The webhook on claims, their templates and device classes, on a real API server: what reaches it, what comes of it."""

import contextlib
import time

import pytest
from e2e.objects import define
from e2e.webhooks import Recorder, options, registered, settled

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.registration import claim_conditions, webhook_configurations
from rules import test_claim_objects
from rules.claim_objects import claim, configured, device_class, exactly, selected, template

pytestmark = pytest.mark.e2e

GROUP = "admissionregistration.k8s.io/v1"
WRONG = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": {"strategy": "MSP"}}
PATHS = {"ResourceClaim": "resourceclaims", "ResourceClaimTemplate": "resourceclaimtemplates"}
OBJECTS = {
    **{f"stops: {text[:40]}": selected(text) for text in test_claim_objects.STOPPING_SELECTORS if "$" not in text},
    "an ordinary one": claim(exactly()),
    "an ordinary template": template(exactly()),
    "33 devices": claim(exactly(count=33)),
    "a class that nearly is known": claim(exactly(device_class="nvidia.gpu.com")),
    "a class that nobody knows": claim(exactly(device_class="fast-ones")),
    "a template that nearly is right": template(exactly(device_class="gpu.nvidia.con")),
    "a parameter": configured(WRONG),
    "nothing": claim(),
    "a network card": claim(exactly(device_class="dra.net")),
    "33 network cards": claim(exactly(device_class="dra.net", count=33)),
    "a network card or a CPU": template({"name": "a", "firstAvailable": [
        {"name": "x", "deviceClassName": "dra.net"}, {"name": "y", "deviceClassName": "dra.cpu"}]}),
    "a network card or a GPU": template({"name": "a", "firstAvailable": [
        {"name": "x", "deviceClassName": "dra.net"}, {"name": "y", "deviceClassName": "gpu.amd.com"}]}),
    "both": claim(exactly(device_class="dra.net"), exactly("g", count=33)),
    "a class of GPUs": device_class("fast", driver="gpu.nvidia.com"),
    "a class of network cards": device_class("dra.net", driver="dra.net"),
    "many requests": claim(*(exactly(f"g{n}", device_class="dra.net") for n in range(31)), exactly("last")),
    "owned": {**claim(exactly(count=33)), "metadata": {"name": "c", "ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "705ab4f5-6393-11e8-b7cc-42010a800002"}]}},
}  # fmt: skip
ORDINARY = {"a network card", "33 network cards", "a network card or a CPU", "a class of network cards", "owned"}
POLICIES = {
    "nothing said": {},
    "a class of its own": {"cluster": {"claims": {"classes": ["fast-*", "dra.c[pq]u"]}}},
}


def only_claims(policy, named, recorder):
    _, validating = webhook_configurations.configurations(policy, options(named, recorder.url, recorder.ca))
    validating["webhooks"] = [hook for hook in validating["webhooks"] if hook["name"].startswith("claims.")]
    assert len(validating["webhooks"]) == 1
    return [validating]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    with Recorder(tmp_path_factory.mktemp("recorder")) as made:
        yield made


@pytest.mark.parametrize("spec", POLICIES.values(), ids=POLICIES)
def test_who_is_called_for(api, namespace, recorder, spec):
    policy = Policy("p", spec)
    engine = Engine(rules.ALL, policy)
    with registered(api, only_claims(policy, "claims-only", recorder)):

        def called(obj):
            recorder.seen.clear()
            space = None if obj["kind"] == "DeviceClass" else namespace
            answer = api.create(obj, space, dryRun="All")
            assert answer.status == 201, answer
            return [(kind, operation) for _, kind, operation in recorder.seen]

        settled(lambda: called(OBJECTS["an ordinary one"]))
        for name, obj in OBJECTS.items():
            seen = called(obj)
            found = [each for each in engine.validate(obj, "admission") if each.rule.startswith("GPU4")]
            if name != "owned":  # the template that it was made from was judged
                assert seen or not found, (name, found)
            ordinary = ORDINARY - ({"a network card or a CPU"} if spec else set())
            assert seen == ([] if name in ordinary else [(obj["kind"], "CREATE")]), name


def test_only_changes_of_the_spec_are_sent(api, namespace, recorder):
    path = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
    with registered(api, only_claims(Policy("p"), "claims-only", recorder)):

        def called():
            recorder.seen.clear()
            return api.create(claim(exactly()), namespace, dryRun="All").status == 201 and bool(recorder.seen)

        settled(called)
        made = api.create(claim(exactly(), name="kept"), namespace)
        assert made.status == 201, made
        recorder.seen.clear()
        assert api.patch(f"{path}/kept", {"metadata": {"labels": {"a": "b"}}}).status == 200
        assert api.delete(f"{path}/kept").status == 200
        assert recorder.seen == []


OLD = {"name": "g", "deviceClassName": "dra.net"}
SHAPES = {  # of v1beta1, by a custom kind with any fields: no API server of today serves it by default
    "bare": ({"devices": {"requests": [{"name": "g", "deviceClassName": "gpu.nvidia.com"}]}}, True),
    "bare in a template": (
        {"spec": {"devices": {"requests": [{"name": "g", "deviceClassName": "gpu.amd.com"}]}}},
        True,
    ),
    "bare, of a network card": ({"devices": {"requests": [OLD]}}, False),
    "bare, in a template, of a network card": ({"spec": {"devices": {"requests": [OLD, OLD]}}}, False),
    "a bare one of two": ({"devices": {"requests": [OLD, {"name": "g", "deviceClassName": "x"}]}}, True),
    "no spec": (None, True),
    "no devices": ({}, True),
}


@contextlib.contextmanager
def evaluated(api, expression):
    """An admission policy that warns where an expression holds for an object of a custom kind."""
    define(api, "old.example.com", "ResourceClaim")
    rule = {"apiGroups": ["old.example.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}
    spec = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"!({expression})", "message": "holds"}]}  # fmt: skip
    binding = {"policyName": "old-claims", "validationActions": ["Warn"]}
    root = f"/apis/{GROUP}"
    kinds = {"ValidatingAdmissionPolicy": ("validatingadmissionpolicies", spec),
             "ValidatingAdmissionPolicyBinding": ("validatingadmissionpolicybindings", binding)}  # fmt: skip
    try:
        for kind, (plural, body) in kinds.items():
            obj = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "old-claims"}, "spec": body}
            answer = api.request("POST", f"{root}/{plural}", obj)
            assert answer.status == 201, answer
        yield
    finally:
        for plural, _ in reversed(kinds.values()):
            api.delete(f"{root}/{plural}/old-claims")


def test_the_form_of_before_v1_is_seen_through(api, namespace):
    def holds(spec):
        obj = {"apiVersion": "old.example.com/v1", "kind": "ResourceClaim", "metadata": {"generateName": "c-"}}
        answer = api.create({**obj, **({} if spec is None else {"spec": spec})}, namespace)
        assert answer.status == 201, answer
        assert all("holds" in each for each in answer.warnings), answer.warnings
        return bool(answer.warnings)

    with evaluated(api, claim_conditions.of_object(Policy("p"))):
        settled(lambda: holds(SHAPES["bare"][0]))
        assert {name: holds(spec) for name, (spec, _) in SHAPES.items()} == {
            name: expected for name, (_, expected) in SHAPES.items()
        }


class TestTheServer:
    """What comes of a review."""

    pytestmark = pytest.mark.usefixtures("webhook")

    @pytest.mark.parametrize("kind", PATHS)
    def test_parameters_that_the_driver_refuses(self, api, namespace, kind):
        bad = configured(WRONG)
        bad = bad if kind == "ResourceClaim" else {**bad, "kind": kind, "spec": {"spec": bad["spec"]}}
        refused = api.create(bad, namespace)
        assert refused.status == 403, refused
        assert 'admission webhook "claims.gpu-admission.io" denied the request: GPU411' in refused.message
        assert "write MPS" in refused.message

    def test_a_class_that_nearly_is_known(self, api, namespace):
        made = api.create(template(exactly(device_class="nvidia.gpu.com"), name="near"), namespace)
        assert made.status == 201, made
        assert [each[:7] for each in made.warnings] == ["GPU409 "]

    @pytest.mark.parametrize("obj", [claim(exactly(), name="right"), claim(exactly(device_class="dra.net"), name="nic")],
                             ids=["a GPU's", "a network card's"])  # fmt: skip
    def test_one_that_is_right_is_taken_without_a_word(self, api, namespace, obj):
        made = api.create(obj, namespace)
        assert (made.status, made.warnings) == (201, [])

    def test_nothing_waits_while_the_server_is_down(self, api, server, namespace):
        server.stop()
        try:
            begin = time.monotonic()
            made = api.create(configured(WRONG), namespace)
            assert made.status == 201, made
            assert time.monotonic() - begin < 30, "the webhook's own time limit is 3 seconds"
        finally:
            server.start()


NAMES = {
    "example.com/card": True,
    "deviceclass.resource.kubernetes.io/fast-a100": True,
    "deviceclass.resource.kubernetes.io/large": True,
    "deviceclass.resource.kubernetes.io/nic": False,
    "example.com/other": False,
}


def test_resources_of_classes_that_the_policy_has(api, namespace, recorder):
    spec = {"cluster": {"claims": {"classes": ["fast-*"], "extendedResources": {"example.com/card": "large"}}}}
    policy = Policy("p", spec)
    made = webhook_configurations.configurations(policy, options("names-only", recorder.url, recorder.ca))

    def called(name):
        recorder.seen.clear()
        resources = {"limits": {name: "1"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
               "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}}  # fmt: skip
        assert api.create(pod, namespace, dryRun="All").status == 201
        return {path for path, _, _ in recorder.seen}

    with registered(api, made):
        settled(lambda: called("nvidia.com/gpu") == {"/mutate", "/validate"})
        for name, expected in NAMES.items():
            assert (policy.classify(name) is not None) == expected
            assert called(name) == ({"/mutate", "/validate"} if expected else set()), name
