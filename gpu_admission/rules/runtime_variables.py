"""The environment variables that container runtimes and sharing libraries read, with their effects, as data.

A runtime reads them when it creates the container, from the image, the device plugin, ``envFrom`` and ``env``; the last
of these wins. The source of each fact is named beside it.
"""

from __future__ import annotations

from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.finding import Severity

_NO_DEVICE = ("", "none", "void")
# The ASCII characters that Go's strings.TrimSpace removes. Python's strip removes more, such as U+001C:
# to a runtime, "void" with one of those is the name of an unknown card, and the rest of the list counts.
SPACES = " \t\n\v\f\r"


@record
class DeviceList:
    """A variable in which a container runtime reads the list of devices for the container.

    ``vendor`` is the vendor of the devices. ``blind`` is the value that shows none. ``no_device`` are the only values
    that are known to show none; ``void_wins`` means that the runtime reads the list as NVIDIA's toolkit does: spaces do
    not count, and ``void`` anywhere in it shows none. ``family`` means that the runtime reads every variable with this
    prefix. ``by_plugin`` means that the device plugin allocates devices by this variable, so that a value of the pod
    hides them.
    """

    name: str
    vendor: str
    blind: str = "none"
    no_device: tuple[str, ...] = _NO_DEVICE
    void_wins: bool = False
    family: bool = False
    by_plugin: bool = False

    def shows_none(self, value: str) -> bool:
        """Return whether the runtime certainly adds no device for a value."""
        if not self.void_wins:
            return value in self.no_device
        words = tokens_of(value)
        return not words or "void" in words or words == {"none"}


def tokens_of(value: str) -> set[str]:
    """Return the words of a list as NVIDIA's toolkit reads it: between commas, without spaces, none of them empty."""
    return {word.strip(SPACES) for word in value.split(",")} - {""}


# Not here: CUDA_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, ASCEND_RT_VISIBLE_DEVICES,
# MLU_VISIBLE_DEVICES, MUSA_VISIBLE_DEVICES, XPU_VISIBLE_DEVICES, NEURON_RT_VISIBLE_CORES and their like: the
# program's own libraries read them, and they can only narrow what is already there.
_ALL = (
    # NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go, devices.go
    DeviceList("NVIDIA_VISIBLE_DEVICES", "nvidia", blind="void", void_wins=True, by_plugin=True),
    DeviceList("ALIYUN_COM_GPU_VISIBLE_DEVICES", "nvidia"),  # Alibaba Cloud cGPU documentation
    # ROCm/container-toolkit: internal/oci/oci.go (getAMDEnv). It skips unknown words, including void, and reads Docker
    # Swarm's DOCKER_RESOURCE_* as well: the last one counts.
    DeviceList("AMD_VISIBLE_DEVICES", "amd"),
    DeviceList("DOCKER_RESOURCE_", "amd", family=True),
    # HabanaAI/habana-container-runtime: specs.go (filterDevicesByENV) reads any name with this prefix and skips unknown
    # words; container_config.go of its hook treats void and the empty value as all.
    DeviceList("HABANA_VISIBLE_DEVICES", "habana", no_device=("none",), family=True, by_plugin=True),
    # Ascend/ascend-docker-runtime: hook/main.go: nothing to do for the empty value; other words stop the container
    DeviceList("ASCEND_VISIBLE_DEVICES", "huawei", blind="", by_plugin=True),
    DeviceList("CAMBRICON_VISIBLE_DEVICES", "cambricon", by_plugin=True),  # cambricon-k8s-device-plugin: pkg/mlu
    DeviceList("MTHREADS_VISIBLE_DEVICES", "mthreads", by_plugin=True),  # Moore Threads mt-container-toolkit
    # Deep-Spark/ix-container-toolkit: internal/config/image/cuda_image.go; unset is all under its runtime
    DeviceList("IX_VISIBLE_DEVICES", "iluvatar", blind="void", void_wins=True, by_plugin=True),
    # HYGON-AI/hcu-container-toolkit: internal/config/image/dtk_image.go, envvars.go. It reads NVIDIA_VISIBLE_DEVICES
    # and DOCKER_RESOURCE_* too; void in the first two hides all that the three name.
    DeviceList("HCU_VISIBLE_DEVICES", "hygon", blind="void", void_wins=True),
    DeviceList("VHCU_VISIBLE_DEVICES", "hygon"),
    DeviceList("MIG_VISIBLE_DEVICES", "hygon"),
    DeviceList("DCU_VISIBLE_DEVICES", "hygon"),  # its predecessor, dcu-container-toolkit
    # xpu-container-toolkit: cmd/xpu-container-toolkit/container_config.go (getCXPUDevicesFromEnvvar)
    DeviceList("CXPU_VISIBLE_DEVICES", "kunlunxin"),
    DeviceList("ENFLAME_VISIBLE_DEVICES", "enflame", by_plugin=True),  # Enflame's Docker and device plugin
    DeviceList("KRAKENPLUG_VISIBLE_DEVICES", "enflame", by_plugin=True),  # set beside it by krakenplug
    DeviceList("TENCENT_VISIBLE_DEVICES", "enflame"),  # tencent-container-toolkit, for Enflame's cards
    DeviceList("BIREN_VISIBLE_DEVICES", "biren"),  # BirenTech Container Toolkit
    DeviceList("METAX_VISIBLE_DEVICES", "metax"),  # runtimes for MetaX cards
    DeviceList("VASTAI_VISIBLE_DEVICES", "vastai"),  # Vastai's runtime
    DeviceList("TSINGMICRO_VISIBLE_DEVICES", "tsingmicro"),  # Tsingmicro's runtime
    DeviceList("AWS_NEURON_VISIBLE_DEVICES", "aws"),  # aws/aws-neuron-sdk: containers/tutorials/tutorial-oci-hook.rst
)
DEVICE_LISTS: dict[str, DeviceList] = {each.name: each for each in _ALL}
DEVICE_LIST_FAMILIES: tuple[str, ...] = tuple([each.name for each in _ALL if each.family])


def device_list(name: str) -> DeviceList | None:
    """Return the device list of a variable, by its name or the name's prefix; None where it is not a list."""
    known = DEVICE_LISTS.get(name)
    if known is None and name.startswith(DEVICE_LIST_FAMILIES):
        return next(DEVICE_LISTS[family] for family in DEVICE_LIST_FAMILIES if name.startswith(family))
    return known


@record
class Legacy:
    """A variable that marks an image as one from before device lists, for which an unset list means all.

    Any of ``lists`` that is set prevents it, and any of ``unless`` that is not empty; ``severity`` applies where the
    runtime is unknown.
    """

    name: str
    vendor: str
    lists: tuple[str, ...]
    unless: tuple[str, ...]
    severity: Severity


LEGACY: dict[str, Legacy] = {
    each.name: each
    for each in (
        # NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go (IsLegacy, devicesFromEnvvars)
        Legacy("CUDA_VERSION", "nvidia", ("NVIDIA_VISIBLE_DEVICES",), ("NVIDIA_REQUIRE_CUDA",), "error"),
        # HYGON-AI/hcu-container-toolkit: internal/config/image/dtk_image.go (IsLegacy, DevicesFromEnvvars)
        Legacy("ROCM_VERSION", "hygon", ("HCU_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"), (), "info"),
    )
}
LEGACY_VARIABLES = frozenset({*LEGACY, *(name for each in LEGACY.values() for name in (*each.lists, *each.unless))})


@record
class Switch:
    """A variable by which NVIDIA's toolkit gives access to something beside the cards.

    ``opens`` describes it, ``severity`` how bad that is, ``off`` is the value without effect.
    """

    opens: str
    severity: Severity
    off: str


# NVIDIA/nvidia-container-toolkit: internal/modifier, internal/config/features.go, internal/config/image
SWITCHES: dict[str, Switch] = {
    "NVIDIA_IMEX_CHANNELS": Switch("memory channels to the GPUs of other nodes", "error", "void"),
    "NVIDIA_MIG_CONFIG_DEVICES": Switch("the MIG configuration of whole cards", "error", ""),
    "NVIDIA_MIG_MONITOR_DEVICES": Switch("what runs in every MIG slice of the cards", "error", ""),
    "NVIDIA_NVSWITCH": Switch("the NVSwitch devices that all tenants of the node share", "error", "disabled"),
    "NVIDIA_GDS": Switch("the GPUDirect Storage devices of the node", "warning", "disabled"),
    "NVIDIA_MOFED": Switch("the InfiniBand devices of the node", "warning", "disabled"),
    "NVIDIA_GDRCOPY": Switch("the GDRCopy device of the node", "warning", "disabled"),
    "NVIDIA_DISABLE_REQUIRE": Switch("the container to a driver that its image declares too old", "info", "false"),
}
FEATURES = frozenset({"NVIDIA_NVSWITCH", "NVIDIA_GDS", "NVIDIA_MOFED", "NVIDIA_GDRCOPY"})  # on by "enabled" only

# Variables that switch a sharing backend's limits off, or that it sets itself to enforce them. Not here:
# GPU_CORE_UTILIZATION_POLICY and CUDA_TASK_PRIORITY, which HAMi's own webhook writes into pods.
PRELOAD = "LD_PRELOAD"  # replaces the library that counts the memory
ISOLATION_SWITCHES: tuple[str, ...] = (
    "CUDA_DISABLE_CONTROL",  # Project-HAMi/HAMi and volcano-vgpu-device-plugin: no libvgpu.so preload
    "CUDA_DEVICE_SM_LIMIT",  # Project-HAMi/HAMi-core: the share of compute
    "CUDA_DEVICE_MEMORY_SHARED_CACHE",  # the same: where a container's processes add up what they use
    "CUDA_OVERSUBSCRIBE",  # the same, "true": memory of the node beyond the card's
    "CGPU_DISABLE",  # Alibaba Cloud cGPU: "true" or "1"
    PRELOAD,
)
MPS_PREFIX = "CUDA_MPS_"
ISOLATION_PREFIXES: tuple[str, ...] = (
    "CUDA_DEVICE_MEMORY_LIMIT",  # Project-HAMi/HAMi-core: the memory limit, one variable per card
    MPS_PREFIX,  # NVIDIA Multi-Process Service: the pipe of another daemon, one's own limits
)

# variable -> vendor of the cards that it selects in the container, by numbers from 0 on. The vendors' programming
# guides: CUDA (environment variables), ROCm (GPU isolation), CANN, MUSA and CNRT.
CARD_SELECTORS: dict[str, str] = {
    "CUDA_VISIBLE_DEVICES": "nvidia",
    "HIP_VISIBLE_DEVICES": "amd",
    "ROCR_VISIBLE_DEVICES": "amd",
    "ASCEND_RT_VISIBLE_DEVICES": "huawei",
    "MUSA_VISIBLE_DEVICES": "mthreads",
    "MLU_VISIBLE_DEVICES": "cambricon",
}

NAMES = frozenset({*DEVICE_LISTS, *SWITCHES, *ISOLATION_SWITCHES, *LEGACY_VARIABLES})
"""Every variable that a rule reads, except the families."""
PREFIXES: tuple[str, ...] = (*DEVICE_LIST_FAMILIES, *ISOLATION_PREFIXES)
"""The prefixes of all other variables that a rule reads."""
