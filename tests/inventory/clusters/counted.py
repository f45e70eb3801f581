"""Whole devices, time-slicing, MPS and MIG."""

from .objects import node, pod

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
