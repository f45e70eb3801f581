"""``gpu-admission inspect`` on a real cluster, a backend a test: the numbers are those of what was allocated.

What the real scheduler can allocate it allocates (devices, units, claims of dynamic resource allocation); what a
backend's own scheduler or plugin would write is written as they write it, and where that scheduler binds pods itself
they are bound by the same call.
"""

import json
import re
import time

import pytest
from e2e.test_scheduling import bound
from e2e.webhooks import settled
from inventory.clusters import device, gpu, slice_of

from gpu_admission.commands.main import main

pytestmark = [pytest.mark.e2e]
pytest.importorskip("kubernetes")
GIB, MIB = 2**30, 2**20
VGPU = [f"GPU-{number}1111111-1111-1111-1111-111111111111" for number in range(4)]


@pytest.fixture
def cluster_of(scheduling):
    """Makes nodes, which go with the test."""
    made = []

    def make(name, resources=None, *, labels=None, annotations=None):
        labels = {"kubernetes.io/hostname": name, **(labels or {})}
        metadata = {"name": name, "labels": labels, "annotations": annotations or {}}
        # Pods of others stay away, and pods of a test tolerate it.
        spec = {"taints": [{"key": "inspect", "effect": "NoSchedule"}]}
        answer = scheduling.api.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}, None)
        assert answer.status == 201, answer
        made.append(name)
        room = {"cpu": "64", "memory": "256Gi", "pods": "110", **(resources or {})}
        ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
        addresses = [{"type": "InternalIP", "address": "10.1.2.3"}]
        status = {"capacity": room, "allocatable": room, "conditions": [ready], "addresses": addresses}
        assert scheduling.api.patch(f"/api/v1/nodes/{name}/status", {"status": status}).status == 200
        settled(lambda: len(scheduling.api.get(f"/api/v1/nodes/{name}").object["spec"]["taints"]) == 1)  # not not-ready
        return name

    yield make
    for name in made:
        scheduling.api.delete(f"/api/v1/nodes/{name}")


@pytest.fixture
def inspect(scheduling, capsys):
    def run(*argv):
        capsys.readouterr()
        code = main(["inspect", "--kubeconfig", str(scheduling.kubeconfig), "-f", "json", *argv])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def create(scheduling, namespace):
    """Makes pods of the test's namespace; with ``bind`` on a node, as another scheduler's binder does it."""

    def make(name, limits=None, *, annotations=None, labels=None, bind=None, **spec):
        resources = {"limits": limits} if limits else {}
        container = {"name": "main", "image": "example.com/train:1", "resources": resources}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": annotations or {}, "labels": labels or {}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "tolerations": [{"key": "inspect", "operator": "Exists"}],
                "containers": [container],
                **spec,
            },
        }
        answer = scheduling.api.create(body, namespace)
        assert answer.status == 201, answer
        if bind:
            target = {"apiVersion": "v1", "kind": "Node", "name": bind}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
            assert scheduling.api.request("POST", path, binding).status == 201
        return name

    return make


def annotate(cluster, namespace, name, **metadata):
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    assert cluster.api.patch(path, {"metadata": metadata}).status == 200


def pool(data, name, backend):
    (node,) = [each for each in data["nodes"] if each["name"] == name]
    (found,) = [each for each in node["pools"] if each["backend"] == backend]
    return found


def cards(found):
    return {card["key"]: card["usedMemory"] for card in found["cards"]}


def holders(found):
    placed = [held for card in found["cards"] for held in card["holders"]]
    return sorted({name for held in [*placed, *found["unplaced"]] for name in held["pods"]})


def reason(data, name):
    (found,) = [each for each in data["waiting"] if each["name"] == name]
    return found["reason"]


def unschedulable(cluster, namespace, name):
    """Wait until the scheduler has given a pod up; its words."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}").object
        for condition in found["status"].get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("message"):
                return condition["message"]
        time.sleep(0.1)
    raise AssertionError(found["status"])


def test_whole_devices(scheduling, namespace, cluster_of, create, inspect):
    for name in ("whole-1", "whole-2"):
        cluster_of(name, {"nvidia.com/gpu": "8"}, labels={"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"})
    for number in range(2):
        create(f"p{number}", {"nvidia.com/gpu": "6"})
    bound(scheduling, namespace, 2)
    create("wait", {"nvidia.com/gpu": "4"})
    arguments = unschedulable(scheduling, namespace, "wait")
    data = inspect()
    for name in ("whole-1", "whole-2"):
        found = pool(data, name, "exclusive")
        assert (found["allocated"], found["total"], found["free"]) == (6, 8, 2)
    (waiting,) = [each for each in data["waiting"] if each["name"] == "wait"]
    assert waiting["reason"] == (
        "needs 4 nvidia.com/gpu on one node; the most free on one node is 2 (whole-1); 4 free in all"
    )
    assert waiting["scheduler"] == arguments
    assert [each["name"] for each in inspect("whole-2")["nodes"]] == ["whole-2"]


@pytest.mark.parametrize(
    ("strategy", "resource"), [("time-slicing", "nvidia.com/gpu"), ("mps", "nvidia.com/gpu.shared")]
)
def test_replicas(scheduling, namespace, cluster_of, create, inspect, strategy, resource):
    labels = {"nvidia.com/gpu.sharing-strategy": strategy, "nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.count": "2"}
    cluster_of("shared-1", {resource: "8"}, labels=labels)
    for number in range(3):
        create(f"p{number}", {resource: "1"})
    bound(scheduling, namespace, 3)
    found = pool(inspect(), "shared-1", strategy)
    assert (found["allocated"], found["total"], found["sharesPerCard"]) == (3, 8, 4)
    assert holders(found) == ["p0", "p1", "p2"]


def test_mig_devices(scheduling, namespace, cluster_of, create, inspect):
    cluster_of("mig-1", {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "1"})
    create("p", {"nvidia.com/mig-1g.10gb": "2"})
    bound(scheduling, namespace)
    (node,) = [each for each in inspect()["nodes"] if each["name"] == "mig-1"]
    found = {each["resource"]: (each["allocated"], each["total"]) for each in node["pools"]}
    assert found == {"nvidia.com/mig-1g.10gb": (2, 7), "nvidia.com/mig-3g.40gb": (0, 1)}


def test_gpushare(scheduling, namespace, cluster_of, create, inspect, capsys):
    cluster_of("share-1", {"aliyun.com/gpu-mem": "30", "aliyun.com/gpu-count": "2"})
    create("a", {"aliyun.com/gpu-mem": "6"})
    create("b", {"aliyun.com/gpu-mem": "3"})
    bound(scheduling, namespace, 2)
    stamp = {"ALIYUN_COM_GPU_MEM_ASSIGNED": "false", "ALIYUN_COM_GPU_MEM_ASSUME_TIME": "1764126000000000000"}
    annotate(scheduling, namespace, "a", annotations={**stamp, "ALIYUN_COM_GPU_MEM_IDX": "1"})
    found = pool(inspect(), "share-1", "gpushare")
    assert cards(found) == {"0": 0, "1": 6 * GIB}
    assert [held["pods"] for held in found["unplaced"]] == [["b"]]
    assert found["allocated"] == 9 * GIB
    assert main(["inspect", "share-1", "--kubeconfig", str(scheduling.kubeconfig)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "NAME", "IPADDRESS", "GPU0(Allocated/Total)", "GPU1(Allocated/Total)", "PENDING(Allocated)", "GPU", "Memory(GiB)",
    ]  # fmt: skip
    assert lines[1].split() == ["share-1", "10.1.2.3", "0/15", "6/15", "3", "9/30"]
    assert lines[4].strip() == "9/30 (30%)"


def test_volcano(scheduling, namespace, cluster_of, create, inspect):
    cluster_of("volcano-1", {"volcano.sh/gpu-memory": "65536", "volcano.sh/gpu-number": "2"})
    limits = {"volcano.sh/gpu-memory": "8192"}
    create("a", limits, annotations={"volcano.sh/gpu-index": "1"}, schedulerName="volcano", bind="volcano-1")
    create("wait", {"volcano.sh/gpu-memory": "30000"}, schedulerName="volcano")
    create("large", {"volcano.sh/gpu-memory": "40000"}, schedulerName="volcano")
    data = inspect()
    assert cards(pool(data, "volcano-1", "volcano")) == {"0": 0, "1": 8192 * MIB}
    assert reason(data, "wait").startswith("there is room: 32Gi free on one card of volcano-1")
    assert "the largest card has 32Gi: it would stay Pending forever" in reason(data, "large")


def test_volcano_vgpu(scheduling, namespace, cluster_of, create, inspect):
    register = "".join(f"{uuid},10,32768,NVIDIA-Tesla V100-SXM2-32GB,true,hami-core:" for uuid in VGPU[:2])
    offers = {"volcano.sh/vgpu-number": "20", "volcano.sh/vgpu-memory": "65536", "volcano.sh/vgpu-cores": "200"}
    cluster_of("vgpu-1", offers, annotations={"volcano.sh/node-vgpu-register": register})
    limits = {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "10240", "volcano.sh/vgpu-cores": "50"}
    record = {"volcano.sh/vgpu-ids-new": f"{VGPU[1]},NVIDIA,10240,50:", "volcano.sh/vgpu-node": "vgpu-1"}
    create("a", limits, annotations=record, schedulerName="volcano", bind="vgpu-1")
    found = pool(inspect(), "vgpu-1", "volcano-vgpu")
    assert cards(found) == {VGPU[0]: 0, VGPU[1]: 10240 * MIB}
    assert [(card["usedCores"], card["usedSlots"]) for card in found["cards"]] == [(0, 0), (50, 1)]


def test_hami(scheduling, namespace, cluster_of, create, inspect):
    entry = {"count": 10, "devmem": 81920, "devcore": 100, "type": "NVIDIA-A100", "mode": "hami-core", "health": True}
    register = json.dumps([{"id": VGPU[0], **entry}, {"id": VGPU[1], "index": 1, **entry}])
    cluster_of("hami-1", {"nvidia.com/gpu": "20"}, annotations={"hami.io/node-nvidia-register": register})
    limits = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "16384"}
    record = {"hami.io/vgpu-node": "hami-1", "hami.io/vgpu-devices-allocated": f"{VGPU[0]},NVIDIA,16384,0:;"}
    create("a", limits, annotations=record, schedulerName="hami-scheduler", bind="hami-1")
    create("stray", {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "1000"}, nodeName="hami-1")
    data = inspect()
    found = pool(data, "hami-1", "hami")
    assert cards(found) == {VGPU[0]: 16384 * MIB, VGPU[1]: 0}
    assert [held["pods"] for held in found["unplaced"]] == [["stray"]]
    (uncounted,) = [each for each in data["uncounted"] if each["namespace"] == namespace]
    assert (uncounted["name"], uncounted["rule"]) == ("stray", "GPU203")


def test_kai(scheduling, namespace, cluster_of, create, inspect):
    cluster_of("kai-1", {"nvidia.com/gpu": "4"}, labels={"nvidia.com/gpu.memory": "40960"})
    group = {"runai-gpu-group": "g-1"}
    uuid = {"run.ai/reserve_for_gpu_index": VGPU[0]}
    create(
        "gpu-reservation-0123456789abcdef", {"nvidia.com/gpu": "1"}, labels=group, annotations=uuid, nodeName="kai-1"
    )
    kai = {"schedulerName": "kai-scheduler", "bind": "kai-1"}
    create("half", labels=group, annotations={"gpu-fraction": "0.5"}, **kai)
    create("part", labels=group, annotations={"gpu-memory": "4096"}, **kai)
    create("whole", {"nvidia.com/gpu": "2"}, **kai)
    found = pool(inspect(), "kai-1", "kai")
    assert (found["allocated"], found["total"], found["free"]) == (3, 4, 1)
    (card,) = found["cards"]
    assert (card["uuid"], card["usedMemory"]) == (VGPU[0], (40900 // 2 + 4096) * MIB)
    assert holders(found) == ["half", "part", "whole"]


@pytest.fixture
def devices(scheduling):
    """Koordinator's own kind, and objects of it that go with the test."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"kind": "Device", "plural": "devices", "singular": "device", "listKind": "DeviceList"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "devices.scheduling.koordinator.sh"},
        "spec": {"group": "scheduling.koordinator.sh", "scope": "Cluster", "names": names, "versions": [version]},
    }
    path = "/apis/scheduling.koordinator.sh/v1alpha1/devices"
    assert scheduling.api.create(definition, None).status in {201, 409}
    settled(lambda: scheduling.api.get(path).status == 200)
    made = []

    def make(body):
        assert scheduling.api.create(body, None).status == 201
        made.append(body["metadata"]["name"])

    yield make
    for name in made:
        scheduling.api.delete(f"{path}/{name}")


def test_koordinator(scheduling, namespace, cluster_of, create, inspect, devices):
    devices(device("koord-1", (0, "80Gi", True), (1, "80Gi", True)))
    cluster_of("koord-1", {"koordinator.sh/gpu-core": "200", "koordinator.sh/gpu-memory": "160Gi"})
    share = {
        "koordinator.sh/gpu-core": "50",
        "koordinator.sh/gpu-memory": "40Gi",
        "koordinator.sh/gpu-memory-ratio": "50",
    }
    record = {"scheduling.koordinator.sh/device-allocated": json.dumps({"gpu": [{"minor": 1, "resources": share}]})}
    limits = {"koordinator.sh/gpu-core": "50", "koordinator.sh/gpu-memory": "40Gi"}
    create("a", limits, annotations=record, schedulerName="koord-scheduler", bind="koord-1")
    found = pool(inspect(), "koord-1", "koordinator")
    assert cards(found) == {"0": 0, "1": 40 * GIB}
    assert (found["total"], found["free"]) == (160 * GIB, 120 * GIB)


@pytest.fixture
def objects(scheduling, namespace):
    """Makes objects of dynamic resource allocation, which go with the test."""
    made = []

    def make(kind, name, spec, space=None):
        body = {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        answer = scheduling.api.create(body, space)
        assert answer.status == 201, answer
        made.append((kind, answer.object["metadata"]))

    yield make
    for kind, metadata in made:
        plural = re.sub("s$", "se", kind.lower()) + "s"
        if "namespace" not in metadata:
            scheduling.api.delete(f"/apis/resource.k8s.io/v1/{plural}/{metadata['name']}")


def use(create, pod, claim):
    """A pod whose container uses a claim."""
    container = {"name": "main", "image": "i", "resources": {"claims": [{"name": "gpu"}]}}
    create(pod, containers=[container], resourceClaims=[{"name": "gpu", "resourceClaimName": claim}])


def request(**exactly):
    return {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com", **exactly}}]}}


NVIDIA = {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}]}


def test_dra_devices(scheduling, namespace, cluster_of, create, inspect, objects):
    cluster_of("dra-1")
    objects("DeviceClass", "gpu.nvidia.com", NVIDIA)
    objects("ResourceSlice", "dra-1", slice_of("dra-1", [gpu("gpu-0"), gpu("gpu-1")])["spec"])
    objects("ResourceClaim", "one", request(), namespace)
    objects("ResourceClaim", "two", request(count=2), namespace)
    use(create, "a", "one")
    use(create, "b", "one")
    bound(scheduling, namespace, 2)
    use(create, "wait", "two")
    unschedulable(scheduling, namespace, "wait")
    data = inspect()
    found = pool(data, "dra-1", "dra")
    assert (found["allocated"], found["total"], found["free"]) == (1, 2, 1)
    assert holders(found) == ["a", "b"]
    assert reason(data, "wait") == "needs 2 gpu.nvidia.com on one node; the most free on one node is 1 (dra-1)"


def test_dra_consumed_capacity(scheduling, namespace, cluster_of, create, inspect, objects):
    cluster_of("dra-1")
    several = {"allowMultipleAllocations": True, "capacity": {"memory": {"value": "80Gi", "requestPolicy": {"default": "80Gi", "validRange": {"min": "1Gi"}}}}}  # fmt: skip
    objects("DeviceClass", "gpu.nvidia.com", NVIDIA)
    objects("ResourceSlice", "dra-1", slice_of("dra-1", [gpu("gpu-0", **several)])["spec"])
    for number in range(3):
        objects("ResourceClaim", f"c{number}", request(capacity={"requests": {"memory": "30Gi"}}), namespace)
        use(create, f"p{number}", f"c{number}")
        if number < 2:
            bound(scheduling, namespace, number + 1)
    unschedulable(scheduling, namespace, "p2")
    data = inspect()
    found = pool(data, "dra-1", "dra")
    assert cards(found) == {"gpu-0": 60 * GIB}
    assert holders(found) == ["p0", "p1"]
    assert (
        reason(data, "p2") == "needs 30Gi on one card; the largest free piece is 20Gi (dra-1, gpu-0); 20Gi free in all"
    )


def test_dra_partitions(scheduling, namespace, cluster_of, create, inspect, objects):
    cluster_of("dra-1")

    def part(name, memory):
        taken = [{"counterSet": "set-0", "counters": {"memory": {"value": memory}}}]
        return gpu(name, memory, consumesCounters=taken)

    counters = [{"name": "set-0", "counters": {"memory": {"value": "80Gi"}}}]
    both = slice_of("dra-1", [part("gpu-0", "80Gi"), part("mig-0", "10Gi"), part("mig-1", "10Gi")])["spec"]
    both["pool"]["resourceSliceCount"] = 2
    objects("DeviceClass", "gpu.nvidia.com", NVIDIA)
    objects("ResourceSlice", "dra-1-devices", both)
    objects("ResourceSlice", "dra-1-counters", {**{key: both[key] for key in ("driver", "nodeName", "pool")}, "sharedCounters": counters})  # fmt: skip
    small = {"selectors": [{"cel": {"expression": "device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('20Gi')) < 0"}}]}  # fmt: skip
    objects("ResourceClaim", "part", request(**small), namespace)
    use(create, "a", "part")
    bound(scheduling, namespace)
    found = pool(inspect(), "dra-1", "dra")
    assert (found["total"], found["allocated"], found["free"]) == (80 * GIB, 10 * GIB, 70 * GIB)


def test_an_extended_resource_that_a_class_gives(scheduling, namespace, cluster_of, create, inspect, objects):
    cluster_of("dra-1")
    objects("DeviceClass", "gpu.nvidia.com", {**NVIDIA, "extendedResourceName": "nvidia.com/gpu"})
    objects("ResourceSlice", "dra-1", slice_of("dra-1", [gpu("gpu-0"), gpu("gpu-1")])["spec"])
    create("a", {"nvidia.com/gpu": "1"})
    bound(scheduling, namespace)
    create("wait", {"nvidia.com/gpu": "2"})
    unschedulable(scheduling, namespace, "wait")
    data = inspect()
    found = pool(data, "dra-1", "dra")
    assert (found["allocated"], found["total"], holders(found)) == (1, 2, ["a"])
    assert not [each for each in data["uncounted"] if each["namespace"] == namespace]
    assert reason(data, "wait") == "needs 2 gpu.nvidia.com on one node; the most free on one node is 1 (dra-1)"


def test_pods_that_nobody_counts(scheduling, namespace, cluster_of, create, inspect):
    cluster_of("whole-1", {"nvidia.com/gpu": "8"})
    container = {"name": "main", "image": "i"}
    variable = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    create("variable", containers=[{**container, "env": variable}], nodeName="whole-1")
    create("privileged", containers=[{**container, "securityContext": {"privileged": True}}], nodeName="whole-1")
    mount = [{"name": "d", "mountPath": "/d"}]
    volumes = [{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}]
    create("device", containers=[{**container, "volumeMounts": mount}], volumes=volumes, nodeName="whole-1")
    create("ordinary", nodeName="whole-1")
    found = {
        each["name"]: (each["rule"], each["certain"])
        for each in inspect()["uncounted"]
        if each["namespace"] == namespace
    }
    assert found == {"variable": ("GPU301", True), "device": ("GPU304", True), "privileged": ("GPU507", False)}


def test_who_may_list_nothing_is_told_so(scheduling, capsys):
    path = scheduling._kubeconfig("user")
    assert main(["inspect", "--kubeconfig", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "nodes" in err
