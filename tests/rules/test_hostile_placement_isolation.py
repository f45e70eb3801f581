"""The rules of 2xx and 3xx on objects whose every part has been replaced by something that does not belong there."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.strange import variants, verify

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

# Claims and guardrails have such tests of their own (test_claims.py, test_claim_objects.py, test_guardrails.py).
RULES = frozenset(rule.id for rule in rules.ALL if rule.id[:4] in {"GPU2", "GPU3"} or rule.id == "GPU507")
POLICY = Policy(
    "hostile",
    {
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "runtimeClassName": "nvidia",
        "visibleDevices": {"gpuLess": "void", "served": "x"},
        "backend": {"name": "mps"},
    },
).selecting(RULES)

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "annotations": {"cdi.k8s.io/x": "a", "gpu-memory": "1", "hami.io/vgpu-node": "n"},
        "labels": {"hami.io/webhook": "ignore"},
        "ownerReferences": [{"kind": "ReplicaSet"}],
    },
    "spec": {
        "nodeName": "n",
        "hostIPC": True,
        "schedulerName": "volcano",
        "runtimeClassName": "nvidia",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "nvidia/gpu", "operator": "Equal", "value": "x", "effect": "NoSchedule"}],
        "volumes": [{"name": "v", "hostPath": {"path": "/dev/nvidia0", "type": ""}}],
        "initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}],
        "containers": [
            {
                "name": "c",
                "image": "c",
                "env": [
                    {"name": "A", "value": "all"},
                    {"name": "NVIDIA_VISIBLE_DEVICES", "value": "$(A)"},
                    {"name": "LD_PRELOAD", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
                    {"name": "AMD_VISIBLE_DEVICES", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "envFrom": [{"prefix": "NVIDIA_", "secretRef": {"name": "s"}}],
                "resources": {"limits": {"nvidia.com/gpu": 1}, "requests": {"nvidia.com/gpu": 1}},
                "securityContext": {"privileged": True, "capabilities": {"add": ["ALL"]}},
                "volumeMounts": [{"name": "v", "mountPath": "/run/nvidia-container-devices/0"}],
            }
        ],
    },
}


def template(api_version, kind):
    spec = {"replicas": 1, "strategy": {"rollingUpdate": {"maxSurge": 1}}, "template": {**POD, "kind": "x"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": POD["metadata"], "spec": spec}


OBJECTS = [POD, template("apps/v1", "Deployment"), template("serving.knative.dev/v1", "Service")]


CASES = [(POD, "file"), (POD, "admission"), *((obj, "file") for obj in OBJECTS[1:])]


@pytest.mark.parametrize(("obj", "origin"), CASES, ids=lambda case: case if isinstance(case, str) else case["kind"])
def test_strange_parts_are_passed_over(obj, origin):
    engine = Engine(rules.ALL, POLICY)
    for made in variants(obj, range(3)):
        verify(engine, made, origin, unsafe=True, consent=True)


def test_the_object_trips_every_rule_that_it_can():
    found = {finding.rule for obj in OBJECTS for finding in Engine(rules.ALL, POLICY).validate(obj)}
    # They need a backend with a scheduler of its own, a pod without a GPU, a nodeSelector, or an envFrom bare.
    assert RULES - found == {"GPU202", "GPU204", "GPU206", "GPU209", "GPU310", "GPU507"}
