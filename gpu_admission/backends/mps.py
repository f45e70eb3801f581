"""CUDA MPS by NVIDIA's device plugin."""

from __future__ import annotations

from .base import BackendDocs
from .replicated import Mps

BACKEND = Mps()
BACKEND.docs = BackendDocs(
    summary="""\
NVIDIA's device plugin offers each card several times (`replicas`) and limits each process to one share of memory and
threads by the MPS daemon. A share is the card's memory divided by `replicas`; both are in the policy, and a request
that fits becomes one share.""",
    refuses=(
        (
            "more than one share, unless the policy sets `failRequestsGreaterThanOne: false`",
            "the plugin refuses it in the kubelet; it can be configured not to since release 0.20",
        ),
        ("memory beyond one share (card / `replicas`)", "the MPS daemon stops the process there"),
        ("a percentage beyond one share (100 / `replicas`)", "the MPS daemon limits the threads to it"),
        ("whole GPUs", "the cluster allocates shares"),
    ),
    install="""\
Give the device plugin a `sharing.mps` configuration; it runs the MPS control daemon itself. Set `replicas`,
`renameByDefault` and `failRequestsGreaterThanOne` in the policy to the same values, and name the cards under
`cluster.cards`: without them the size of a share is unknown, and every amount is refused (unless `memory:
advisory`).""",
    traps=(
        (
            "Pods with hostPID or hostIPC reach the MPS daemon that all pods share (GPU309). Where the cluster's own "
            "MPS needs hostIPC (GKE's, nos's), set `hostIPC: allow` beside the backend's name."
        ),
        "`CUDA_MPS_*` variables in a pod change the limits (GPU308).",
        "A crash of one client can crash the others on the card.",
    ),
    sources=(
        "NVIDIA/k8s-device-plugin: README.md#with-cuda-mps",
        "NVIDIA/k8s-device-plugin: internal/rm/rm.go, api/config/v1/config.go",
    ),
)
