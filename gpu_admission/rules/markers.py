"""Names and paths that mark a pod as a matter of GPUs: the facts behind the isolation rules, as data.

A rule that judges a pod without a GPU request declares what it reads from these tables (``Rule.reads``), and from
that the matchConditions of the webhook's configuration are made.
"""

from __future__ import annotations

from gpu_admission.core import resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.finding import Severity


class Owners(dict[str, str]):
    """Whose a key is, by patterns in which one ``*`` stands for any text (but not for none)."""

    __slots__ = ("_patterns", "_starts")

    def __init__(self, owners: dict[str, str]) -> None:
        super().__init__(owners)
        parts = [(*pattern.partition("*"), owner) for pattern, owner in owners.items()]
        self._patterns = [(start, end, owner) for start, star, end, owner in parts if star]
        self._starts = tuple([start for start, _, _ in self._patterns])

    def of(self, key: str) -> str | None:
        """Return whose a key is, None where nobody's pattern matches it."""
        found = self.get(key)
        if found is None and key.startswith(self._starts):
            for start, end, owner in self._patterns:
                if key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end):
                    return owner
        return found


# Variables in which a container runtime reads the list of cards to hand to the container: variable -> vendor.
# CUDA_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, ASCEND_RT_VISIBLE_DEVICES and their like are
# missing on purpose: the program's own libraries read them, and they can only narrow what is already there.
DEVICE_LISTS: dict[str, str] = {
    "NVIDIA_VISIBLE_DEVICES": "nvidia",  # NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go
    "ALIYUN_COM_GPU_VISIBLE_DEVICES": "nvidia",  # Alibaba Cloud cGPU documentation
    "AMD_VISIBLE_DEVICES": "amd",  # ROCm/container-toolkit: internal/oci/oci.go
    "HABANA_VISIBLE_DEVICES": "intel",  # HabanaAI/habana-container-runtime: filterDevicesByENV
    "ASCEND_VISIBLE_DEVICES": "huawei",  # Ascend Docker Runtime; set by ascend-device-plugin's Allocate
    "CAMBRICON_VISIBLE_DEVICES": "cambricon",  # Cambricon/cambricon-k8s-device-plugin: pkg/mlu
    "MTHREADS_VISIBLE_DEVICES": "mthreads",  # Moore Threads mt-container-toolkit
    "IX_VISIBLE_DEVICES": "iluvatar",  # Deep-Spark/ix-container-runtime
}

# Variables by which NVIDIA's toolkit opens something beside the cards: variable -> what it opens, how bad it is.
# NVIDIA/nvidia-container-toolkit: internal/modifier, internal/config/features.go, internal/config/image
SWITCHES: dict[str, tuple[str, Severity]] = {
    "NVIDIA_IMEX_CHANNELS": ("memory channels to the GPUs of other nodes", "error"),
    "NVIDIA_MIG_CONFIG_DEVICES": ("the MIG configuration of whole cards", "error"),
    "NVIDIA_MIG_MONITOR_DEVICES": ("what runs in every MIG slice of the cards", "error"),
    "NVIDIA_NVSWITCH": ("the NVSwitch devices that all tenants of the node share", "error"),
    "NVIDIA_GDS": ("the GPUDirect Storage devices of the node", "warning"),
    "NVIDIA_MOFED": ("the InfiniBand devices of the node", "warning"),
    "NVIDIA_GDRCOPY": ("the GDRCopy device of the node", "warning"),
    "NVIDIA_DISABLE_REQUIRE": ("the container to a driver that its image declares too old", "info"),
}
FEATURES = frozenset({"NVIDIA_NVSWITCH", "NVIDIA_GDS", "NVIDIA_MOFED", "NVIDIA_GDRCOPY"})  # on by "enabled" only

# Variables that switch a sharing backend's limits off, or that it sets itself to enforce them. Not here:
# GPU_CORE_UTILIZATION_POLICY and CUDA_TASK_PRIORITY, which HAMi's own webhook writes into pods.
ISOLATION_SWITCHES: tuple[str, ...] = (
    "CUDA_DISABLE_CONTROL",  # Project-HAMi/HAMi and volcano-vgpu-device-plugin: no libvgpu.so preload
    "CUDA_DEVICE_SM_LIMIT",  # Project-HAMi/HAMi-core: the share of compute
    "CGPU_DISABLE",  # Alibaba Cloud cGPU: "true" or "1"
    "LD_PRELOAD",  # takes the place of the library that counts the memory
)
ISOLATION_PREFIXES: tuple[str, ...] = (
    "CUDA_DEVICE_MEMORY_LIMIT",  # Project-HAMi/HAMi-core: the memory limit, one variable a card
    "CUDA_MPS_",  # NVIDIA Multi-Process Service: the pipe of another daemon, one's own limits
)
MPS_PREFIX = "CUDA_MPS_"

# NVIDIA/gpu-operator: internal/state, runtime classes that it creates
NVIDIA_RUNTIME_CLASSES = frozenset({"nvidia", "nvidia-cdi", "nvidia-legacy"})

KAI_REQUESTS = resources.REQUEST_ANNOTATIONS
KAI_CONFIG_MAP = "runai/shared-gpu-configmap"  # begins the names of the ConfigMaps that KAI's binder fills in

# Annotation domains that make a container runtime inject CDI devices (and any domain below them).
# cncf-tags/container-device-interface: pkg/cdi/annotations.go; NVIDIA/nvidia-container-toolkit: internal/config/image
CDI_DOMAIN = "cdi.k8s.io"
# and those that make an NRI plugin inject CDI devices, or device nodes by their paths.
# containerd/nri: plugins/device-injector; GoogleCloudPlatform/container-engine-accelerators: nri_device_injector
NRI_CDI_DOMAINS = ("cdi-devices.noderesource.dev", "cdi-devices.nri.io")
NRI_DEVICE_DOMAINS = ("devices.noderesource.dev", "devices.nri.io", "devices.gke.io")

# What a scheduler writes on a pod and a device plugin believes: key, or prefix with a trailing *; whose it is.
# Not here: what users set to ask for something (volcano.sh/queue-name, volcano.sh/vgpu-mode,
# nvidia.com/use-gputype, nvidia.com/use-gpuuuid, hami.io/gpu-scheduler-policy, gpu-memory, kai.scheduler/queue,
# huawei.com/vnpu-mode, scheduling.koordinator.sh/device-allocate-hint …).
TRUSTED_ANNOTATIONS = Owners(
    {
        "ALIYUN_COM_GPU_*": "gpushare",  # AliyunContainerService/gpushare-scheduler-extender: pkg/utils/const.go
        "scheduler.framework.gpushare.allocation": "gpushare",
        "volcano.sh/gpu-index": "Volcano",  # volcano-sh/volcano: pkg/scheduler/api/devices/nvidia
        "volcano.sh/gpu-assigned": "Volcano",  # volcano-sh/devices: pkg/plugin/nvidia/const.go
        "volcano.sh/predicate-time": "Volcano",
        "volcano.sh/vgpu-time": "Volcano",
        "volcano.sh/vgpu-ids-new": "Volcano",
        "volcano.sh/vgpu-node": "Volcano",
        "volcano.sh/devices-to-allocate": "Volcano",
        "volcano.sh/bind-time": "Volcano",
        "volcano.sh/bind-phase": "Volcano",
        "hami.io/vgpu-*": "HAMi",  # Project-HAMi/HAMi: pkg/util/types.go, pkg/device
        "hami.io/bind-*": "HAMi",
        "hami.io/*-devices-to-allocate": "HAMi",
        "hami.io/*-devices-allocated": "HAMi",
        "4pd.io/vgpu-*": "HAMi",
        "4pd.io/bind-*": "HAMi",
        "4pd.io/devices-to-allocate": "HAMi",
        "received-resource-type": "KAI",  # NVIDIA/KAI-Scheduler: pkg/common/constants
        "runai-gpu-limit": "KAI",
        # KAI's NvFractions: the agent on the node makes NVIDIA_VISIBLE_DEVICES and an MPS limit of what the binder
        # wrote (gpu-memory.request, gpu-memory.limit and gpu-compute.mode of the same prefix are the user's).
        "nvidia.com/container.*.gpus.devices": "KAI",  # kai-scheduler/KAI-Scheduler: docs/gpu-sharing/README.md
        "nvidia.com/container.*.gpu-compute.portion": "KAI",  # kai-scheduler/gpu-fractioning: CHANGELOG.md
        "scheduling.koordinator.sh/device-allocated": "Koordinator",  # koordinator-sh/koordinator: apis/extension
        "tencent.com/predicate-*": "GPU Manager",  # tkestack/gpu-admission: pkg/util
        "tencent.com/gpu-assigned": "GPU Manager",
        "elasticgpu.io/assumed": "Elastic GPU",  # elastic-ai/elastic-gpu-scheduler: pkg/utils
        "elasticgpu.io/container-*": "Elastic GPU",
        "huawei.com/Ascend*": "Ascend",  # Ascend for Volcano: the cards that the plugin hands out
        "huawei.com/npu-core": "Ascend",
        "huawei.com/kltDev": "Ascend",
        "gas-container-cards": "Intel GPU-aware scheduling",  # intel device plugins: cmd/gpu_plugin/rm
        "gas-container-tiles": "Intel GPU-aware scheduling",
        "gas-ts": "Intel GPU-aware scheduling",
        "CAMBRICON_DSMLU_*": "Cambricon",  # Cambricon/cambricon-k8s-device-plugin: pkg/mlu
    }
)
TRUSTED_LABELS = Owners(
    {
        "runai-gpu-group": "KAI",  # NVIDIA/KAI-Scheduler: the card that pods share
        "runai-gpu-group/*": "KAI",
        "elasticgpu.io/assumed": "Elastic GPU",
    }
)
# Labels by which a pod evades a backend's own webhook: key, value, whose it is.
OPT_OUT_LABELS: tuple[tuple[str, str, str], ...] = (
    ("hami.io/webhook", "ignore", "HAMi"),  # Project-HAMi/HAMi: charts/hami/templates/scheduler/webhook.yaml
    ("4pd.io/webhook", "ignore", "HAMi"),
)

# Host paths, written with /run for /var/run; a trailing * matches the rest of the name.
DEVICE_PATHS: dict[str, str] = {
    "/dev/nvidia*": "NVIDIA devices",
    "/dev/dri": "GPU render devices",
    "/dev/kfd": "AMD devices",
    "/dev/dxg": "GPU devices of WSL",
    "/dev/accel*": "accelerator devices",  # Habana Gaudi, Google TPU
    "/dev/neuron*": "AWS Neuron devices",
    "/dev/davinci*": "Ascend devices",
    "/dev/cambricon*": "Cambricon devices",
    "/dev/iluvatar*": "Iluvatar devices",
    "/proc/driver/nvidia*": "the NVIDIA driver's controls",
    "/etc/cdi": "CDI device definitions",
    "/run/cdi": "CDI device definitions",
    "/tmp/nvidia-mps": "the pipe of the MPS daemon",  # noqa: S108 - a name to look for, nothing is written there
    "/run/nvidia/mps": "the pipe of the MPS daemon",  # NVIDIA/k8s-device-plugin: --mps-root
}
SOCKET_PATHS: dict[str, str] = {
    "/var/lib/kubelet/device-plugins": "the kubelet's device plugin sockets",
    "/var/lib/kubelet/pod-resources": "the kubelet's pod resources socket",
    "/run/containerd/containerd.sock": "the container runtime's socket",
    "/run/k3s/containerd/containerd.sock": "the container runtime's socket",
    "/run/crio/crio.sock": "the container runtime's socket",
    "/run/docker.sock": "the container runtime's socket",
    "/run/cri-dockerd.sock": "the container runtime's socket",
    "/run/podman/podman.sock": "the container runtime's socket",
}

# NVIDIA/nvidia-container-toolkit: each mount below this folder names a card (device list strategy volume-mounts)
DEVICE_LIST_MOUNT = "/run/nvidia-container-devices"

# Annotations and labels that mark a pod, as exact keys and as what such keys begin with.
ANNOTATION_KEYS: tuple[str, ...] = (*KAI_REQUESTS, *(key for key in TRUSTED_ANNOTATIONS if "*" not in key))
ANNOTATION_PREFIXES: tuple[str, ...] = (
    *dict.fromkeys(key.partition("*")[0] for key in TRUSTED_ANNOTATIONS if "*" in key),
    *NRI_CDI_DOMAINS,
    *NRI_DEVICE_DOMAINS,
)
LABEL_KEYS: tuple[str, ...] = (
    *(key for key in TRUSTED_LABELS if "*" not in key),
    *(key for key, _, _ in OPT_OUT_LABELS),
)
LABEL_PREFIXES: tuple[str, ...] = tuple(key.partition("*")[0] for key in TRUSTED_LABELS if "*" in key)
