"""Time-slicing by NVIDIA's device plugin."""

from __future__ import annotations

from .base import Page
from .replicated import TimeSlicing

BACKEND = TimeSlicing()
BACKEND.page = Page(
    summary="""\
NVIDIA's device plugin offers each card several times (`replicas`), and processes take turns on it. Nothing limits
memory or compute: an amount of memory is refused, unless the policy calls it `advisory` and takes the pod's word for
it. A share is asked for as `nvidia.com/gpu: 1`, or `nvidia.com/gpu.shared: 1` with `renameByDefault`.""",
    refuses=(
        ("more than one share", "a second share adds nothing, and the plugin refuses it only in the kubelet"),
        ("an amount of memory, unless `memory: advisory`", "nothing enforces it"),
        ("a percentage of compute", "nothing enforces it"),
        ("whole GPUs", "the cluster hands out shares"),
    ),
    install="""\
Give the device plugin a `sharing.timeSlicing` configuration with `failRequestsGreaterThanOne: true` (the GPU operator
takes it as a ConfigMap). With `renameByDefault: true` shares have a name of their own, and nobody takes them for
whole cards: recommended. Set `replicas` and `renameByDefault` in the policy to the same values.""",
    traps=(
        "There is no isolation and no proportional share: one process can take all memory of the card.",
        (
            "A request for more than one share fails in the kubelet (`UnexpectedAdmissionError`), and the pod must be "
            "deleted by hand."
        ),
        (
            "GPU feature discovery marks such nodes: `nvidia.com/gpu.sharing-strategy=time-slicing`, "
            "`nvidia.com/gpu.replicas`, and the product's name ends in `-SHARED`."
        ),
    ),
    sources=("NVIDIA/k8s-device-plugin: README.md#with-cuda-time-slicing",),
)
