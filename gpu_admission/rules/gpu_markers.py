"""Names and paths by which a pod concerns GPUs: the facts of the isolation rules, as data.

A rule that judges a pod without a GPU request declares what it reads from these tables (``Rule.reads``), and from
that the matchConditions of the webhook's configuration are made.
"""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.workloads import share_annotations

from .runtime_variables import DEVICE_LISTS, ISOLATION_PREFIXES, ISOLATION_SWITCHES, SWITCHES

__all__ = [
    "DEVICE_LISTS",
    "ISOLATION_PREFIXES",
    "ISOLATION_SWITCHES",
    "SWITCHES",
]  # re-exported for the modules that render them


class MarkerOwners(dict[str, str]):
    """The owner of a key, by patterns in which one ``*`` matches any non-empty text."""

    __slots__ = ("_patterns", "_starts")

    def __init__(self, owners: dict[str, str]) -> None:
        super().__init__(owners)
        parts = [(*pattern.partition("*"), owner) for pattern, owner in owners.items()]
        self._patterns = [(start, end, owner) for start, star, end, owner in parts if star]
        self._starts = tuple([start for start, _, _ in self._patterns])

    def of(self, key: str) -> str | None:
        """Return the owner of a key, None where no pattern matches it."""
        found = self.get(key)
        if found is None and key.startswith(self._starts):
            for start, end, owner in self._patterns:
                if key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end):
                    return owner
        return found


class Places(dict[str, str]):
    """The meaning of paths of a node: normal paths, of which a trailing ``*`` matches the rest of the name.

    ``starts`` are the beginnings, with a slash after them, of paths that are one of the places or below it.
    """

    __slots__ = ("starts",)

    def __init__(self, places: dict[str, str]) -> None:
        super().__init__(places)
        self.starts = tuple([place[:-1] if place.endswith("*") else f"{place.rstrip('/')}/" for place in places])


# NVIDIA/gpu-operator: internal/state, runtime classes that it creates
NVIDIA_RUNTIME_CLASSES = frozenset({"nvidia", "nvidia-cdi", "nvidia-legacy"})

KAI_REQUESTS = share_annotations.REQUEST_ANNOTATIONS
KAI_CONFIG_MAP = share_annotations.SHARE_CONFIG_MAP

# Annotation domains that make a container runtime inject CDI devices (and any domain below them).
# cncf-tags/container-device-interface: pkg/cdi/annotations.go; NVIDIA/nvidia-container-toolkit: internal/config/image
CDI_DOMAIN = "cdi.k8s.io"
# and those that make an NRI plugin inject CDI devices, or device nodes by their paths.
# containerd/nri: plugins/device-injector; GoogleCloudPlatform/container-engine-accelerators: nri_device_injector
NRI_CDI_DOMAINS = ("cdi-devices.noderesource.dev", "cdi-devices.nri.io")
NRI_DEVICE_DOMAINS = ("devices.noderesource.dev", "devices.nri.io", "devices.gke.io")
# and by which CRI-O itself does, as far as its allowed_devices let it: cri-o/cri-o: pkg/annotations
CRIO_DEVICES = ("io.kubernetes.cri-o.Devices", "devices.crio.io")

# What a scheduler writes on a pod and a device plugin trusts: key, in which one * matches any text; its owner. What the
# backends write is a fact of each (backends/base.py, Marks); these are those of other systems. Not here: what users set
# to request something (volcano.sh/queue-name, volcano.sh/vgpu-mode, nvidia.com/use-gputype, nvidia.com/use-gpuuuid,
# hami.io/gpu-scheduler-policy, gpu-memory, kai.scheduler/queue, huawei.com/vnpu-mode,
# scheduling.koordinator.sh/device-allocate-hint …).
TRUSTED_ANNOTATIONS = MarkerOwners(
    {
        **known.TRUSTED_ANNOTATIONS,
        "tencent.com/predicate-*": "GPU Manager",  # tkestack/gpu-admission: pkg/util
        "tencent.com/gpu-assigned": "GPU Manager",
        "elasticgpu.io/assumed": "Elastic GPU",  # elastic-ai/elastic-gpu-scheduler: pkg/utils
        "elasticgpu.io/container-*": "Elastic GPU",
        "huawei.com/Ascend*": "Ascend",  # Ascend for Volcano: the cards that the plugin allocates
        "huawei.com/npu-core": "Ascend",
        "huawei.com/kltDev": "Ascend",
        "gas-container-cards": "Intel GPU-aware scheduling",  # intel device plugins: cmd/gpu_plugin/rm
        "gas-container-tiles": "Intel GPU-aware scheduling",
        "gas-ts": "Intel GPU-aware scheduling",
        # The plugins of these vendors read what HAMi, Koordinator or their own schedulers write:
        "metax-tech.com/gpu-devices-allocated": "MetaX",  # Project-HAMi/HAMi: pkg/device/metax; koordinator
        "mthreads.com/gpu-index": "Moore Threads",  # Project-HAMi/HAMi: pkg/device/mthreads
        "mthreads.com/predicate-*": "Moore Threads",
        "enflame.com/gcu-assigned*": "Enflame",  # gcushare-scheduler-plugin; Project-HAMi/HAMi: pkg/device/enflame
        "BAIDU_COM_DEVICE_IDX": "Kunlunxin",  # Project-HAMi/HAMi: pkg/device/kunlun
        "AWS_NEURON_IDS": "Neuron",  # AWS' neuron-scheduler; Project-HAMi/HAMi: pkg/device/awsneuron
        "CAMBRICON_DSMLU_*": "Cambricon",  # Cambricon/cambricon-k8s-device-plugin: pkg/mlu
    }
)
TRUSTED_LABELS = MarkerOwners({**known.TRUSTED_LABELS, "elasticgpu.io/assumed": "Elastic GPU"})
# Labels by which a pod evades a backend's own webhook: key, value, owner.
OPT_OUT_LABELS = known.OPT_OUT_LABELS
OPT_OUT_ANNOTATIONS = known.OPT_OUT_ANNOTATIONS

# Host paths, written with /run for /var/run; a trailing * matches the rest of the name.
DEVICE_PATHS = Places(
    {
        "/dev/nvidia*": "NVIDIA devices",
        "/dev/nvhost*": "NVIDIA Tegra devices",  # NVIDIA/nvidia-container-toolkit: internal/platform-support/tegra
        "/dev/nvmap": "NVIDIA Tegra devices",
        "/dev/nvgpu*": "NVIDIA Tegra devices",
        "/dev/dri": "GPU render devices",
        "/dev/kfd": "AMD devices",
        "/dev/mkfd": "Hygon devices",  # Project-HAMi/dcu-vgpu-device-plugin
        "/dev/dxg": "GPU devices of WSL",
        "/dev/accel*": "accelerator devices",  # Habana Gaudi, Google TPU
        "/dev/hl*": "Habana Gaudi devices",  # HabanaAI/hl-thunk: drivers before Linux' accelerator subsystem
        "/dev/neuron*": "AWS Neuron devices",
        "/dev/davinci*": "Ascend devices",
        "/dev/cambricon*": "Cambricon devices",
        "/dev/iluvatar*": "Iluvatar devices",
        "/dev/mtgpu*": "Moore Threads devices",
        "/dev/mxc*": "MetaX devices",
        "/dev/gcu*": "Enflame devices",  # the volumes of Enflame's device plugin
        "/dev/biren*": "Biren devices",
        "/dev/xpu*": "Kunlunxin devices",  # PaddlePaddle/Paddle: docs of its XPU image
        "/dev/rbln*": "Rebellions devices",
        "/dev/tenstorrent*": "Tenstorrent devices",
        # Links by number to every character device. NVIDIA's cards have 195, render devices 226, accelerators 261, and
        # nvidia-uvm, nvidia-caps, kfd and most others a free number: Documentation/admin-guide/devices.txt.
        "/dev/char": "links to every device of the node",
        "/proc/self/fd": "open files of the node's processes, devices among them",  # of any process: see hostpaths
        "/dev/fd": "open files of the node's processes, devices among them",  # a link to those of the reading process
        "/proc/driver/nvidia*": "the NVIDIA driver's controls",
        "/etc/cdi": "CDI device definitions",
        "/run/cdi": "CDI device definitions",
        "/tmp/nvidia-mps": "the pipe of the MPS daemon",  # noqa: S108 - a name to look for, nothing is written there
        "/run/nvidia/mps": "the pipe of the MPS daemon",  # NVIDIA/k8s-device-plugin: --mps-root
    }
)
SOCKET_PATHS = Places(
    {
        **{
            f"{folder}/{name}": what
            for folder in ("/var/lib/kubelet", "/var/lib/k0s/kubelet", "/var/snap/microk8s/common/var/lib/kubelet")
            for name, what in (
                ("device-plugins", "the kubelet's device plugin sockets"),
                ("pod-resources", "the kubelet's pod resources socket"),
            )
        },
        "/run/nri": "the container runtime's plugin socket",  # containerd/nri: pkg/api; what it adds is not checked
        "/run/containerd/containerd.sock": "the container runtime's socket",
        "/run/k3s/containerd/containerd.sock": "the container runtime's socket",
        "/run/k0s/containerd.sock": "the container runtime's socket",
        "/var/snap/microk8s/common/run/containerd.sock": "the container runtime's socket",
        "/run/crio/crio.sock": "the container runtime's socket",
        "/run/docker.sock": "the container runtime's socket",
        "/run/cri-dockerd.sock": "the container runtime's socket",
        "/run/podman/podman.sock": "the container runtime's socket",
    }
)
# Roots of drivers that are not installed in the node's own system; some have devices below ``dev``.
DRIVER_ROOTS: tuple[str, ...] = (
    "/run/nvidia/driver",  # NVIDIA/gpu-operator: hostPaths.driverInstallDir
    "/run/nvidia/vgpu-manager",  # the same, assets/state-vgpu-manager
    "/home/kubernetes/bin/nvidia",  # GKE: GoogleCloudPlatform/container-engine-accelerators nvidia-driver-installer
    "/opt/nvidia",  # GKE on Ubuntu
    "/usr/local/nvidia",
    "/var/lib/nvidia",  # Container-Optimized OS
)
# Those that are a complete root file system with all devices; the others are libraries, which GPU pods mount.
DRIVER_PARENTS = frozenset({"/run/nvidia/driver", "/run/nvidia/vgpu-manager"})

# NVIDIA/nvidia-container-toolkit internal/config/image/cuda_image.go: each mount of /dev/null at a path with this
# prefix names a card (device list strategy volume-mounts); compared without a slash, and as /var/run.
DEVICE_LIST_MOUNT = "/run/nvidia-container-devices"
