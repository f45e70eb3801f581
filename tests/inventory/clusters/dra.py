"""A cluster of dynamic resource allocation."""

from .objects import node, pod


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
