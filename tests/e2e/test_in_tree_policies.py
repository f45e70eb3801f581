"""In-tree policies on a real API server: what they answer, whom they judge, and what older versions get."""

import pytest
from e2e.in_tree import GPU, PLURAL, ROOT, SHOWN, InTree, container, pod, rules_in
from e2e.webhooks import settled

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration.in_tree import policies

pytestmark = pytest.mark.e2e


@pytest.fixture
def default(api):
    with InTree(api, loader.load("default")) as running:
        yield running


class TestDefault:
    def test_a_request_without_a_limit_is_repaired(self, default):
        answer = default.create(
            pod(container(resources={"requests": {"nvidia.com/gpu": 2, "example.com/gpu": 1, "cpu": 1}}))
        )
        (made,) = answer.object["spec"]["containers"]
        assert made["resources"]["limits"] == {"nvidia.com/gpu": "2", "example.com/gpu": "1"}

    def test_the_message_names_the_rule_the_container_and_what_to_write(self, default):
        answer = default.create(pod(container("train", env=[SHOWN])))
        assert 'GPU301 visible-devices: container "train" sets NVIDIA_VISIBLE_DEVICES' in answer.message
        assert "request GPUs under resources.limits" in answer.message

    def test_a_long_message_still_names_every_rule(self, default):
        long = "x" * 63
        every = [
            container(f"{long[:60]}{n:03}", env=[SHOWN, {"name": "NVIDIA_NVSWITCH", "value": "enabled"}], resources=GPU)
            for n in range(3)
        ]
        paths = [{"name": f"{long[:60]}{n:03}", "hostPath": {"path": f"/dev/nvidia{n}/" + "ü" * 200}} for n in range(2)]
        answer = default.create(pod(*every, volumes=paths, nodeName="n", hostPID=True))
        assert {"GPU203", "GPU301", "GPU304"} <= rules_in([answer.message])

    def test_ephemeral_containers_are_judged_when_they_join(self, default, namespace):
        assert default.api.create(pod(), namespace).status == 201
        path = f"/api/v1/namespaces/{namespace}/pods/p/ephemeralcontainers"
        first = {"spec": {"ephemeralContainers": [container("debug", targetContainerName="c", env=[SHOWN])]}}
        refused = default.api.patch(path, first, kind="strategic-merge")
        assert refused.status == 403
        assert rules_in([refused.message]) == {"GPU301"}
        plain = {"spec": {"ephemeralContainers": [container("shell", targetContainerName="c")]}}
        assert default.api.patch(path, plain, kind="strategic-merge").status == 200

    def test_what_stands_in_a_pod_since_before_does_not_keep_debuggers_out(self, api, namespace):
        assert api.create(pod(container(env=[SHOWN])), namespace).status == 201
        with InTree(api, loader.load("default")):
            plain = {"spec": {"ephemeralContainers": [container("shell", targetContainerName="c")]}}
            answer = api.patch(
                f"/api/v1/namespaces/{namespace}/pods/p/ephemeralcontainers", plain, kind="strategic-merge"
            )
        assert answer.status == 200, answer

    def test_exempt_namespaces_are_left_alone(self, default):
        assert default.api.create(pod(container(env=[SHOWN])), "kube-system", dryRun="All").status == 201


class TestPolicies:
    def test_exempt_users_are_left_alone(self, api):
        somebody = {"Impersonate-User": "bob", "Impersonate-Group": "system:masters"}
        path, made = "/api/v1/namespaces/default/pods", pod(container(env=[SHOWN]))
        with InTree(api, Policy("u", {"exempt": {"users": ["admin"]}}), probe=False):
            settled(lambda: api.request("POST", path, made, headers=somebody, dryRun="All").status == 403)
            assert api.create(made, dryRun="All").status == 201

    @pytest.mark.parametrize(("mode", "status", "warned"), [("warn", 201, {"GPU301"}), ("audit", 201, set())])
    def test_a_milder_mode_admits(self, api, mode, status, warned):
        with InTree(api, Policy(mode, {"mode": mode}), probe=mode == "warn") as running:
            answer = running.create(pod(container(env=[SHOWN])))
        assert (answer.status, rules_in(answer.warnings)) == (status, warned)

    def test_each_policy_judges_its_namespaces(self, api, namespace):
        team = Policy("team", {"match": {"namespaces": [namespace]}, "rules": {"GPU301": "off"}})
        with InTree(api, Policy("rest"), before=[team]) as running:
            assert running.create(pod(container(env=[SHOWN]))).status == 403
            assert api.create(pod(container(env=[SHOWN])), namespace, dryRun="All").status == 201

    def test_an_older_version_gets_what_it_serves(self, api):
        for obj in policies.objects([loader.load("strict")], "old", (1, 30)):
            path = f"{ROOT}/{PLURAL[obj['kind']]}"
            answer = api.request("POST", path, obj, dryRun="All")
            assert answer.status == 201, answer

    def test_no_expression_has_a_type_that_warns(self, api):
        """The API server checks the expressions against the types of a Pod, and notes what it finds in the status."""
        with InTree(api, loader.load("default")) as running:
            for obj in running.objects:
                if obj["kind"] == "ValidatingAdmissionPolicy":
                    found = api.get(f"{ROOT}/{PLURAL[obj['kind']]}/{obj['metadata']['name']}").object
                    assert not found.get("status", {}).get("typeChecking", {}).get("expressionWarnings"), found[
                        "status"
                    ]
