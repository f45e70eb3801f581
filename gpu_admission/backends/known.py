"""Facts of the backends that are needed without loading them, to save start-up time.

Written by ``make docs`` from the classes of the backends (``base.py`` documents each fact): do not edit.
"""

from __future__ import annotations

# system -> the module that reads its names for other backends
READERS: dict[str, str] = {
    "portable": "portable_names",
    "nvidia": "exclusive",
    "nvidia-shared": "time_slicing",
    "mig": "mig",
    "gpushare": "gpushare",
    "volcano": "volcano",
    "volcano-vgpu": "volcano_vgpu",
    "hami": "hami",
    "kai": "kai",
    "koordinator": "koordinator",
    "dra": "dra",
}
# containers share a card by the memory they request
SHARED_BY_MEMORY = frozenset(
    {
        "dra",
        "gpushare",
        "hami",
        "kai",
        "koordinator",
        "mig",
        "volcano",
        "volcano-vgpu",
    }
)
# and by the number of shares
SHARED_BY_COUNT = frozenset(
    {
        "mps",
        "time-slicing",
    }
)
# several containers use a card at the same time
SHARES_CARDS = frozenset(
    {
        "gpushare",
        "hami",
        "kai",
        "koordinator",
        "mps",
        "time-slicing",
        "volcano",
        "volcano-vgpu",
    }
)
# by NVIDIA's MPS daemon
USES_MPS = frozenset(
    {
        "mps",
    }
)
# one nvidia.com/gpu is a whole card
GPU_IS_CARD = frozenset(
    {
        "dra",
        "exclusive",
        "gpushare",
        "kai",
        "koordinator",
        "volcano",
        "volcano-vgpu",
    }
)
# shares are requested by annotations
READS_ANNOTATIONS = frozenset(
    {
        "kai",
    }
)
# the scheduler reads limits.<name> of quotas
COUNTS_QUOTA_LIMITS = frozenset(
    {
        "hami",
    }
)
# the schedulers of all of them
SCHEDULERS = frozenset(
    {
        "hami-scheduler",
        "kai-scheduler",
        "koord-scheduler",
        "volcano",
    }
)
# the resource that counts cards -> the system whose amounts are requested of each
CARD_COUNTERS: dict[str, str] = {
    "volcano.sh/vgpu-number": "volcano-vgpu",
    "nvidia.com/gpu": "hami",
    "koordinator.sh/gpu.shared": "koordinator",
}
# systems whose names, one in a container, need neither translation nor checks
PLAIN: dict[str, frozenset[str]] = {
    "exclusive": frozenset(
        {
            "amd",
            "intel",
            "mig",
            "nvidia",
        }
    ),
}
# annotations of a scheduler that a device plugin trusts -> their owner
TRUSTED_ANNOTATIONS: dict[str, str] = {
    "ALIYUN_COM_GPU_*": "gpushare",
    "scheduler.framework.gpushare.allocation": "gpushare",
    "volcano.sh/gpu-index": "Volcano",
    "volcano.sh/gpu-assigned": "Volcano",
    "volcano.sh/predicate-time": "Volcano",
    "volcano.sh/vgpu-time": "Volcano",
    "volcano.sh/vgpu-ids-new": "Volcano",
    "volcano.sh/vgpu-node": "Volcano",
    "volcano.sh/devices-to-allocate": "Volcano",
    "volcano.sh/bind-time": "Volcano",
    "volcano.sh/bind-phase": "Volcano",
    "hami.io/vgpu-*": "HAMi",
    "hami.io/bind-*": "HAMi",
    "hami.io/*-devices-to-allocate": "HAMi",
    "hami.io/*-devices-allocated": "HAMi",
    "4pd.io/vgpu-*": "HAMi",
    "4pd.io/bind-*": "HAMi",
    "4pd.io/devices-to-allocate": "HAMi",
    "received-resource-type": "KAI",
    "runai-gpu-limit": "KAI",
    "nvidia.com/container.*.gpus.devices": "KAI",
    "nvidia.com/container.*.gpu-compute.portion": "KAI",
    "scheduling.koordinator.sh/device-allocated": "Koordinator",
}
# the same among labels
TRUSTED_LABELS: dict[str, str] = {
    "runai-gpu-group": "KAI",
    "runai-gpu-group/*": "KAI",
}
# labels by which a pod evades a webhook: key, value, owner
OPT_OUT_LABELS: tuple[tuple[str, str, str], ...] = (
    ("hami.io/webhook", "ignore", "HAMi"),
    ("4pd.io/webhook", "ignore", "HAMi"),
)

# the same among annotations
OPT_OUT_ANNOTATIONS: tuple[tuple[str, str, str], ...] = (("kai-resource-isolator.io/inject", "false", "KAI"),)
