"""Resource names of GPUs and other accelerators: the vendor, and what one unit of each means.

Names come from each project's source and from real manifests; a policy adds others with ``resources.extra``.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    Unit = Literal["device", "memory", "cores", "percent", "other"]
    Sharing = Literal["exclusive", "shared", "partition"]


class Resource:
    """What a resource name means.

    ``vendor`` is the card's vendor (``nvidia``), ``system`` the device plugin or scheduler that serves the name
    (``hami``). ``unit`` is what is counted: ``device`` (cards, slices or shares of cards, always whole numbers that
    reserve a card), ``memory``, ``cores``, ``percent``, or ``other``. ``sharing`` is whether one device is a whole card
    (``exclusive``), a share of one, or a hardware ``partition``.
    """

    __slots__ = ("name", "sharing", "system", "unit", "vendor")

    def __init__(self, name: str, vendor: str, system: str, unit: Unit, sharing: Sharing) -> None:
        self.name = name
        self.vendor = vendor
        self.system = system
        self.unit: Unit = unit
        self.sharing: Sharing = sharing

    def __repr__(self) -> str:
        return f"<{self.name}: {self.vendor} {self.system} {self.unit} {self.sharing}>"


PORTABLE_MEMORY = "gpu-admission.io/gpu-mem"
PORTABLE_COUNT = "gpu-admission.io/gpu-count"
PORTABLE_CORES = "gpu-admission.io/gpu-core"

CLASS_PREFIX = "deviceclass.resource.kubernetes.io/"  # followed by a DeviceClass's name: kubernetes/api resource/v1
CLASS_SYSTEM = "deviceclass"

# vendor, system, unit, sharing: the names
_TABLE: tuple[tuple[str, str, Unit, Sharing, str], ...] = (
    ("nvidia", "nvidia", "device", "exclusive", "nvidia.com/gpu nvidia.com/pgpu"),
    ("nvidia", "nvidia", "device", "shared", "nvidia.com/gpu.shared nvidia.com/pgpu.shared"),
    ("nvidia", "hami", "memory", "shared", "nvidia.com/gpumem"),
    ("nvidia", "hami", "percent", "shared", "nvidia.com/gpumem-percentage"),
    ("nvidia", "hami", "cores", "shared", "nvidia.com/gpucores"),
    ("nvidia", "hami", "other", "shared", "nvidia.com/priority"),
    ("nvidia", "hami", "device", "shared", "nvidia.com/vgpu nvidia.com/vgpu-number"),
    ("nvidia", "hami", "memory", "shared", "nvidia.com/vgpu-memory"),
    ("nvidia", "hami", "cores", "shared", "nvidia.com/vgpu-cores"),
    ("nvidia", "gpushare", "memory", "shared", "aliyun.com/gpu-mem"),
    ("nvidia", "gpushare", "device", "exclusive", "aliyun.com/gpu-count aliyun.com/gpu"),
    ("nvidia", "gpushare", "percent", "shared", "aliyun.com/gpu-core.percentage"),
    ("nvidia", "alibabacloud", "memory", "shared", "alibabacloud.com/gpu-mem"),
    ("nvidia", "alibabacloud", "device", "exclusive", "alibabacloud.com/gpu-count"),
    ("nvidia", "volcano", "memory", "shared", "volcano.sh/gpu-memory"),
    ("nvidia", "volcano", "device", "exclusive", "volcano.sh/gpu-number"),
    ("nvidia", "volcano-vgpu", "device", "shared", "volcano.sh/vgpu-number"),
    ("nvidia", "volcano-vgpu", "memory", "shared", "volcano.sh/vgpu-memory"),
    ("nvidia", "volcano-vgpu", "percent", "shared", "volcano.sh/vgpu-memory-percentage"),
    ("nvidia", "volcano-vgpu", "cores", "shared", "volcano.sh/vgpu-cores"),
    ("nvidia", "koordinator", "device", "exclusive", "koordinator.sh/gpu"),
    ("nvidia", "koordinator", "device", "shared", "koordinator.sh/gpu.shared"),
    ("nvidia", "koordinator", "cores", "shared", "koordinator.sh/gpu-core"),
    ("nvidia", "koordinator", "memory", "shared", "koordinator.sh/gpu-memory"),
    ("nvidia", "koordinator", "percent", "shared", "koordinator.sh/gpu-memory-ratio"),
    ("nvidia", "aws", "device", "shared", "k8s.amazonaws.com/vgpu"),
    ("nvidia", "tencent", "cores", "shared", "tencent.com/vcuda-core"),
    ("nvidia", "tencent", "memory", "shared", "tencent.com/vcuda-memory"),
    # Volcano Engine's mGPU: 100 cores a card, MiB (its scheduler's API); Huawei CCE's xGPU: units of 128 MiB
    ("nvidia", "volcengine", "cores", "shared", "vke.volcengine.com/mgpu-core"),
    ("nvidia", "volcengine", "memory", "shared", "vke.volcengine.com/mgpu-memory"),
    ("nvidia", "cce", "memory", "shared", "volcano.sh/gpu-mem.128Mi"),
    ("nvidia", "cce", "percent", "shared", "volcano.sh/gpu-core.percentage"),
    ("nvidia", "elasticgpu", "cores", "shared", "elasticgpu.io/gpu-core elasticgpu.io/qgpu-core"),
    ("nvidia", "elasticgpu", "memory", "shared", "elasticgpu.io/gpu-memory elasticgpu.io/qgpu-memory"),
    ("any", "portable", "memory", "shared", PORTABLE_MEMORY),
    ("any", "portable", "device", "exclusive", PORTABLE_COUNT),
    ("any", "portable", "cores", "shared", PORTABLE_CORES),
    ("amd", "amd", "device", "exclusive", "amd.com/gpu"),
    ("amd", "hami", "memory", "shared", "amd.com/gpumem"),
    ("amd", "hami", "cores", "shared", "amd.com/gpucores"),
    (
        "intel",
        "intel",
        "device",
        "exclusive",
        "gpu.intel.com/i915 gpu.intel.com/xe gpu.intel.com/sriov-gpudevice",
    ),
    ("intel", "intel", "other", "shared", "gpu.intel.com/monitoring gpu.intel.com/i915_monitoring"),
    ("intel", "intel", "other", "shared", "gpu.intel.com/xe_monitoring gpu.intel.com/tiles"),
    ("intel", "intel", "cores", "shared", "gpu.intel.com/millicores"),
    ("intel", "intel", "memory", "shared", "gpu.intel.com/memory.max"),
    ("intel", "habana", "device", "exclusive", "habana.ai/gaudi habana.ai/goya"),
    ("google", "tpu", "device", "exclusive", "google.com/tpu"),
    ("aws", "neuron", "device", "exclusive", "aws.amazon.com/neuron aws.amazon.com/neurondevice"),
    ("aws", "neuron", "cores", "shared", "aws.amazon.com/neuroncore"),
    ("huawei", "ascend", "device", "exclusive", "huawei.com/Ascend910 huawei.com/Ascend310 huawei.com/npu"),
    # Huawei CCE's plugin (kthena's guide, ModelArts' SDK), and the units of dynamic vNPU (volcano, koordinator)
    ("huawei", "cce", "device", "exclusive", "huawei.com/ascend-310 huawei.com/ascend-1980"),
    ("huawei", "ascend", "cores", "shared", "huawei.com/npu-core"),
    ("huawei", "ascend", "memory", "shared", "huawei.com/npu-memory-1Gi"),
    ("huawei", "ascend", "device", "shared", "huawei.com/npu-number"),
    ("huawei", "ascend", "other", "shared", "huawei.com/npu-cpu huawei.com/npu-dvpp"),
    ("cambricon", "cambricon", "device", "exclusive", "cambricon.com/mlu cambricon.com/vmlu cambricon.com/mlunum"),
    ("cambricon", "cambricon", "memory", "shared", "cambricon.com/mlumem"),  # MiB: 4paradigm/k8s-vgpu-scheduler
    ("cambricon", "cambricon", "memory", "shared", "cambricon.com/mlu.smlu.vmemory"),
    ("cambricon", "cambricon", "cores", "shared", "cambricon.com/mlu.smlu.vcore"),
    ("hygon", "hygon", "device", "exclusive", "hygon.com/dcu hygon.com/dcunum dcu.com/gpu"),
    ("hygon", "hygon", "memory", "shared", "hygon.com/dcumem"),
    ("hygon", "hygon", "cores", "shared", "hygon.com/dcucores"),
    ("metax", "metax", "device", "exclusive", "metax-tech.com/gpu"),
    ("metax", "metax", "device", "shared", "metax-tech.com/sgpu"),
    ("metax", "metax", "memory", "shared", "metax-tech.com/vmemory"),
    ("metax", "metax", "cores", "shared", "metax-tech.com/vcore"),
    ("mthreads", "mthreads", "device", "exclusive", "mthreads.com/gpu mthreads.com/vgpu"),
    ("mthreads", "mthreads", "cores", "shared", "mthreads.com/sgpu-core"),
    ("mthreads", "mthreads", "memory", "shared", "mthreads.com/sgpu-memory"),
    ("enflame", "enflame", "device", "exclusive", "enflame.com/gcu enflame.com/vgcu enflame.com/shared-gcu"),
    ("enflame", "enflame", "device", "shared", "enflame.com/drs-gcu"),
    ("enflame", "enflame", "memory", "shared", "enflame.com/gcu-memory"),
    ("enflame", "enflame", "cores", "shared", "enflame.com/gcu-core"),
    ("enflame", "enflame", "percent", "shared", "enflame.com/vgcu-percentage"),
    ("kunlunxin", "kunlunxin", "device", "exclusive", "kunlunxin.com/xpu kunlunxin.com/vxpu baidu.com/xpu"),
    ("kunlunxin", "kunlunxin", "memory", "shared", "kunlunxin.com/vxpu-memory"),
    ("iluvatar", "iluvatar", "device", "exclusive", "iluvatar.ai/gpu iluvatar.ai/vgpu iluvatar.com/gpu"),
    ("iluvatar", "iluvatar", "memory", "shared", "iluvatar.ai/vcuda-memory"),
    ("iluvatar", "iluvatar", "cores", "shared", "iluvatar.ai/vcuda-core"),
    ("biren", "biren", "device", "exclusive", "birentech.com/gpu"),
    ("t-head", "ppu", "device", "exclusive", "aliyun.com/ppu"),
    ("vastai", "vastai", "device", "exclusive", "vastaitech.com/va"),  # Project-HAMi/HAMi: charts/hami/values.yaml
    # the device plugins of Furiosa (developer.furiosa.ai), Rebellions (rbln-k8s-device-plugin) and Tenstorrent
    ("furiosa", "furiosa", "device", "exclusive", "furiosa.ai/rngd furiosa.ai/warboy"),
    ("furiosa", "furiosa", "device", "exclusive", "beta.furiosa.ai/npu alpha.furiosa.ai/npu"),
    ("rebellions", "rebellions", "device", "exclusive", "rebellions.ai/ATOM rebellions.ai/REBEL rebellions.ai/npu"),
    ("tenstorrent", "tenstorrent", "device", "exclusive", "tenstorrent.com/n150 tenstorrent.com/n300"),
    ("tenstorrent", "tenstorrent", "device", "exclusive", "tenstorrent.com/wormhole tenstorrent.com/blackhole"),
    ("qualcomm", "qualcomm", "device", "exclusive", "qualcomm.com/qaic"),
    ("tensor-fusion", "tensor-fusion", "device", "shared", "tensor-fusion.ai/gpu-count"),
    # KEP-5004: every DeviceClass is a resource by its name; those of GPUs that device_classes.py knows
    ("nvidia", CLASS_SYSTEM, "device", "exclusive", f"{CLASS_PREFIX}gpu.nvidia.com {CLASS_PREFIX}vfio.gpu.nvidia.com"),
    ("nvidia", CLASS_SYSTEM, "device", "partition", f"{CLASS_PREFIX}mig.nvidia.com"),
    ("nvidia", CLASS_SYSTEM, "device", "shared", f"{CLASS_PREFIX}hami-core-gpu.project-hami.io"),
    ("amd", CLASS_SYSTEM, "device", "exclusive", f"{CLASS_PREFIX}gpu.amd.com"),
    ("intel", CLASS_SYSTEM, "device", "exclusive", f"{CLASS_PREFIX}gpu.intel.com {CLASS_PREFIX}gpu-vfio.intel.com"),
    ("intel", CLASS_SYSTEM, "device", "exclusive", f"{CLASS_PREFIX}gaudi.intel.com"),
    ("google", CLASS_SYSTEM, "device", "exclusive", f"{CLASS_PREFIX}tpu.google.com"),
)

_KNOWN: dict[str, Resource] = {
    name: Resource(name, vendor, system, unit, sharing)
    for vendor, system, unit, sharing, names in _TABLE
    for name in names.split()
}

# The device plugin's pattern for MIG names; whether a card offers the profile depends on the policy's cards.
_MIG = r"nvidia\.com/mig-(\d+)g\.(\d+)gb(\.me\.all|\.me|\.gfx|-me)?(\.shared)?"
MIG_WORD = "mig"  # such a name begins with it, after the domain

_PATTERNS: tuple[tuple[str, str, str, Unit, Sharing], ...] = (
    (_MIG, "nvidia", "mig", "device", "partition"),
    (r"amd\.com/[sdqc]px_nps[1248]", "amd", "amd", "device", "partition"),
    (r"huawei\.com/Ascend\w+-memory", "huawei", "ascend", "memory", "shared"),
    (r"huawei\.com/Ascend\w+-core", "huawei", "ascend", "cores", "shared"),
    (r"huawei\.com/Ascend\w+(-\w+)*", "huawei", "ascend", "device", "exclusive"),
    (r"iluvatar\.ai/[\w-]+\.vMem", "iluvatar", "iluvatar", "memory", "shared"),
    (r"iluvatar\.ai/[\w-]+\.vCore", "iluvatar", "iluvatar", "cores", "shared"),
    (r"iluvatar\.ai/[\w-]+-vgpu", "iluvatar", "iluvatar", "device", "shared"),
    (r"cambricon\.com/mlu[\w.-]*\.smlu\.vmemory", "cambricon", "cambricon", "memory", "shared"),
    (r"cambricon\.com/mlu[\w.-]*\.smlu\.vcore", "cambricon", "cambricon", "cores", "shared"),
    (r"cambricon\.com/mlu[\w.-]*", "cambricon", "cambricon", "device", "partition"),
    (r"birentech\.com/1-\d+-gpu", "biren", "biren", "device", "partition"),  # SVI: halves and quarters of a card
    (r"furiosa\.ai/(rngd|warboy)-\d+core(\.\d+gb)?", "furiosa", "furiosa", "device", "partition"),
    (r"tenstorrent\.com/[np]\d{3}[a-z]?", "tenstorrent", "tenstorrent", "device", "exclusive"),
    # Baidu CCE: one set of names for each card model (baidu.com/v100_32g_cgpu), memory in GiB
    (r"baidu\.com/(\w+_)?cgpu_memory(_percent)?", "nvidia", "baidu", "memory", "shared"),
    (r"baidu\.com/(\w+_)?cgpu_core", "nvidia", "baidu", "cores", "shared"),
    (r"baidu\.com/(\w+_)?cgpu", "nvidia", "baidu", "device", "shared"),
)
MOST_DEVICES = 1024  # ten times as many as any node has


def beyond_any_node(resource: Resource, count: int) -> bool:
    """Return whether so many devices are more than any node has; ``koordinator.sh/gpu`` counts percents of them."""
    if count <= MOST_DEVICES or resource.unit != "device":
        return False
    return resource.name != "koordinator.sh/gpu" or count > MOST_DEVICES * 100


_LONGEST = 100  # Kubernetes allows 63 characters after the domain, and these domains are short
_PATTERN_DOMAINS = (
    "nvidia.com/mig-", "amd.com/", "huawei.com/", "iluvatar.ai/", "cambricon.com/", "birentech.com/1-", "furiosa.ai/",
    "tenstorrent.com/", "baidu.com/",
)  # fmt: skip


def classify(name: str) -> Resource | None:
    """Return what a resource name means, or None where it is not a known accelerator."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    if name.startswith(_PATTERN_DOMAINS) and len(name) <= _LONGEST:
        for pattern, vendor, system, unit, sharing in _PATTERNS:
            if re.fullmatch(pattern, name, re.ASCII):  # compiled for the first name of such a domain
                return Resource(name, vendor, system, unit, sharing)
    return None


def known_names() -> Iterable[str]:
    """Return every name of the table (the patterns, including MIG profiles, match more)."""
    return _KNOWN.keys()


def shapes() -> tuple[tuple[str, Resource], ...]:
    """Return the expressions of ``patterns``, each with the meaning of its names; the first match counts."""
    return tuple(
        (pattern, Resource(pattern, vendor, system, unit, sharing))
        for pattern, vendor, system, unit, sharing in _PATTERNS
    )


def patterns() -> tuple[str, ...]:
    """Return the regular expressions of known names (whole); Python's engine and RE2 agree on them."""
    return tuple(pattern for pattern, *_ in _PATTERNS)


def extra(name: str) -> Resource:
    """Return a resource that only the policy declares: a whole device of its own vendor."""
    return Resource(name, name.partition("/")[0], "extra", "device", "exclusive")


def mig_name(name: str) -> re.Match[str] | None:
    """Return the match of a MIG resource's name (slices, memory, suffixes), None for any other name."""
    return re.fullmatch(_MIG, name, re.ASCII)


_QUALIFIED_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def _is_qualified(domain: str, rest: str) -> bool:
    if len(domain) > 253 or re.fullmatch(_SUBDOMAIN, domain, re.ASCII) is None:
        return False
    return re.fullmatch(_QUALIFIED_PART, rest, re.ASCII) is not None


def is_extended(name: str) -> bool:
    """Return whether a name is that of an extended resource to Kubernetes.

    The conditions are those of ``IsExtendedResourceName`` in k8s.io/kubernetes ``pkg/apis/core/v1/helper``:
    ``domain/name`` outside of ``*kubernetes.io``, no ``requests.`` prefix, and ``requests.`` + name still a
    qualified name.
    """
    domain, slash, rest = name.partition("/")
    if not slash or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    return _is_qualified(f"requests.{domain}", rest)


_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})


def is_refused(name: str) -> bool:
    """Return whether the API server rejects a name in a container's resources.

    It accepts its own (``cpu``, ``hugepages-2Mi``), extended resources, and any qualified name of its own domains, even
    of removed resources (``alpha.kubernetes.io/nvidia-gpu``): see ``validateContainerResourceName`` in
    k8s.io/kubernetes ``pkg/apis/core/validation``.
    """
    domain, slash, rest = name.partition("/")
    if not slash:
        return name not in _STANDARD and not name.startswith("hugepages-")
    if "kubernetes.io/" in name:
        return not _is_qualified(domain, rest)
    return not is_extended(name)
