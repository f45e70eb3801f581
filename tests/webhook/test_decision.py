"""The decision, byte for byte: AdmissionReview in, AdmissionReview out."""

import base64
import copy
import json

import jsonpatch
import pytest
from reviews import UID, deployment, pod, review

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider


def decide(obj, endpoint, *, policy=None, **request):
    policy = policy or Policy("default")
    body = json.dumps(review(obj, **request)).encode()
    answer = Decider(lambda name: policy if name in {None, policy.name} else None)(body, endpoint)
    assert answer.status == 200
    output = json.loads(answer.body)
    assert (output["apiVersion"], output["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert output["response"]["uid"] == UID
    return output["response"], answer.record


REQUESTED_ONLY = {"requests": {"nvidia.com/gpu": "1"}}
RIGHT = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
EMPTY = Policy("plain")


class TestMutate:
    def test_a_pod_is_repaired(self):
        sent = pod(REQUESTED_ONLY)
        response, record = decide(sent, "mutate")
        assert response["allowed"] is True
        assert response["patchType"] == "JSONPatch"
        operations = json.loads(base64.b64decode(response["patch"]))
        assert operations == [
            {"op": "add", "path": "/spec/containers/0/resources/limits", "value": {"nvidia.com/gpu": "1"}}
        ]
        assert jsonpatch.apply_patch(sent, operations)["spec"]["containers"][0]["resources"] == RIGHT
        assert response["auditAnnotations"]["applied"] == "GPU001"
        assert record["decision"] == "mutated"
        assert "status" not in response

    def test_a_pod_that_is_right_gets_the_shortest_answer(self):
        response, record = decide(pod(RIGHT), "mutate")
        assert response == {"uid": UID, "allowed": True}
        assert record["decision"] == "allowed"

    def test_nothing_is_patched_on_update(self):
        response, _ = decide(pod(REQUESTED_ONLY), "mutate", operation="UPDATE", old=pod(REQUESTED_ONLY))
        assert response == {"uid": UID, "allowed": True}

    def test_templates_are_never_mutated(self):
        response, _ = decide(deployment(REQUESTED_ONLY), "mutate")
        assert response == {"uid": UID, "allowed": True}

    def test_a_rule_told_not_to_fix_denies_instead(self):
        policy = Policy("p", {"rules": {"GPU001": {"fix": False}}})
        response, _ = decide(pod(REQUESTED_ONLY), "mutate", policy=policy)
        assert response["allowed"] is False
        assert "patch" not in response


class TestValidate:
    def test_a_pod_that_should_have_been_repaired_is_denied_and_told_why(self):
        response, _ = decide(pod(REQUESTED_ONLY), "validate")
        assert response["allowed"] is False
        status = response["status"]
        assert (status["code"], status["reason"]) == (403, "Forbidden")
        assert 'GPU001 container "train" sets nvidia.com/gpu: "1" in requests' in status["message"]
        assert "mutating webhook did not run" in status["message"]
        assert status["message"].startswith("1 finding of GPU policy default:\n- GPU001 ")
        assert "/spec/containers/0/resources/requests/nvidia.com~1gpu" in status["message"]

    @pytest.mark.parametrize(("action", "allowed"), [("deny", False), ("warn", True), ("audit", True)])
    def test_what_the_policy_says_of_a_rule_counts_for_pods_that_should_have_been_repaired(self, action, allowed):
        response, _ = decide(pod(REQUESTED_ONLY), "validate", policy=Policy("p", {"rules": {"GPU001": action}}))
        assert response["allowed"] is allowed
        assert ("mutating webhook did not run" in response.get("status", {}).get("message", "")) is not allowed

    def test_a_template_that_will_be_repaired_is_warned_of_at_most(self):
        response, _ = decide(deployment(REQUESTED_ONLY), "validate")
        assert response["allowed"] is True
        assert response["warnings"][0].startswith("GPU001 ")
        assert response["auditAnnotations"] == {"rules": "GPU001"}

    @pytest.mark.parametrize(
        ("container", "warning"),
        [
            ("train", 'GPU001 container "train" sets nvidia.com/gpu: "1" in requests'),
            ("a, b", 'GPU001 container "a, b" sets nvidia.com/gpu: "1" in requests'),
            ("t" * 63, f'GPU001 container "{"t" * 63}" sets nvidia.com/gpu: "1" in requests'),
        ],
    )
    def test_a_warning_has_what_to_write_even_where_that_is_longer_than_a_line(self, container, warning):
        sent = deployment(REQUESTED_ONLY)
        sent["spec"]["template"]["spec"]["containers"][0]["name"] = container
        output = decide(sent, "validate")[0]["warnings"]
        assert output[0].startswith(warning)
        assert '; write nvidia.com/gpu: "1" under resources.limits' in output[0]
        assert len(output[0]) <= 256

    @pytest.mark.parametrize(("mode", "warned"), [("warn", True), ("audit", False)])
    def test_a_mode_is_a_ceiling(self, mode, warned):
        response, _ = decide(pod(REQUESTED_ONLY), "validate", policy=Policy("p", {"mode": mode}))
        assert response["allowed"] is True
        assert ("warnings" in response) is warned
        assert response["auditAnnotations"] == {"rules": "GPU001"}

    def test_an_update_is_judged_for_what_it_made_worse(self):
        old = pod(REQUESTED_ONLY)
        new = copy.deepcopy(old)
        new["metadata"]["finalizers"] = []
        assert decide(new, "validate", operation="UPDATE", old=old)[0] == {"uid": UID, "allowed": True}
        worse = copy.deepcopy(new)
        worse["spec"]["containers"].append(
            {"name": "second", "image": "i", "resources": {"requests": {"nvidia.com/gpu": "2"}}}
        )
        response, _ = decide(worse, "validate", operation="UPDATE", old=old)
        assert response["allowed"] is False
        assert '"second"' in response["status"]["message"]
        assert '"train"' not in response["status"]["message"]

    @pytest.mark.parametrize("operation", ["DELETE", "CONNECT", "", "ODD"])
    def test_other_operations_are_allowed(self, operation):
        assert decide(pod(REQUESTED_ONLY), "validate", operation=operation)[0] == {"uid": UID, "allowed": True}

    @pytest.mark.parametrize("subresource", ["exec", "attach", "portforward", "proxy", "eviction", "log", "scale", "x"])
    def test_other_subresources_are_allowed(self, subresource):
        sent = pod(REQUESTED_ONLY)
        assert decide(sent, "validate", subresource=subresource)[0]["allowed"] is True

    @pytest.mark.parametrize("obj", [None, {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}])
    def test_what_is_no_workload_is_allowed(self, obj):
        assert decide(obj, "validate")[0] == {"uid": UID, "allowed": True}

    @pytest.mark.parametrize(
        "exempt",
        [
            {"namespaces": ["kube-system", "research"]},
            {"namespaces": ["res*"]},
            {"users": ["alice"]},
            {"users": ["ali*"]},
        ],
    )
    def test_the_exempt_are_not_judged(self, exempt):
        policy = Policy("p", {"exempt": exempt})
        assert decide(pod(REQUESTED_ONLY), "validate", policy=policy)[0] == {"uid": UID, "allowed": True}

    def test_a_pod_cannot_exempt_itself(self):
        sent = pod(REQUESTED_ONLY)
        sent["metadata"] |= {"namespace": "kube-system", "annotations": {"gpu-admission.io/ignore": "GPU001 - mine"}}
        policy = Policy("p", {"exempt": {"namespaces": ["kube-system"]}})
        assert decide(sent, "validate", policy=policy)[0]["allowed"] is False


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not valid JSON"),
        (b"null", "not an AdmissionReview"),
        (b"[]", "not an AdmissionReview"),
        (b'{"kind": "Pod"}', "not an AdmissionReview"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}', "version admission.k8s.io/v1"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}', "no request"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": []}', "no request"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {}}', "no uid"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": 1}}', "no uid"),
    ],
)
def test_what_is_no_review_is_400(body, sentence):
    answer = Decider(lambda _: EMPTY)(body, "validate")
    assert answer.status == 400
    output = json.loads(answer.body)
    assert sentence in output.pop("error")
    assert output == {"status": 400}
    assert answer.body.count(b"\n") == 1


def test_an_unknown_policy_is_404():
    answer = Decider(lambda _: None)(b"{}", "validate", "odd")
    assert answer.status == 404
    assert json.loads(answer.body) == {"error": "no such policy is loaded", "status": 404}


def test_a_lone_surrogate_travels_back_as_it_came():
    body = json.dumps(review(pod(REQUESTED_ONLY))).replace(UID, "\\ud800").encode()
    answer = Decider(lambda _: EMPTY)(body, "mutate")
    assert json.loads(answer.body)["response"]["uid"] == "\ud800"


SCHEDULED = "system:serviceaccount:"
WRITTEN = [
    "hami.io/vgpu-devices-allocated",
    "hami.io/bind-phase",
    "volcano.sh/vgpu-ids-new",
    "volcano.sh/bind-phase",
    "ALIYUN_COM_GPU_MEM_IDX",
    "received-resource-type",
    "scheduling.koordinator.sh/device-allocated",
]


class TestSpoofedOnUpdate:
    """What a scheduler writes on a pod when it places it, a user must not write: under every shipped policy."""

    @pytest.mark.parametrize("policy", loader.shipped())
    @pytest.mark.parametrize("annotation", WRITTEN)
    def test_never_by_a_user_and_a_later_update_is_let_through(self, policy, annotation):
        policy = loader.load(policy)
        old = pod(RIGHT, schedulerName=policy.scheduler_name or "own")
        new = {**old, "metadata": {"name": "p", "annotations": {annotation: "0"}}}
        update = {"policy": policy, "operation": "UPDATE"}
        response, _ = decide(new, "validate", old=old, **update)
        assert response["status"]["message"].startswith(f'GPU307 the annotation "{annotation}"')
        labelled = {**new, "metadata": {**new["metadata"], "labels": {"a": "b"}}}
        assert decide(labelled, "validate", old=new, **update)[0] == {"uid": UID, "allowed": True}

    @pytest.mark.parametrize("policy", loader.shipped())
    @pytest.mark.parametrize("creator", ["kube-system:replicaset-controller", "volcano-system:volcano-controllers"])
    def test_pods_that_a_controller_makes_for_users_are_judged(self, policy, creator):
        bad = pod({"limits": {"nvidia.com/gpu": "500m"}})
        response, _ = decide(bad, "validate", policy=loader.load(policy), user=SCHEDULED + creator)
        assert response["allowed"] is False
