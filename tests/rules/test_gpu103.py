"""GPU103: requests that cannot be combined."""

import pytest

from rules.table import Found, Row, container, pod, verify

MEM = "gpu-admission.io/gpu-mem"
VGPU = {"backend": {"name": "volcano-vgpu"}}


def limits(said, **fields):
    return container(gpu=said, **fields)


def mixed(name, *words, index=0):
    return (Found(f"/spec/containers/{index}/resources/limits/{name.replace('/', '~1')}", "error", words),)


ROWS = [
    Row(
        "portable and native",
        pod(limits({MEM: "8Gi", "volcano.sh/vgpu-memory": 4096})),
        mixed("volcano.sh/vgpu-memory", "in the names of two systems", "keep one of the two"),
        VGPU,
    ),
    Row(
        "portable and a whole GPU",
        pod(limits({MEM: "8Gi", "nvidia.com/gpu": 1})),
        mixed("nvidia.com/gpu", "requested twice"),
        VGPU,
    ),
    Row(
        "two systems that agree",
        pod(limits({"aliyun.com/gpu-mem": 8, "volcano.sh/gpu-memory": 8192})),
        mixed("volcano.sh/gpu-memory", "requested twice"),
        VGPU,
    ),
    Row(
        "Volcano's two plugins",
        pod(limits({"volcano.sh/gpu-memory": 8192, "volcano.sh/vgpu-number": 1})),
        mixed("volcano.sh/vgpu-number", "requested twice"),
        {"backend": {"name": "volcano"}},
    ),
    Row(
        "a whole GPU and a MIG device",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/mig-1g.10gb": 1})),
        mixed("nvidia.com/mig-1g.10gb", "never two of them"),
    ),
    Row(
        "a whole GPU and a share",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpu.shared": 1})),
        mixed("nvidia.com/gpu.shared", "never two of them"),
    ),
    Row(
        "two vendors in a container",
        pod(limits({"nvidia.com/gpu": 1, "amd.com/gpu": 1})),
        mixed("amd.com/gpu", "two vendors (amd and nvidia)"),
    ),
    Row(
        "two vendors in a pod, one of them shared",
        pod(
            limits({MEM: "8Gi"}),
            limits({"amd.com/gpu": 1}, name="b"),
            limits({"nvidia.com/gpumem": 3000, "nvidia.com/gpu": 1}, name="c"),
        ),
        mixed("nvidia.com/gpu", "no node offers both", index=2),
        {"backend": {"name": "hami"}},
    ),
    *(
        Row(
            f"two vendors in a pod, one of them in the portable names: {name}",
            pod(limits({"amd.com/gpu": 1}), limits({MEM: "8Gi"}, name="b")),
            mixed(MEM, "two vendors (amd and nvidia)", index=1),
            {"backend": {"name": name}},
        )
        for name in ("hami", "volcano-vgpu", "koordinator")
    ),
    Row(
        "one request in the words of two systems",
        pod(limits({"nvidia.com/gpumem": 3000, "gpu-admission.io/gpu-core": 20})),
        mixed("gpu-admission.io/gpu-core", "one request in the names of two systems"),
        {"backend": {"name": "hami"}},
    ),
    Row(
        "whole GPUs beside a share of gpushare",
        pod(limits({"aliyun.com/gpu-mem": 3}), container("b", gpu=1)),
        mixed("nvidia.com/gpu", "no node offers both", index=1),
        {"backend": {"name": "gpushare"}},
    ),
    Row(
        "HAMi's words belong together",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 3000})),
        (),
        {"backend": {"name": "hami"}},
    ),
    Row("zero of the other", pod(limits({"nvidia.com/gpu": 1, "amd.com/gpu": 0}))),
    Row("two vendors in two containers, whole", pod(container("a", gpu=1), limits({"amd.com/gpu": 1}, name="b"))),
    Row(
        "a helper resource of the same vendor", pod(limits({"gpu.intel.com/i915": 1, "gpu.intel.com/millicores": 100}))
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_mixed_sharing(row):
    verify("GPU103", row)
