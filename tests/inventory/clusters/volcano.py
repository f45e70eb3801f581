"""A cluster of Volcano's older sharing."""

from .objects import node, pod

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
