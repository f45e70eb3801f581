"""A HAMi cluster."""

import json

from .objects import UUID, UUID2, node, pod

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
                            "id": UUID,
                            "count": 10,
                            "devmem": 81920,
                            "devcore": 100,
                            "type": "NVIDIA-NVIDIA A100-SXM4-80GB",
                            "mode": "hami-core",
                            "health": True,
                        },
                        {
                            "id": UUID2,
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
            annotations={"hami.io/node-nvidia-register": f"{UUID},10,24576,100,NVIDIA-A10,0,true:"},
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
                "hami.io/vgpu-devices-allocated": f"{UUID},NVIDIA,16384,30:;",
                "hami.io/vgpu-devices-to-allocate": ";",
            },
        ),
        pod(
            "b",
            "hami-1",
            {"nvidia.com/gpu": "2", "nvidia.com/gpumem": "20480"},
            annotations={"hami.io/vgpu-devices-allocated": f"{UUID},NVIDIA,20480,0:{UUID2},NVIDIA,20480,0:;"},
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
