"""One portable request under every shipped policy: what the API server stores of it, and refuses."""

import pytest

from gpu_admission.policyfile import loader

pytestmark = pytest.mark.e2e

# 8Gi of GPU memory in each backend's own words: resources, and what else must stand in the pod.
ARRIVES = {
    "default": ({"nvidia.com/gpu": "1"}, {"nodeName": None, "schedulerName": "default-scheduler"}),
    "strict": ({"nvidia.com/gpu": "1"}, {"schedulerName": "default-scheduler"}),
    "guardrails": ({"nvidia.com/gpu": "1"}, {"schedulerName": "default-scheduler"}),
    "any": ({"gpu-admission.io/gpu-mem": "8Gi"}, {"schedulerName": "default-scheduler"}),  # left for the cluster
    "dra": ({}, {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]}),
    "gpushare": ({"aliyun.com/gpu-mem": "8"}, {}),
    "hami": ({"nvidia.com/gpu": "1", "nvidia.com/gpumem": "8192"}, {"schedulerName": "hami-scheduler"}),
    "kai": ({}, {"schedulerName": "kai-scheduler"}),
    "koordinator": (
        {"koordinator.sh/gpu-memory": "8Gi", "koordinator.sh/gpu.shared": "1"},
        {"schedulerName": "koord-scheduler"},
    ),
    "mig": ({"nvidia.com/mig-1g.10gb": "1"}, {}),
    "mps": ({"nvidia.com/gpu": "1"}, {}),
    "time-slicing": ({"nvidia.com/gpu": "1"}, {}),
    "volcano": ({"volcano.sh/gpu-memory": "8192"}, {"schedulerName": "volcano"}),
    "volcano-vgpu": (
        {"volcano.sh/vgpu-memory": "8192", "volcano.sh/vgpu-number": "1"},
        {"schedulerName": "volcano"},
    ),
}
SERVER_SIDE = ("uid", "resourceVersion", "managedFields", "creationTimestamp", "generation")


def pod(resources, name="p", **more):
    container = {"name": "train", "image": "example.com/train:1", "resources": resources, **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


def portable(amount="8Gi"):
    return pod({"limits": {"gpu-admission.io/gpu-mem": amount}})


def test_every_shipped_policy_is_here():
    assert sorted(ARRIVES) == sorted(loader.shipped())


@pytest.mark.parametrize("policy", ARRIVES)
def test_a_portable_pod_arrives_as_the_backend_wants_it(api, server, namespace, policy):
    resources, fields = ARRIVES[policy]
    with server.registered(api, policy):
        made = api.create(portable(), namespace)
        assert made.status == 201, made
        spec = made.object["spec"]
        given = spec["containers"][0]["resources"]
        assert (given.get("limits", {}), given.get("requests", {})) == (resources, resources)
        assert {field: spec.get(field) for field in fields} == fields
        if policy == "kai":
            assert made.object["metadata"]["annotations"] == {"gpu-memory": "8192"}
            assert "labels" not in made.object["metadata"]  # the policy names no queue: KAI takes its default
        # What is right already stays as it is, whichever way it comes again.
        metadata = {key: value for key, value in made.object["metadata"].items() if key not in SERVER_SIDE}
        again = api.create({**made.object, "metadata": {**metadata, "name": "again"}}, namespace)
        assert again.status == 201, again
        assert again.object["spec"] == spec
        refused = api.create(portable("-8Gi"), namespace, dryRun="All")
        assert refused.status == 403
        assert "GPU004 " in refused.message
