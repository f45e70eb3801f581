"""Time-slicing by NVIDIA's device plugin."""

from __future__ import annotations

from .base import BackendDocs
from .replicated import TimeSlicing

BACKEND = TimeSlicing()
BACKEND.docs = BackendDocs(
    summary="""\
NVIDIA's device plugin offers each card several times (`replicas`), and processes take turns on it. Nothing limits
memory or compute: an amount of memory is refused, unless the policy has `memory: advisory`. A share is requested as
`nvidia.com/gpu: 1`, or `nvidia.com/gpu.shared: 1` with `renameByDefault`.""",
    refuses=(
        (
            "more than one share, where the policy sets `failRequestsGreaterThanOne: true`",
            "the plugin refuses it only in the kubelet",
        ),
        ("a portable request for several GPUs", "several shares may be of one card"),
        ("an amount of memory, unless `memory: advisory`", "nothing enforces it"),
        ("a percentage of compute", "nothing enforces it"),
        ("whole GPUs", "the cluster allocates shares"),
    ),
    install="""\
Give the device plugin a `sharing.timeSlicing` configuration (the GPU operator takes it as a ConfigMap). With
`renameByDefault: true` shares have a name of their own, and they cannot be mistaken for whole cards: recommended. With
`failRequestsGreaterThanOne: true` (the plugin's default is false) several shares cannot be mistaken for several cards.
Set `replicas`, `renameByDefault` and `failRequestsGreaterThanOne` in the policy to the same values.""",
    traps=(
        "There is no isolation and no proportional share: one process can take all memory of the card.",
        (
            "A request for several shares is served by default, perhaps all from one card, and gives no more time "
            "than one does. With `failRequestsGreaterThanOne: true` it fails in the kubelet "
            "(`UnexpectedAdmissionError`), and the pod must be deleted by hand: GPU104 refuses it where the policy "
            "sets it."
        ),
        "MIG devices are time-sliced under names of their own (`nvidia.com/mig-1g.5gb.shared`).",
        (
            "GPU feature discovery marks such nodes: `nvidia.com/gpu.sharing-strategy=time-slicing`, "
            "`nvidia.com/gpu.replicas`, and the product's name ends in `-SHARED`."
        ),
    ),
    sources=(
        "NVIDIA/k8s-device-plugin: README.md#with-cuda-time-slicing",
        "NVIDIA/k8s-device-plugin: internal/rm/rm.go, api/config/v1/config.go",
    ),
)
