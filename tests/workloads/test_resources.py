"""Which names are GPUs, and which are extended resources to Kubernetes."""

import pytest

from gpu_admission.policy.model import Policy
from gpu_admission.workloads import resources


@pytest.mark.parametrize(
    ("name", "vendor", "system", "unit", "sharing"),
    [
        ("nvidia.com/gpu", "nvidia", "nvidia", "device", "exclusive"),
        ("nvidia.com/gpu.shared", "nvidia", "nvidia", "device", "shared"),
        ("nvidia.com/mig-1g.5gb", "nvidia", "mig", "device", "partition"),
        ("nvidia.com/mig-1g.10gb.me", "nvidia", "mig", "device", "partition"),
        ("nvidia.com/mig-1g.10gb.shared", "nvidia", "mig", "device", "partition"),
        ("nvidia.com/gpumem", "nvidia", "hami", "memory", "shared"),
        ("amd.com/gpu", "amd", "amd", "device", "exclusive"),
        ("amd.com/cpx_nps4", "amd", "amd", "device", "partition"),
        ("gpu.intel.com/i915", "intel", "intel", "device", "exclusive"),
        ("gpu.intel.com/monitoring", "intel", "intel", "other", "shared"),
        ("aliyun.com/gpu-mem", "nvidia", "gpushare", "memory", "shared"),
        ("volcano.sh/gpu-memory", "nvidia", "volcano", "memory", "shared"),
        ("volcano.sh/vgpu-cores", "nvidia", "volcano-vgpu", "cores", "shared"),
        ("koordinator.sh/gpu-memory", "nvidia", "koordinator", "memory", "shared"),
        ("gpu-admission.io/gpu-mem", "any", "portable", "memory", "shared"),
        ("huawei.com/Ascend910B3-memory", "huawei", "ascend", "memory", "shared"),
        ("huawei.com/Ascend910B3", "huawei", "ascend", "device", "exclusive"),
        ("iluvatar.ai/BI-V150.vCore", "iluvatar", "iluvatar", "cores", "shared"),
        ("google.com/tpu", "google", "tpu", "device", "exclusive"),
        ("aws.amazon.com/neuroncore", "aws", "neuron", "cores", "shared"),
        ("habana.ai/gaudi", "intel", "habana", "device", "exclusive"),
        ("huawei.com/ascend-310", "huawei", "cce", "device", "exclusive"),
        ("huawei.com/ascend-1980", "huawei", "cce", "device", "exclusive"),
        ("huawei.com/npu-core", "huawei", "ascend", "cores", "shared"),
        ("aliyun.com/ppu", "t-head", "ppu", "device", "exclusive"),
        ("dcu.com/gpu", "hygon", "hygon", "device", "exclusive"),
        ("vastaitech.com/va", "vastai", "vastai", "device", "exclusive"),
        ("furiosa.ai/rngd", "furiosa", "furiosa", "device", "exclusive"),
        ("furiosa.ai/rngd-2core.12gb", "furiosa", "furiosa", "device", "partition"),
        ("beta.furiosa.ai/npu", "furiosa", "furiosa", "device", "exclusive"),
        ("rebellions.ai/ATOM", "rebellions", "rebellions", "device", "exclusive"),
        ("rebellions.ai/npu", "rebellions", "rebellions", "device", "exclusive"),
        ("tenstorrent.com/n150", "tenstorrent", "tenstorrent", "device", "exclusive"),
        ("tenstorrent.com/p150b", "tenstorrent", "tenstorrent", "device", "exclusive"),
        ("vke.volcengine.com/mgpu-core", "nvidia", "volcengine", "cores", "shared"),
        ("vke.volcengine.com/mgpu-memory", "nvidia", "volcengine", "memory", "shared"),
        ("baidu.com/cgpu", "nvidia", "baidu", "device", "shared"),
        ("baidu.com/v100_32g_cgpu", "nvidia", "baidu", "device", "shared"),
        ("baidu.com/v100_32g_cgpu_core", "nvidia", "baidu", "cores", "shared"),
        ("baidu.com/a10_24g_cgpu_memory", "nvidia", "baidu", "memory", "shared"),
        ("volcano.sh/gpu-mem.128Mi", "nvidia", "cce", "memory", "shared"),
        ("volcano.sh/gpu-core.percentage", "nvidia", "cce", "percent", "shared"),
        ("birentech.com/1-4-gpu", "biren", "biren", "device", "partition"),
        ("birentech.com/1-2-gpu", "biren", "biren", "device", "partition"),
        ("cambricon.com/mlunum", "cambricon", "cambricon", "device", "exclusive"),
        ("cambricon.com/mlumem", "cambricon", "cambricon", "memory", "shared"),
        ("cambricon.com/mlu370.smlu.vmemory", "cambricon", "cambricon", "memory", "shared"),
        ("cambricon.com/mlu370.smlu.vcore", "cambricon", "cambricon", "cores", "shared"),
        ("cambricon.com/mlu370", "cambricon", "cambricon", "device", "partition"),
    ],
)
def test_what_a_name_stands_for(name, vendor, system, unit, sharing):
    found = resources.classify(name)
    assert (found.name, found.vendor, found.system, found.unit, found.sharing) == (name, vendor, system, unit, sharing)


@pytest.mark.parametrize(
    "name",
    [
        "cpu",
        "memory",
        "nvidia.com/GPU",
        "nvidia.com/gpus",
        "gpu",
        "vpc.amazonaws.com/efa",
        "nvidia.com/hostdev",
        "",
        "nvidia.com/mig-1g.5GB",
        "nvidia.com/mig-",
        "amd.com/zpx_nps1",
        "nvidia.com/gpu\n",
        "nvidia.com/mig-1g.5gb\n",
        "nvidia.com/mig-١g.5gb",
        "example.com/gpu",
        "huawei.com/ascend-910",
        "birentech.com/1-x-gpu",
        "furiosa.ai/rngd-core",
        "tenstorrent.com/chipArch",
        "baidu.com/v100_cgpus",
    ],
)
def test_what_is_no_gpu(name):
    assert resources.classify(name) is None


def test_a_policy_adds_names_of_its_own():
    assert Policy("p", {"resources": {"extra": ["example.com/gpu"]}}).classify("example.com/gpu").unit == "device"
    assert Policy("p").classify("example.com/gpu") is None


def test_a_policy_remembers_no_endless_list_of_names():
    policy = Policy("p")
    for number in range(10_000):
        policy.classify(f"example.com/gpu-{number}")
    assert len(policy._classified) <= 4096


@pytest.mark.parametrize(
    ("name", "extended"),
    [
        ("nvidia.com/gpu", True),
        ("nvidia.com/GPU", True),
        ("gpu", False),
        ("alpha.kubernetes.io/nvidia-gpu", False),
        ("requests.nvidia.com/gpu", False),
        ("nvidia.com/", False),
        ("/gpu", False),
        ("NVIDIA.com/gpu", False),
        ("nvidia.com/gpu/x", False),
        ("nvidia.com/" + "a" * 63, True),
        ("nvidia.com/" + "a" * 64, False),
        ("a" * 244 + "/gpu", True),
        ("a" * 245 + "/gpu", False),
        ("nvidia.com/g pu", False),
        ("nvidia.com/gpu\n", False),
    ],
)
def test_what_kubernetes_takes_for_an_extended_resource(name, extended):
    assert resources.is_extended(name) is extended


def test_every_known_name_is_one():
    by_class = [name for name in resources.known_names() if name.startswith(resources.CLASS_PREFIX)]
    assert all(resources.is_extended(name) for name in resources.known_names() if name not in by_class)
    assert not any(resources.is_extended(name) or resources.is_refused(name) for name in by_class)
