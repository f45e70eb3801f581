"""A cluster of Volcano's vGPU."""

from .objects import UUID, UUID2, node, pod

VOLCANO_VGPU = {
    "nodes": [
        node(
            "vol-1",
            {"volcano.sh/vgpu-number": "20", "volcano.sh/vgpu-memory": "65536", "volcano.sh/vgpu-cores": "200"},
            annotations={
                "volcano.sh/node-vgpu-handshake": "Requesting_2026.11.26 03:00:00",
                "volcano.sh/node-vgpu-register": f"{UUID},10,32768,NVIDIA-Tesla V100-SXM2-32GB,true,hami-core:{UUID2},10,32768,NVIDIA-Tesla V100-SXM2-32GB,true,hami-core:",
            },
        )
    ],
    "pods": [
        pod(
            "a",
            "vol-1",
            {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "8192", "volcano.sh/vgpu-cores": "30"},
            annotations={"volcano.sh/vgpu-ids-new": f"{UUID},NVIDIA,8192,30:", "volcano.sh/vgpu-node": "vol-1"},
        ),
        pod(
            "b",
            "vol-1",
            {"volcano.sh/vgpu-number": "2", "volcano.sh/vgpu-memory": "10240"},
            annotations={"volcano.sh/vgpu-ids-new": f"{UUID},NVIDIA,10240,0:{UUID2},NVIDIA,10240,0:"},
            namespace="team-b",
        ),
        pod("c", None, {"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "24576"}),
    ],
}
