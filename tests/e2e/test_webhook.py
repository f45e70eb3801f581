"""The webhook behind a real API server: what users of kubectl see, and what becomes of their pods."""

import json

import pytest
import yaml

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("webhook")]

GPU = "nvidia.com/gpu"
TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


def container(limits=None, requests=None, name="train", **more):
    resources = {side: amounts for side, amounts in (("limits", limits), ("requests", requests)) if amounts}
    return {"name": name, "image": "example.com/train:1", "resources": resources, **more}


def pod(*containers, name="p", **spec):
    spec = {"terminationGracePeriodSeconds": 0, **spec, "containers": list(containers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(template, **spec):
    spec = {"selector": {"matchLabels": {"app": "d"}}, **spec}
    spec["template"] = {"metadata": {"labels": {"app": "d"}}, "spec": template["spec"]}
    spec["template"]["spec"].pop("terminationGracePeriodSeconds", None)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


GOOD = pod(container({GPU: 1}))
HALF = pod(container({GPU: "500m"}))
ONLY_REQUESTED = pod(container(requests={GPU: 1}))


def tolerations(obj):
    """A pod's tolerations but for those that Kubernetes itself adds."""
    return [one for one in obj["spec"]["tolerations"] if not one.get("key", "").startswith("node.kubernetes.io/")]


class TestCreation:
    def test_a_pod_is_repaired(self, api, namespace):
        made = api.create(ONLY_REQUESTED, namespace)
        assert made.status == 201, made
        stored = api.get(f"/api/v1/namespaces/{namespace}/pods/p").object
        assert stored["spec"]["containers"][0]["resources"] == {"limits": {GPU: "1"}, "requests": {GPU: "1"}}
        assert tolerations(stored) == [TOLERATION]

    def test_a_container_without_a_gpu_beside_one_with_is_blinded(self, api, namespace):
        made = api.create(pod(container({GPU: 1}), container(name="log")), namespace)
        train, log = made.object["spec"]["containers"]
        assert "env" not in train
        assert log["env"] == [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]

    def test_a_pod_without_a_gpu_is_left_as_it_is(self, api, namespace):
        plain = api.create(pod(container()), namespace, dryRun="All").object
        assert tolerations(plain) == []
        assert "env" not in plain["spec"]["containers"][0]

    def test_a_name_that_is_still_to_be_made(self, api, namespace):
        nameless = {**ONLY_REQUESTED, "metadata": {"generateName": "train-"}}
        made = api.create(nameless, namespace)
        assert made.status == 201, made
        assert tolerations(made.object) == [TOLERATION]

    def test_a_refusal_says_what_to_write(self, api, namespace):
        refused = api.create(HALF, namespace)
        assert refused.status == 403
        assert refused.object["reason"] == "Forbidden"
        assert 'admission webhook "mutate.gpu-admission.io" denied the request: GPU003 ' in refused.message
        assert f'container "train" sets {GPU}: "500m" in limits' in refused.message
        assert "write a whole number" in refused.message

    def test_every_mistake_is_named_at_once(self, api, namespace):
        bad = pod(container({GPU: "0.5"}), container({GPU: "-1"}, name="other"), hostPID=True)
        message = api.create(bad, namespace).message
        assert "GPU003 " in message
        assert "GPU004 " in message

    def test_what_does_not_decode_never_reaches_us(self, api, namespace):
        assert api.create(pod(container({GPU: "one"})), namespace).status == 400

    def test_exempt_namespaces_are_left_alone(self, api):
        made = api.create({**GOOD, "metadata": {"generateName": "plugin-"}}, "kube-system", dryRun="All")
        assert made.status == 201, made
        assert tolerations(made.object) == []


class TestKubectl:
    def apply(self, cluster, obj, namespace, *flags):
        return cluster.kubectl("create", "-n", namespace, "-f", "-", *flags, stdin=yaml.safe_dump(obj), check=False)

    def test_prints_a_refusal(self, cluster, namespace):
        done = self.apply(cluster, HALF, namespace)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(
            'Error from server (Forbidden): error when creating "STDIN": admission webhook "mutate.gpu-admission.io" '
            f'denied the request: GPU003 container "train" sets {GPU}: "500m" in limits, '
        )
        assert "[/spec/containers/0/resources/limits/nvidia.com~1gpu]" in done.stderr

    def test_prints_warnings(self, cluster, namespace):
        done = self.apply(cluster, deployment(pod(container({"nvidia.com/gpus": 1}))), namespace)
        assert done.returncode == 0
        assert done.stdout == "deployment.apps/d created\n"
        assert done.stderr.startswith('Warning: GPU007 container "train" requests nvidia.com/gpus: ')
        assert done.stderr.count("\n") == 1

    def test_dry_run_shows_the_pod_as_it_would_be(self, cluster, api, namespace):
        done = self.apply(cluster, ONLY_REQUESTED, namespace, "--dry-run=server", "-o", "json")
        shown = json.loads(done.stdout)
        assert shown["spec"]["containers"][0]["resources"]["limits"] == {GPU: "1"}
        assert api.get(f"/api/v1/namespaces/{namespace}/pods/p").status == 404

    def test_dry_run_refuses_what_would_be_refused(self, cluster, namespace):
        assert "GPU003" in self.apply(cluster, HALF, namespace, "--dry-run=server").stderr


class TestTemplates:
    def test_a_template_is_warned_of_and_its_pods_are_refused(self, api, namespace):
        made = api.create(deployment(pod(container({"nvidia.com/gpus": 1}))), namespace)
        assert made.status == 201
        assert [warning[:7] for warning in made.warnings] == ["GPU007 "]

    def test_a_template_that_no_pod_could_come_of_is_refused(self, api, namespace):
        grasping = pod(container({GPU: 1}), volumes=[{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}])
        refused = api.create(deployment(grasping), namespace)
        assert refused.status == 403
        assert "templates.gpu-admission.io" in refused.message
        assert "/spec/template/spec/volumes/0/hostPath/path" in refused.message

    def test_a_template_is_not_mutated(self, api, namespace):
        made = api.create(deployment(pod(container({GPU: 1}))), namespace)
        spec = made.object["spec"]["template"]["spec"]
        assert "tolerations" not in spec
        assert "requests" not in spec["containers"][0]["resources"]


class TestEphemeralContainers:
    def debug(self, api, namespace, **more):
        api.create(GOOD, namespace)
        one = {"name": "debug", "image": "example.com/debug:1", "targetContainerName": "train", **more}
        path = f"/api/v1/namespaces/{namespace}/pods/p/ephemeralcontainers"
        return api.patch(path, {"spec": {"ephemeralContainers": [one]}}, "strategic-merge")

    def test_one_that_shows_itself_every_card_is_refused(self, api, namespace):
        refused = self.debug(api, namespace, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])
        assert refused.status == 403
        assert "GPU301 " in refused.message
        assert 'ephemeral container "debug"' in refused.message

    def test_an_ordinary_one_is_let_through(self, api, namespace):
        added = self.debug(api, namespace)
        assert added.status == 200, added
        assert added.object["spec"]["ephemeralContainers"][0]["name"] == "debug"


class TestBlinding:
    """A pod that could see cards by what its variables may come to runs, and sees none."""

    @pytest.mark.parametrize(
        "fields",
        [
            {"env": [{"name": "CUDA_VERSION", "value": "9.0"}]},
            {"envFrom": [{"prefix": "NVIDIA_", "configMapRef": {"name": "mine"}}]},
        ],
        ids=["an old image", "a prefix"],
    )
    def test_it_is_told_to_see_none(self, api, namespace, fields):
        made = api.create(pod(container(**fields)), namespace)
        assert made.status == 201, made
        events = {each["name"]: each.get("value") for each in made.object["spec"]["containers"][0]["env"]}
        assert events["NVIDIA_VISIBLE_DEVICES"] == "void"


class TestNeverAnOutage:
    def test_ordinary_pods_are_created_while_we_are_down(self, api, webhook, namespace):
        webhook.stop()
        try:
            assert api.create(pod(container({"cpu": "1"})), namespace).status == 201
            refused = api.create(pod(container({GPU: 1}), name="gpu"), namespace)
            assert refused.status == 500
            assert 'failed calling webhook "pods.gpu-admission.io"' in refused.message
        finally:
            webhook.start()
        assert api.create(pod(container({GPU: 1}), name="later"), namespace).status == 201
