"""Clusters as the backends' own components write them: nodes, pods and what else there is, and the numbers known.

The values of annotations are in the formats of the sources that the readers name; identities are made up.
"""

import json

from gpu_admission.inventory.collector import Collector

GIB = 2**30
MIB = 2**20


def node(name, resources=None, *, labels=None, annotations=None, **spec):
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "110", **(resources or {})}
    return {
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
        "spec": spec,
        "status": {
            "capacity": amounts,
            "allocatable": dict(amounts),
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": f"10.0.0.{len(name)}"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name, where=None, limits=None, *, annotations=None, labels=None, namespace="team-a", message="", **spec):
    resources = {"limits": dict(limits or {}), "requests": dict(limits or {})} if limits else {}
    container = {"name": "main", "image": "example.com/train:1", "resources": resources}
    conditions = [{"type": "PodScheduled", "status": "False", "message": message}] if message else []
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}, "labels": labels or {}},
        "spec": {"containers": [container], **({"nodeName": where} if where else {}), **spec},
        "status": {"phase": "Running" if where else "Pending", "conditions": conditions},
    }


def collected(cluster, policy=None):
    """The inventory of a cluster: a mapping of lists of raw objects."""
    collector = Collector(policy)
    for kind, add in (
        ("classes", collector.add_class),
        ("slices", collector.add_slice),
        ("devices", collector.add_device),
        ("nodes", collector.add_node),
        ("claims", collector.add_claim),
        ("pods", collector.add_pod),
    ):
        for each in cluster.get(kind, ()):
            add(json.loads(json.dumps(each)))
    return collector.finish()


def pool_of(inventory, name, backend=None):
    """The one pool of a node (of a backend)."""
    found = [pool for at, pool in inventory.pools() if at.name == name and (backend is None or pool.backend == backend)]
    assert len(found) == 1, [(pool.backend, pool.resource) for pool in found]
    return found[0]


GPUSHARE = {
    "nodes": [
        node("cn-1", {"aliyun.com/gpu-mem": "30", "aliyun.com/gpu-count": "2"}),
        node("cn-2", {"aliyun.com/gpu-mem": "15", "aliyun.com/gpu-count": "1"}),
        node("cpu-1"),
    ],
    "pods": [
        pod(
            "a",
            "cn-1",
            {"aliyun.com/gpu-mem": "6"},
            annotations={"ALIYUN_COM_GPU_MEM_IDX": "1", "ALIYUN_COM_GPU_MEM_POD": "6", "ALIYUN_COM_GPU_MEM_DEV": "15"},
        ),
        pod(
            "b",
            "cn-1",
            {"aliyun.com/gpu-mem": "4"},
            annotations={"scheduler.framework.gpushare.allocation": '{"0":{"0":3,"1":1}}'},
            namespace="team-b",
        ),
        pod("c", "cn-2", {"aliyun.com/gpu-mem": "2"}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "-1"}),
        pod(
            "d",
            None,
            {"aliyun.com/gpu-mem": "14"},
            message="0/3 nodes are available: 2 Insufficient GPU Memory in one device.",
        ),
        pod("web", "cn-1"),
    ],
}

_VGPU = "GPU-11111111-1111-1111-1111-111111111111"
_VGPU2 = "GPU-22222222-2222-2222-2222-222222222222"
VOLCANO_VGPU = {
    "nodes": [
        node(
            "vol-1",
            {"volcano.sh/vgpu-number": "20", "volcano.sh/vgpu-memory": "65536", "volcano.sh/vgpu-cores": "200"},
            annotations={
                "volcano.sh/node-vgpu-handshake": "Requesting_2026.11.26 03:00:00",
                "volcano.sh/node-vgpu-register": f"{_VGPU},10,32768,NVIDIA-Tesla V100-SXM2-32GB,true,hami-core:{_VGPU2},10,32768,NVIDIA-Tesla V100-SXM2-32GB,true,hami-core:",
            },
        )
    ],
    "pods": [
        pod(
            "a",
            "vol-1",
            {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "8192", "volcano.sh/vgpu-cores": "30"},
            annotations={"volcano.sh/vgpu-ids-new": f"{_VGPU},NVIDIA,8192,30:", "volcano.sh/vgpu-node": "vol-1"},
        ),
        pod(
            "b",
            "vol-1",
            {"volcano.sh/vgpu-number": "2", "volcano.sh/vgpu-memory": "10240"},
            annotations={"volcano.sh/vgpu-ids-new": f"{_VGPU},NVIDIA,10240,0:{_VGPU2},NVIDIA,10240,0:"},
            namespace="team-b",
        ),
        pod("c", None, {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "24576"}),
    ],
}

VOLCANO = {
    "nodes": [
        node("old-1", {"volcano.sh/gpu-memory": "65536", "volcano.sh/gpu-number": "2"}),
        node(
            "old-2",
            {"volcano.sh/gpu-memory": "65536", "volcano.sh/gpu-number": "2"},
            annotations={"volcano.sh/gpu-unhealthy-ids": "1"},
        ),
    ],
    "pods": [
        pod(
            "a",
            "old-1",
            {"volcano.sh/gpu-memory": "8192"},
            annotations={"volcano.sh/gpu-index": "0", "volcano.sh/predicate-time": "1764126000000000000"},
        ),
        pod("b", "old-1", {"volcano.sh/gpu-number": "1"}, annotations={"volcano.sh/gpu-index": "1"}),
        pod("c", "old-2", {"volcano.sh/gpu-memory": "4096"}),
    ],
}

HAMI = {
    "nodes": [
        node(
            "hami-1",
            {"nvidia.com/gpu": "20"},
            annotations={
                "hami.io/node-handshake": "Requesting_2026-11-26 03:00:00",
                "hami.io/node-nvidia-register": json.dumps(
                    [
                        {
                            "id": _VGPU,
                            "count": 10,
                            "devmem": 81920,
                            "devcore": 100,
                            "type": "NVIDIA-NVIDIA A100-SXM4-80GB",
                            "mode": "hami-core",
                            "health": True,
                        },
                        {
                            "id": _VGPU2,
                            "index": 1,
                            "count": 10,
                            "devmem": 81920,
                            "devcore": 100,
                            "type": "NVIDIA-NVIDIA A100-SXM4-80GB",
                            "numa": 1,
                            "mode": "hami-core",
                            "health": True,
                        },
                    ],
                    separators=(",", ":"),
                ),
            },
        ),
        node(
            "hami-2",
            {"nvidia.com/gpu": "10"},
            annotations={"hami.io/node-nvidia-register": f"{_VGPU},10,24576,100,NVIDIA-A10,0,true:"},
        ),
        node(
            "dcu-1",
            {"hygon.com/dcunum": "4"},
            annotations={"hami.io/node-dcu-register": "DCU-0,4,16384,60,DCU,0,true:"},
        ),
    ],
    "pods": [
        pod(
            "a",
            "hami-1",
            {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "16384", "nvidia.com/gpucores": "30"},
            annotations={
                "hami.io/vgpu-node": "hami-1",
                "hami.io/bind-phase": "success",
                "hami.io/vgpu-devices-allocated": f"{_VGPU},NVIDIA,16384,30:;",
                "hami.io/vgpu-devices-to-allocate": ";",
            },
        ),
        pod(
            "b",
            "hami-1",
            {"nvidia.com/gpu": "2", "nvidia.com/gpumem": "20480"},
            annotations={"hami.io/vgpu-devices-allocated": f"{_VGPU},NVIDIA,20480,0:{_VGPU2},NVIDIA,20480,0:;"},
            namespace="team-b",
        ),
        pod("nodename", "hami-1", {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "1000"}),
        pod(
            "dcu",
            "dcu-1",
            {"hygon.com/dcunum": "1", "hygon.com/dcumem": "2048"},
            annotations={"hami.io/dcu-devices-allocated": "DCU-0,DCU,2048,15:;"},
        ),
        pod("wait", None, {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "70000"}),
    ],
}

_RESERVATION = {"app": "kai-resource-reservation", "runai-gpu-group": "g-1"}
KAI = {
    "nodes": [
        node(
            "kai-1",
            {"nvidia.com/gpu": "4"},
            labels={
                "nvidia.com/gpu.memory": "81559",
                "nvidia.com/gpu.count": "4",
                "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
            },
        ),
    ],
    "pods": [
        pod(
            "gpu-reservation-0123456789abcdef",
            "kai-1",
            {"nvidia.com/gpu": "1"},
            labels=_RESERVATION,
            annotations={"run.ai/reserve_for_gpu_index": _VGPU},
            namespace="kai-resource-reservation",
        ),
        pod(
            "half",
            "kai-1",
            labels={"runai-gpu-group": "g-1"},
            annotations={"gpu-fraction": "0.5", "received-resource-type": "Fraction"},
            schedulerName="kai-scheduler",
        ),
        pod(
            "memory",
            "kai-1",
            labels={"runai-gpu-group": "g-1"},
            annotations={"gpu-memory": "20480"},
            schedulerName="kai-scheduler",
            namespace="team-b",
        ),
        pod("whole", "kai-1", {"nvidia.com/gpu": "2"}, schedulerName="kai-scheduler"),
        pod(
            "wait",
            None,
            annotations={"gpu-fraction": "0.5", "gpu-fraction-num-devices": "2"},
            schedulerName="kai-scheduler",
        ),
    ],
}


def device(name, *cards):
    gpus = [
        {
            "type": "gpu",
            "id": f"GPU-{minor}",
            "minor": minor,
            "health": health,
            "resources": {
                "koordinator.sh/gpu-core": "100",
                "koordinator.sh/gpu-memory": memory,
                "koordinator.sh/gpu-memory-ratio": "100",
            },
        }
        for minor, memory, health in cards
    ]
    rdma = {
        "type": "rdma",
        "id": "0000:09:00.0",
        "minor": 0,
        "health": True,
        "resources": {"koordinator.sh/rdma": "100"},
    }
    return {
        "apiVersion": "scheduling.koordinator.sh/v1alpha1",
        "kind": "Device",
        "metadata": {"name": name},
        "spec": {"devices": [*gpus, rdma]},
    }


def shares(*entries):
    gpu = [
        {
            "minor": minor,
            "resources": {
                "koordinator.sh/gpu-core": str(core),
                "koordinator.sh/gpu-memory": memory,
                "koordinator.sh/gpu-memory-ratio": str(core),
            },
        }
        for minor, core, memory in entries
    ]
    return {"scheduling.koordinator.sh/device-allocated": json.dumps({"gpu": gpu})}


KOORDINATOR = {
    "devices": [device("koord-1", (0, "80Gi", True), (1, "80Gi", True), (2, "80Gi", False))],
    "nodes": [
        node(
            "koord-1",
            {
                "koordinator.sh/gpu": "200",
                "koordinator.sh/gpu-core": "200",
                "koordinator.sh/gpu-memory": "160Gi",
                "koordinator.sh/gpu-memory-ratio": "200",
                "nvidia.com/gpu": "3",
            },
        )
    ],
    "pods": [
        pod(
            "a",
            "koord-1",
            {"koordinator.sh/gpu-core": "50", "koordinator.sh/gpu-memory-ratio": "50"},
            annotations=shares((0, 50, "40Gi")),
        ),
        pod("b", "koord-1", {"nvidia.com/gpu": "1"}, annotations=shares((1, 100, "80Gi"))),
        pod("c", None, {"koordinator.sh/gpu.shared": "1", "koordinator.sh/gpu-memory": "60Gi"}),
    ],
}

COUNTED = {
    "nodes": [
        node(
            "dgx-1",
            {"nvidia.com/gpu": "8"},
            labels={
                "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
                "nvidia.com/gpu.count": "8",
                "nvidia.com/gpu.replicas": "1",
                "nvidia.com/gpu.sharing-strategy": "none",
                "nvidia.com/gpu.memory": "81559",
            },
        ),
        node(
            "slice-1",
            {"nvidia.com/gpu": "8"},
            labels={
                "nvidia.com/gpu.product": "Tesla-T4-SHARED",
                "nvidia.com/gpu.count": "2",
                "nvidia.com/gpu.replicas": "4",
                "nvidia.com/gpu.sharing-strategy": "time-slicing",
            },
        ),
        node(
            "mps-1",
            {"nvidia.com/gpu.shared": "10"},
            labels={
                "nvidia.com/gpu.product": "NVIDIA-L40S",
                "nvidia.com/gpu.count": "1",
                "nvidia.com/gpu.replicas": "10",
                "nvidia.com/gpu.sharing-strategy": "mps",
                "nvidia.com/gpu.memory": "46068",
            },
        ),
        node(
            "mig-1",
            {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "2", "nvidia.com/gpu": "0"},
            labels={
                "nvidia.com/mig.strategy": "mixed",
                "nvidia.com/mig-1g.10gb.count": "7",
                "nvidia.com/mig-1g.10gb.memory": "9984",
                "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
            },
        ),
        node(
            "mig-2",
            {"nvidia.com/gpu": "14"},
            labels={
                "nvidia.com/mig.strategy": "single",
                "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb",
                "nvidia.com/gpu.count": "14",
            },
        ),
        node("amd-1", {"amd.com/gpu": "8"}),
    ],
    "pods": [
        pod("train", "dgx-1", {"nvidia.com/gpu": "6"}),
        pod("note", "slice-1", {"nvidia.com/gpu": "1"}),
        pod("infer", "mps-1", {"nvidia.com/gpu.shared": "1"}),
        pod("part", "mig-1", {"nvidia.com/mig-1g.10gb": "2"}),
        pod("single", "mig-2", {"nvidia.com/gpu": "1"}),
        pod("rocm", "amd-1", {"amd.com/gpu": "2"}, namespace="team-b"),
        {**pod("done", "dgx-1", {"nvidia.com/gpu": "2"}), "status": {"phase": "Succeeded"}},
        pod("wait", None, {"nvidia.com/gpu": "20"}),
    ],
}


def gpu(name, memory="80Gi", **more):
    return {
        "name": name,
        "attributes": {
            "productName": {"string": "NVIDIA H100"},
            "type": {"string": "gpu"},
            "uuid": {"string": f"GPU-{name}"},
        },
        "capacity": {"memory": {"value": memory}},
        **more,
    }


def slice_of(where, devices, driver="gpu.nvidia.com", *, generation=1, counters=None):
    spec = {
        "driver": driver,
        "nodeName": where,
        "pool": {"name": where, "generation": generation, "resourceSliceCount": 1},
        "devices": devices,
    }
    if counters:
        spec["sharedCounters"] = counters
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{where}-{driver}"},
        "spec": spec,
    }


def claim(name, results=(), pods=(), *, namespace="team-a", requests=()):
    status = {}
    if results:
        status = {
            "allocation": {"devices": {"results": list(results)}},
            "reservedFor": [{"resource": "pods", "name": each, "uid": each} for each in pods],
        }
    spec = {
        "devices": {"requests": list(requests) or [{"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com"}}]}
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
        "status": status,
    }


def result(where, name, driver="gpu.nvidia.com", **more):
    return {"request": "gpu", "driver": driver, "pool": where, "device": name, **more}


GPU_CLASS = {
    "metadata": {"name": "gpu.nvidia.com"},
    "spec": {
        "selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}],
        "extendedResourceName": "nvidia.com/gpu",
    },
}
DRA = {
    "classes": [GPU_CLASS],
    "slices": [
        slice_of("dra-1", [gpu("gpu-0"), gpu("gpu-1"), gpu("gpu-2", taints=[{"key": "x", "effect": "NoSchedule"}])]),
        slice_of(
            "dra-2",
            [gpu("gpu-0", allowMultipleAllocations=True), gpu("gpu-1", allowMultipleAllocations=True)],
            "gpu.example.com",
        ),
        slice_of(
            "dra-3",
            [
                gpu("gpu-0", consumesCounters=[{"counterSet": "set-0", "counters": {"memory": {"value": "80Gi"}}}]),
                gpu(
                    "gpu-0-mig-1g-0",
                    "10Gi",
                    consumesCounters=[{"counterSet": "set-0", "counters": {"memory": {"value": "10Gi"}}}],
                ),
                gpu(
                    "gpu-0-mig-1g-1",
                    "10Gi",
                    consumesCounters=[{"counterSet": "set-0", "counters": {"memory": {"value": "10Gi"}}}],
                ),
            ],
            counters=[{"name": "set-0", "counters": {"memory": {"value": "80Gi"}}}],
        ),
    ],
    "nodes": [node("dra-1"), node("dra-2"), node("dra-3")],
    "claims": [
        claim("whole", [result("dra-1", "gpu-0")], ["train", "eval"]),
        claim(
            "part",
            [result("dra-2", "gpu-0", "gpu.example.com", consumedCapacity={"memory": "30Gi"}, shareID="1")],
            ["serve"],
        ),
        claim(
            "none",
            [result("dra-2", "gpu-0", "gpu.example.com", consumedCapacity={"memory": "0"}, shareID="2")],
            ["peek"],
        ),
        claim("slice", [result("dra-3", "gpu-0-mig-1g-1")], ["mig"]),
        claim("admin", [result("dra-1", "gpu-1", adminAccess=True)], ["watch"], namespace="ops"),
        claim("waits", requests=[{"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 2}}]),
    ],
    "pods": [
        pod("train", "dra-1", resourceClaims=[{"name": "gpu", "resourceClaimName": "whole"}]),
        pod("late", None, resourceClaims=[{"name": "gpu", "resourceClaimName": "waits"}]),
        pod("lost", None, resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "gone"}]),
    ],
}

ALL = {
    "gpushare": GPUSHARE, "volcano": VOLCANO, "volcano-vgpu": VOLCANO_VGPU, "hami": HAMI, "kai": KAI,
    "koordinator": KOORDINATOR, "counted": COUNTED, "dra": DRA,
}  # fmt: skip
