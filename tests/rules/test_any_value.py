"""Any value in any place: no rule fails over a value that it does not expect.

Rules are called directly, without the triggers that exclude most objects, because triggers may change.
"""

import fast_yaml
import pytest

import policies
from gpu_admission import rules
from gpu_admission.core.raw import is_one_of
from gpu_admission.workloads import workload
from rules.strange import places, replaced

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

VALUES = ([], {}, [[]], [{}], {"a": 1}, {"name": []}, 1, 1.5, True, None, "", "x")
POLICIES = [policy for policy in policies.ALL if policy.name in {"all-on", "default"}]

CONTAINER = {
    "name": "c",
    "image": "example.com/c:1",
    "restartPolicy": "Always",
    "resources": {
        "limits": {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "8192"},
        "requests": {"nvidia.com/gpu": "1"},
        "claims": [{"name": "gpu"}],
    },
    "env": [
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "$(X)"},
        {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
        {"name": "CUDA_MPS_PIPE_DIRECTORY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a']"}}},
    ],
    "envFrom": [{"prefix": "NVIDIA_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}],
    "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]}},
    "volumeMounts": [{"name": "v", "mountPath": "/var/run/nvidia-container-devices/0"}],
}
EVERYTHING = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "uid": "u",
        "ownerReferences": [{"kind": "Job", "name": "j"}],
        "annotations": {"gpu-memory": "4096", "cdi.k8s.io/x": "nvidia.com/gpu=all", "hami.io/vgpu-node": "n"},
        "labels": {"kai.scheduler/queue": "q", "hami.io/webhook": "ignore"},
    },
    "spec": {
        "containers": [CONTAINER],
        "initContainers": [CONTAINER],
        "ephemeralContainers": [CONTAINER],
        "volumes": [{"name": "v", "hostPath": {"path": "/dev/nvidia0", "type": "File"}}],
        "tolerations": [{"key": "nvidia/gpu", "operator": "Exists", "value": "x", "effect": "NoSchedule"}],
        "nodeName": "n",
        "nodeSelector": {"nvidia.com/gpu": "1"},
        "schedulerName": "volcano",
        "runtimeClassName": "nvidia",
        "hostPID": True,
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}},
    },
    "status": {"phase": "Running"},
}
EACH = 6  # of the values each place has one in six; the next holder, and the next place, has others
HOLDERS = [
    EVERYTHING,
    {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": EVERYTHING, "strategy": {"type": "x"}}},
    {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {"template": EVERYTHING}},
    {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "spec": {"predictor": EVERYTHING["spec"]}},
]


def ask(rule, made, policy):
    for origin in ("file", "admission"):
        for view in workload.read(made, policy, origin):
            for problem in rule.check(view, policy):
                assert isinstance(problem.message, str)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_its_own_examples_with_anything_anywhere(rule, policy):
    for text in (rule.bad, rule.good):
        for obj in fast_yaml.load_all(text):
            for place in places(obj):
                for value in VALUES:
                    ask(rule, replaced(obj, place, value), policy)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda obj: obj["kind"])
def test_every_rule_on_all_that_rules_read_with_anything_anywhere(holder):
    policy = POLICIES[-1]
    turn = HOLDERS.index(holder)
    for number, place in enumerate(places(holder)):
        for value in VALUES[(number + turn) % EACH :: EACH]:
            made = replaced(holder, place, value)
            for origin in ("file", "admission"):
                for view in workload.read(made, policy, origin):
                    for rule in rules.ALL:
                        list(rule.check(view, policy))


@pytest.mark.parametrize("rule", [rule for rule in rules.ALL if rule.compare], ids=lambda rule: rule.id)
def test_every_rule_that_compares_with_anything_anywhere(rule):
    policy = POLICIES[-1]
    (good,) = workload.read(EVERYTHING, policy, "admission")
    for place in places(EVERYTHING):
        for value in VALUES:
            for odd in workload.read(replaced(EVERYTHING, place, value), policy, "admission"):
                list(rule.compare(odd, good, policy))
                list(rule.compare(good, odd, policy))


@pytest.mark.parametrize("value", VALUES)
def test_is_one_of(value):
    assert is_one_of(value, frozenset({"x"})) is (value == "x")
    assert is_one_of(value, {"x": 1}) is (value == "x")
