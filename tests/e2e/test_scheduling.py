"""From the webhook to a tainted GPU node: the scheduler binds what we let through, however it was written."""

import time
from collections import Counter

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("webhook")]

GPU = "nvidia.com/gpu"
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "gpu-0", "labels": {"kubernetes.io/hostname": "gpu-0"}},
    "spec": {"taints": [TAINT]},
}
SPELLINGS = (
    [],
    [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
    [{"key": GPU, "operator": "Exists"}],
    [{"operator": "Exists"}],
    [{"operator": "Exists", "effect": "NoSchedule"}],
    [{"key": GPU, "operator": "Equal", "value": "present", "effect": "NoSchedule"}],
    [{"key": GPU, "value": "present", "effect": "NoSchedule"}],
    [{"key": GPU, "value": "present"}],
    [{"key": "example.com/other", "operator": "Exists"}],
    [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
    [{"key": GPU, "operator": "Exists", "effect": "NoExecute"}],
)


@pytest.fixture(scope="module", autouse=True)
def node(scheduling):
    """A ready node with a taint and 64 GPUs, without a kubelet."""
    api = scheduling.api
    # A controller may have made a pod just as its namespace went: that is deleted in a moment.
    deadline = time.monotonic() + 30
    while (remaining := asking(api)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not remaining, f"pods of other tests would take the node's GPUs; so many, by namespace: {dict(remaining)}"
    assert api.create(NODE, None).status == 201
    room = {"cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti", GPU: "64"}
    ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    assert api.patch("/api/v1/nodes/gpu-0/status", {"status": status}).status == 200
    yield
    api.delete("/api/v1/nodes/gpu-0")


def pod(tolerations=None, **metadata):
    container = {"name": "train", "image": "example.com/train:1", "resources": {"limits": {GPU: 1}}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    if tolerations is not None:
        spec["tolerations"] = tolerations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata or {"name": "p"}, "spec": spec}


def asking(api):
    """How many pods request GPUs, by namespace."""
    pods = api.get("/api/v1/pods").object["items"]
    return Counter(
        one["metadata"]["namespace"]
        for one in pods
        if any(GPU in each["resources"].get("limits", {}) for each in one["spec"]["containers"])
    )


def bound(cluster, namespace, count=1, seconds=60):
    """The pods of a namespace, once so many are bound."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not cluster.ended():
        pods = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods").object["items"]
        if sum(bool(one["spec"].get("nodeName")) for one in pods) >= count:
            return pods
        time.sleep(0.1)
    raise AssertionError(unbound(cluster, namespace, count))


def unbound(cluster, namespace, count):
    """All that may say why pods are not bound: those who would bind them, the pods, who has the node."""
    pods = cluster.api.get("/api/v1/pods").object["items"]
    ours = {one["metadata"]["name"]: one["status"] for one in pods if one["metadata"]["namespace"] == namespace}
    holders = Counter(one["metadata"]["namespace"] for one in pods if one["spec"].get("nodeName"))
    return "\n".join((
        f"{count} of the pods of {namespace} should be bound: {ours}",
        f"pods with a node, by namespace: {dict(holders)}; ended by themselves: {cluster.ended()}",
        *(f"{name}:\n{cluster.log(name)}" for name in ("kube-scheduler", "kube-controller-manager")),
    ))  # fmt: skip


@pytest.mark.parametrize("given", SPELLINGS, ids=str)
def test_every_spelling_of_a_toleration_merges(scheduling, api, namespace, given):
    made = api.create(pod(given), namespace)
    assert made.status == 201, made
    found = made.object["spec"]["tolerations"]
    assert [one for one in given if one not in found] == []
    ours = [one for one in found if one.get("key") == GPU and one not in given]
    assert len(ours) <= 1
    assert [one["spec"]["nodeName"] for one in bound(scheduling, namespace)] == ["gpu-0"]


def test_what_was_tolerated_gets_nothing(api, namespace):
    for number, given in enumerate(SPELLINGS[1:8]):
        found = api.create(pod(given, name=f"p{number}"), namespace, dryRun="All").object["spec"]["tolerations"]
        assert [one for one in found if not one.get("key", "").startswith("node.kubernetes.io/")] == given


def test_the_pods_of_a_deployment_are_repaired_and_bound(scheduling, api, namespace):
    template = {"metadata": {"labels": {"app": "d"}}, "spec": pod()["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    made = api.create(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}, namespace
    )
    assert made.status == 201, made
    for one in bound(scheduling, namespace, 2):
        assert one["metadata"]["generateName"].startswith("d-")
        assert {"key": GPU, "operator": "Exists", "effect": "NoSchedule"} in one["spec"]["tolerations"]
        assert one["spec"]["nodeName"] == "gpu-0"


def test_the_pod_of_a_job_is_repaired_and_bound(scheduling, api, namespace):
    spec = {"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}}
    made = api.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}, namespace)
    assert made.status == 201, made
    assert [one["spec"]["nodeName"] for one in bound(scheduling, namespace)] == ["gpu-0"]


def test_a_pod_without_a_gpu_stays_off_the_gpu_node(scheduling, api, namespace):
    plain = pod()
    plain["spec"]["containers"][0]["resources"] = {}
    api.create(plain, namespace)
    api.create(pod(name="gpu"), namespace)
    by_name = {one["metadata"]["name"]: one["spec"].get("nodeName") for one in bound(scheduling, namespace)}
    assert by_name == {"p": None, "gpu": "gpu-0"}
