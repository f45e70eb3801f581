"""The matchConditions on a real API server: who reaches the webhook, who does not, and what that may cost."""

import copy
import itertools
import json
import random

import disorder
import fast_yaml
import large_pods
import pytest
from e2e.objects import define
from e2e.webhooks import PATHS, PROBE, Recorder, options, pod, registered, settled
from webhook_server import free_port

from gpu_admission import rules
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations
from gpu_admission.rules import gpu_markers
from gpu_admission.webhook.review.handler import Decider

pytestmark = pytest.mark.e2e

_NAMES = itertools.count(1)


def container(**fields):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {},
        "spec": {"containers": [{"name": "c", "image": "i", **fields}]},
    }


def with_metadata(**fields):
    return {**pod(), "metadata": fields}


def env(*names):
    return container(env=[{"name": name, "value": "x"} for name in names])


def env_from(prefix=None):
    source = {"configMapRef": {"name": "m", "optional": True}}
    return container(envFrom=[source if prefix is None else {**source, "prefix": prefix}])


def host_path(path):
    return pod(volumes=[{"name": "v", "hostPath": {"path": path}}])


def mount(path, source="hostPath", **fields):
    made = container(volumeMounts=[{"name": "v", "mountPath": path, **fields}])
    made["spec"]["volumes"] = [{"name": "v", source: {"path": "/opt/nvidia"} if source == "hostPath" else {}}]
    return made


def many(count, make):
    return [make(number) for number in range(count)]


# What this finds in a pod that has no GPU and nothing else of one (docker.sock, the node's root) is ordinary life and no
# reason to be asked: the linter says it.
ORDINARY_LIFE = {"GPU304"}

ONLY_IN_STRICT = dict.fromkeys(("unprefixed envFrom", "envFrom with an empty prefix"), "GPU310") | {
    "tolerates GPUs": "GPU206"
}

BIG = "x" * 900_000
NULLS = dict.fromkeys(("initContainers", "ephemeralContainers", "volumes", "resourceClaims", "tolerations", "runtimeClassName", "resources"))  # fmt: skip

ORDINARY = {
    "plain": pod(),
    "no resources": container(resources={}),
    "null resources": container(resources=None, env=None, envFrom=None, volumeMounts=None),
    "null amounts": container(resources={"limits": None, "requests": None, "claims": None}),
    "null everywhere": {**pod(**NULLS), "metadata": {"labels": None, "annotations": None}},
    "cpu and memory": container(resources={"limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}}),
    "other extended resources": pod(resources={"example.com/foo": "1", "rdma/hca": "1", "hugepages-2Mi": "2Mi", "memory": "1Gi", "cpu": 1}),
    "kvm": pod(resources={"devices.kubevirt.io/kvm": "1"}),
    "aliyun's network": pod(resources={"aliyun.com/eni": "1", "tke.cloud.tencent.com/eip": "1", "koordinator.sh/rdma": "1", "vpc.amazonaws.com/efa": "1"}),
    "ordinary variables": env("PATH", "nvidia", "MY_NVIDIA_VISIBLE_DEVICES", "CUDAS", "GPU_COUNT", "HOME", "APP_CUDA_X"),
    "variables that only look like a GPU's": env("NVIDIA_API_KEY", "CUDA_HOME", "CUDA_MPS_PIPE_DIRECTORY", "CGPU_DISABLE", "NVIDIA_DRIVER_CAPABILITIES"),
    "a blinded container": container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]),
    "resources that only look like a GPU's": pod(resources={"google.com/fuse": "1", "x.com/migrations": "1", "nvidia.com/hostdev": "1"}),
    "a claim": pod(resourceClaims=[{"name": "nic", "resourceClaimTemplateName": "nic"}]),
    "unprefixed envFrom": env_from(),
    "envFrom with a prefix": env_from("APP_"),
    "envFrom with an empty prefix": env_from(""),
    "docker.sock": host_path("/var/run/docker.sock"),
    "the whole host": host_path("/"),
    "its devices": host_path("/dev"),
    "other devices": host_path("/dev/fuse"),
    "a mount": mount("/var/run/secrets/x"),
    "an empty volume where lists of cards are": mount("/var/run/nvidia-container-devices/all", "emptyDir"),
    "a sub-path of a driver's libraries": mount("/data", subPath="lib64"),
    "an old image that is blinded": container(env=[{"name": "CUDA_VERSION", "value": "12"}, {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]),
    "tolerates GPUs": pod(tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}, {"operator": "Exists"}]),
    "avoids GPUs": pod(nodeSelector={"nvidia.com/gpu.present": "false"}),
    "another runtime": pod(runtimeClassName="gvisor"),
    "labels and annotations": with_metadata(
        labels={"app": "gpu-fraction", "volcano.sh/queue": "x", "hami.io/other": "x"},
        annotations={"volcano.sh/queue-name": "q", "kubectl.kubernetes.io/last-applied-configuration": "cdi.k8s.io/x", "gpu-fractions": "1"},
    ),
    "privileged": container(securityContext={"privileged": True}),
    "5,000 variables": container(env=many(5000, lambda n: {"name": f"SERVICE_{n}_PORT_8080_TCP_ADDR", "value": "10.0.0.1"})),
    "400 containers": {**pod(), "spec": {"containers": many(400, lambda n: {
        "name": f"c{n}", "image": "i", "env": many(20, lambda m: {"name": f"VARIABLE_{m}", "value": "x"}),
        "resources": {"limits": {"cpu": "1", "memory": "1Gi", "example.com/foo": "1"}}})}},
    "500 annotations": with_metadata(annotations={f"annotations.example.com/some-longer-name-{n}": "x" for n in range(500)}),
    "500 labels": with_metadata(labels={f"labels.example.com/some-longer-name-{n}": "x" for n in range(500)}),
    "500 volumes": pod(volumes=many(500, lambda n: {"name": f"v{n}", "hostPath": {"path": f"/var/lib/some/longer/path/{n}"}})),
    "a large value": container(env=[{"name": "BIG", "value": BIG}]),
}  # fmt: skip

TOUCHING = {
    "whole GPUs": pod(resources={"nvidia.com/gpu": "1"}),
    "another vendor's": pod(resources={"amd.com/gpu": "1"}),
    "MIG": pod(resources={"nvidia.com/mig-1g.10gb": "1"}),
    "memory shares": pod(resources={"aliyun.com/gpu-mem": "8"}),
    "vgpu of Volcano": pod(resources={"volcano.sh/vgpu-number": "1"}),
    "Ascend": pod(resources={"huawei.com/Ascend910": "1"}),
    "Neuron": pod(resources={"aws.amazon.com/neuroncore": "1"}),
    "TPU": pod(resources={"google.com/tpu": "4"}),
    "portable": pod(resources={"gpu-admission.io/gpu-mem": "8"}),
    "wrong case": pod(resources={"nvidia.com/GPU": "1"}),
    "typo": pod(resources={"nvidia.com/gpus": "1"}),
    "no domain": pod(resources={"nvidia": "1"}),
    "a profile without its domain": pod(resources={"mig-1g.10gb": "1"}),
    "a misspelt domain": pod(resources={"habana.al/gaudi": "1"}),
    "a misspelt name": pod(resources={"huawei.com/Acsend910": "1"}),
    "zero": pod(resources={"nvidia.com/gpu": "0"}),
    "init container": {**pod(), "spec": {**pod()["spec"], "initContainers": [{"name": "i", "image": "i", "resources": {"limits": PROBE}}]}},
    "visible devices": env("NVIDIA_VISIBLE_DEVICES"),
    "the last of many variables": env(*[f"V{n}" for n in range(2000)], "AMD_VISIBLE_DEVICES"),
    "MPS beside the node's memory": {**env("CUDA_MPS_PIPE_DIRECTORY"), "spec": {**env("CUDA_MPS_PIPE_DIRECTORY")["spec"], "hostIPC": True}},
    "a mistyped toleration": pod(tolerations=[{"key": "nvidia/gpu", "operator": "Exists"}]),
    "device node in another root": host_path("/proc/self/root/dev/nvidia0"),
    "device node by the node's first process": host_path("/proc/1/cwd/./dev/nvidia0"),
    "device list by a way up": mount("/data/../var/run/nvidia-container-devices/all"),
    "device list in another root": mount("/proc/1/root/run/nvidia-container-devices/all"),
    "a device by a sub-path": mount("/data", subPath="dev/nvidia0"),
    "a sub-path that depends on a variable": mount("/data", subPathExpr="dev/$(NAME)"),
    "an old image": env("CUDA_VERSION"),
    "one of a family of lists": env("HABANA_VISIBLE_DEVICES_X"),
    "envFrom that completes": env_from("NVIDIA_VISIBLE_"),
    "envFrom that begins": env_from("NV"),
    "device node": host_path("/dev/nvidia0"),
    "another spelling": host_path("//dev/./nvidiactl"),
    "render device": host_path("/dev/dri/renderD128"),
    "CDI folder": host_path("/var/run/cdi"),
    "device list by mount": mount("/var/run/nvidia-container-devices/all"),
    "runtime class": pod(runtimeClassName="nvidia"),
    "CDI": with_metadata(annotations={"cdi.k8s.io/x": "nvidia.com/gpu=0"}),
    "CDI below a domain": with_metadata(annotations={"nvidia.cdi.k8s.io/x": "nvidia.com/gpu=0"}),
    "devices by NRI": with_metadata(annotations={"devices.gke.io/container.x": "- path: /dev/nvidia0"}),
    "CDI by NRI": with_metadata(annotations={"cdi-devices.noderesource.dev/pod": "- nvidia.com/gpu=0"}),
    "KAI's share": with_metadata(annotations={"gpu-fraction": "0.5"}),
    "KAI's share for one container": with_metadata(annotations={"nvidia.com/container.c.gpu-memory.request": "4Gi"}),
    "spoofed": with_metadata(annotations={"hami.io/vgpu-node": "n"}),
    "opted out": with_metadata(labels={"hami.io/webhook": "ignore"}),
    "GPU in a large pod": container(env=[{"name": "BIG", "value": BIG}], resources={"limits": PROBE}),
}  # fmt: skip


def named(obj):
    made = copy.deepcopy(obj)
    made.setdefault("metadata", {})["name"] = f"m{next(_NAMES)}"
    return made


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    with Recorder(tmp_path_factory.mktemp("recorder")) as running:
        yield running


@pytest.fixture(scope="module")
def runtime_classes(api):
    """Pods that name one which does not exist are refused before any webhook is called."""
    for name in (*sorted(gpu_markers.NVIDIA_RUNTIME_CLASSES), "gvisor"):
        made = api.create(
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}, None
        )
        assert made.status in {201, 409}, made


@pytest.fixture(scope="module", params=["default", "strict"])
def recorded(request, api, recorder, runtime_classes):
    """All requests under one policy go to the recorder; (policy, ask), ask returns the webhooks called for an object."""
    policy = loader.load(request.param)
    with registered(
        api,
        webhook_configurations.configurations(policy, options(f"recorded-{policy.name}", recorder.url, recorder.ca)),
    ):

        def ask(obj, namespace="default"):
            del recorder.seen[:]
            answer = api.create(named(obj), namespace, dryRun="All")
            return answer, [path for path, _, _ in recorder.seen]

        settled(lambda: set(ask(pod(resources=PROBE))[1]) == {"/mutate", "/validate"})
        yield policy, ask


@pytest.fixture(scope="class")
def down(api, recorder, runtime_classes):
    """The configurations of the default policy, without a server."""
    url = f"https://127.0.0.1:{free_port()}"
    with registered(
        api, webhook_configurations.configurations(loader.load("default"), options("down", url, recorder.ca))
    ):
        settled(lambda: api.create(named(pod(resources=PROBE)), dryRun="All").status == 500)
        yield api


class TestWhileTheWebhookIsUp:
    @pytest.mark.parametrize("case", ORDINARY)
    def test_ordinary_pods_never_reach_it(self, recorded, case):
        policy, ask = recorded
        if policy.is_enabled(rules.BY_ID[ONLY_IN_STRICT.get(case, "GPU206")]) and case in ONLY_IN_STRICT:
            pytest.skip("this policy has a rule on it")
        answer, called = ask(ORDINARY[case])
        assert (answer.status, called) == (201, []), answer

    @pytest.mark.parametrize("case", TOUCHING)
    def test_what_touches_gpus_does(self, recorded, case):
        answer, called = recorded[1](TOUCHING[case])
        assert called, answer  # by /mutate as well, where there is something to repair

    def test_what_every_rule_finds(self, recorded):
        policy, ask = recorded
        missed = []
        for rule in rules.ALL:
            if not policy.is_enabled(rule):
                continue
            for obj in fast_yaml.load_all(rule.bad):
                if obj["kind"] == "Pod" and findings(obj, policy) - ORDINARY_LIFE:
                    answer, called = ask(obj)
                    missed += [(rule.id, obj, answer)] * (not called and answer.status in {201, 422})
        assert missed == []

    def test_whatever_a_rule_finds_in_a_random_pod(self, recorded):
        policy, ask = recorded
        rng = random.Random(20260)
        judged = 0
        for _ in range(400):
            obj = disorder.pod(rng, 0.7)
            obj["metadata"] = {**(obj.get("metadata") or {}), "namespace": "default"}
            found = findings(obj, policy) - ORDINARY_LIFE
            answer, called = ask(obj)
            if found and answer.status == 201:  # the API server refuses others before they would be validated
                judged += 1
                assert called, (found, obj, answer)
        assert judged > 20

    def test_what_markers_name(self, recorded):
        _, ask = recorded
        loud = [name for name, switch in gpu_markers.SWITCHES.items() if switch.severity != "info"]
        for name in (*gpu_markers.DEVICE_LISTS, *loud):
            assert ask(env(name))[1], name
        for pattern in gpu_markers.DEVICE_PATHS:
            for path in (
                pattern.replace("*", "x"),
                "/var" + pattern.replace("*", "x") if pattern.startswith("/run") else pattern.replace("*", ""),
            ):
                assert ask(host_path(path))[1], path
        for key in (*gpu_markers.KAI_REQUESTS, *gpu_markers.TRUSTED_ANNOTATIONS):
            assert ask(with_metadata(annotations={key.replace("*", "x"): "x"}))[1], key
        for key in (*gpu_markers.TRUSTED_LABELS, *(key for key, _, _ in gpu_markers.OPT_OUT_LABELS)):
            assert ask(with_metadata(labels={key.replace("*", "x"): "ignore"}))[1], key

    @pytest.mark.parametrize("case", large_pods.LARGE)
    def test_large_pods_are_not_refused_for_what_the_conditions_cost(self, recorded, case):
        """They stay within the API server's budget, or are let through where they are too many to look at."""
        answer, _ = recorded[1](large_pods.LARGE[case])
        assert "budget" not in answer.message, answer
        assert "cost" not in answer.message, answer
        assert answer.status in {201, 413, 422}, answer  # some are more than the API server takes anyway


def findings(obj, policy):
    """The rules that speak, or repair, when this pod is created; by the decision itself."""
    decide = Decider(lambda _: policy)
    request = {
        "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
        "namespace": "default", "object": obj,
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    found = set()
    for endpoint in ("mutate", "validate"):
        record = decide(json.dumps(review).encode(), endpoint).record
        found |= {rule for rule, _ in record.get("rules", ())} | set(record.get("applied", ()))
    return found


class TestWhileTheWebhookIsDown:
    @pytest.mark.parametrize("case", ORDINARY)
    def test_ordinary_pods_are_created(self, down, namespace, case):
        answer = down.create(named(ORDINARY[case]), namespace)
        assert answer.status == 201, answer

    @pytest.mark.parametrize("case", TOUCHING)
    def test_what_touches_gpus_is_refused(self, down, case):
        answer = down.create(named(TOUCHING[case]))
        assert answer.refused
        if answer.status != 422:  # some the API server refuses by itself, in its own words
            assert "failed calling webhook" in answer.message

    def test_workloads_and_quotas_never_wait(self, down, namespace):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod(resources=PROBE)["spec"]}
        common = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        job = copy.deepcopy(template)
        job["spec"]["restartPolicy"] = "Never"
        objects = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": common},
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {**common, "serviceName": "s"}},
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": common},
            {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": job}},
            {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": job}}}},
            {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"requests.nvidia.com/gpu": "4"}}},
        ]  # fmt: skip
        for obj in objects:
            answer = down.create(named({**obj, "metadata": {}}), namespace)
            assert answer.status == 201, (obj["kind"], answer)

    def test_a_custom_resource_never_waits(self, down, namespace):
        define(down, "kubeflow.org", "PyTorchJob")
        template = {"spec": pod(resources=PROBE)["spec"]}
        job = {"metadata": {"name": "j"}, "spec": {"pytorchReplicaSpecs": {"Master": {"template": template}}}}
        job |= {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}
        answer = down.create(job, namespace)
        assert answer.status == 201, answer

    def test_exempt_namespaces_do_not_wait(self, down):
        answer = down.create(named(pod(resources=PROBE)), "kube-system", dryRun="All")
        assert answer.status == 201, answer


def test_a_pod_from_before_can_still_be_let_go(api, recorder, namespace):
    """Finalizers, deletion, status: what controllers and kubelets do to pods that run already."""
    old = pod("old", PROBE)
    old["metadata"]["finalizers"] = ["example.com/wait"]
    assert api.create(old, namespace).status == 201
    path = f"/api/v1/namespaces/{namespace}/pods/old"
    url = f"https://127.0.0.1:{free_port()}"
    with registered(
        api, webhook_configurations.configurations(loader.load("strict"), options("later", url, recorder.ca))
    ):
        settled(lambda: api.create(pod("x", PROBE), namespace, dryRun="All").status == 500)
        status = api.patch(f"{path}/status", {"status": {"phase": "Failed"}})
        assert status.status == 200, status
        assert api.delete(path, gracePeriodSeconds=0).status == 200
        assert api.patch(path, {"metadata": {"labels": {"a": "b"}}}).status == 200
        labelled = api.patch(path, {"metadata": {"labels": {"hami.io/webhook": "ignore"}}})
        assert "failed calling webhook" in labelled.message  # what rules judge did change
        freed = api.patch(path, {"metadata": {"finalizers": None}})
        assert freed.status == 200, freed
        assert api.get(path).status == 404


def test_every_pod_where_a_policy_blinds_every_pod(api, recorder):
    spec = {"visibleDevices": {"everyPod": True}}
    policy = Policy("every", spec)
    with registered(api, webhook_configurations.configurations(policy, options("every", recorder.url, recorder.ca))):

        def called():
            del recorder.seen[:]
            api.create(named(pod()), dryRun="All")
            return {path for path, _, _ in recorder.seen}

        settled(lambda: called() == {"/mutate", "/validate"})


def test_the_configurations_are_taken_as_they_are(api, recorder):
    """Nothing in them is defaulted away, pruned, or warned about."""
    for obj in webhook_configurations.configurations(loader.load("strict"), options("asis", recorder.url, recorder.ca)):
        answer = api.create(obj, None, dryRun="All", fieldValidation="Strict")
        assert (answer.status, answer.warnings) == (201, [])
        for sent, kept in zip(obj["webhooks"], answer.object["webhooks"], strict=True):
            for field in set(sent) - {"clientConfig", "namespaceSelector"}:
                assert kept[field] == sent[field]
    assert PATHS
