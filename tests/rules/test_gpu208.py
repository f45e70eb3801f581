"""GPU208: keys that resemble a GPU taint, and keys that only seem to."""

import pytest

from rules.table import Found, Row, container, pod, template, verify


def tolerating(*keys):
    return pod(container(), tolerations=[{"key": key, "operator": "Exists"} for key in keys])


def slip(key, meant="nvidia.com/gpu", policy=None):
    found = Found("/spec/tolerations/0/key", "warning", (f'"{key}"', f"did you mean {meant}?"), "unsafe")
    return Row(f"{key} for {meant}", tolerating(key), (found,), policy or {}, tolerating(meant))


ROWS = [
    slip("nvidia/gpu"),
    slip("nvidia.com/GPU"),
    slip("Nvidia.com/gpu"),
    slip("nvidia.com/gpus"),
    slip("nvidia.com.gpu"),
    slip("nvidia.com-gpu"),
    slip("nvidia.com_gpu"),
    slip("nvida.com/gpu"),
    slip("nvidia.con/gpu"),
    slip("nvdiia.com/gpu"),
    slip("nvidiaa.com/gpu"),
    slip("nvidia.com/gp"),
    slip("nvidia.com/gup"),
    slip("amd/gpu", "amd.com/gpu"),
    slip("amd.com/gpus", "amd.com/gpu"),
    slip("google/tpu", "google.com/tpu"),
    slip("habana.ai/guadi", "habana.ai/gaudi"),
    slip("aws.amazon.com/neurom", "aws.amazon.com/neuron"),
    slip("example/accelerator", "example.com/accelerator", {"tolerations": [{"key": "example.com/accelerator"}]}),
    Row(
        "the second of two, in a template",
        template("Deployment", container(), tolerations=[{"key": "nvidia.com/gpu"}, {"key": "nvidia/gpu"}]),
        (Found("/spec/template/spec/tolerations/1/key", "warning", ("nvidia/gpu",), "unsafe"),),
        {},
        template("Deployment", container(), tolerations=[{"key": "nvidia.com/gpu"}, {"key": "nvidia.com/gpu"}]),
    ),
    *(
        Row(f"{key} is left alone", tolerating(key))
        for key in (
            "nvidia.com/gpu",
            "nvidia.com/gpu.present",
            "nvidia.com/gpu.product",
            "nvidia.com/gpu-type",
            "nvidia.com/gpu.shared",
            "nvidia.com/mig-1g.5gb",
            "nvidia.com/vgpu",
            "nvidia.com/dpu",
            "nvidia.com/cpu",
            "nvidia.com/gpu2",
            "volcano.sh/vgpu-number",
            "k8s.amazonaws.com/vgpu",
            "amd.com/npu",
            "arm.com/gpu",
            "nvidia-gpu",
            "gpu",
            "sku",
            "dedicated",
            "cloud.google.com/gke-accelerator",
            "node.kubernetes.io/gpu",
            "example.com/gpu",
            "",
            "/",
            ".",
            "nvidia.com/gpu" + "s" * 5000,
        )
    ),
    Row("a key that the policy names", tolerating("nvidia/gpu"), (), {"tolerations": [{"key": "nvidia/gpu"}]}),
    Row(
        "a resource that the policy adds",
        tolerating("nvidia.com/gpus"),
        (),
        {"resources": {"extra": ["nvidia.com/gpus"]}},
    ),
    Row("a key that is not a string", tolerating(1, None, ["nvidia/gpu"], {"a": 1})),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name[:60])
def test_toleration_key_typo(row):
    verify("GPU208", row)
