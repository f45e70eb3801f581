"""A KAI cluster."""

from .objects import UUID, node, pod

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
            annotations={"run.ai/reserve_for_gpu_index": UUID},
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
