"""A Koordinator cluster."""

import json

from .objects import node, pod


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
