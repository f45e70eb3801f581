"""A gpushare cluster."""

from .objects import node, pod

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
