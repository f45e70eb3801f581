import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, requesting, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

# Names as written -> the names that were meant, and whether the API server refuses them.
MISSPELT = [
    ("nvidia.com/GPU", GPU, "warning"),
    ("nvidia.com/Gpu", GPU, "warning"),
    ("nvidia.com/gpus", GPU, "warning"),
    ("nvidia.com/gup", GPU, "warning"),
    ("nvidia.com/gpu-count", GPU, "warning"),
    ("nvidia.com/gpu.count", GPU, "warning"),
    ("nvdia.com/gpu", GPU, "warning"),
    ("nvidia.con/gpu", GPU, "warning"),
    ("nvidia/gpu", GPU, "warning"),
    ("alpha.kubernetes.io/nvidia-gpu", GPU, "warning"),
    ("Nvidia.com/gpu", GPU, "error"),
    ("nvidia.com/gpu\n", GPU, "error"),
    ("nvidia.com.gpu", GPU, "error"),
    ("nvidia-gpu", GPU, "error"),
    ("nvidia_gpu", GPU, "error"),
    ("nvidia", GPU, "error"),
    ("nvidia.com/", GPU, "error"),
    ("nvidia.com/gpu/1", GPU, "error"),
    ("amd.com/gpu/mi300x", "amd.com/gpu", "error"),
    ("gpu", GPU, "error"),
    ("gpus", GPU, "error"),
    ("GPU", GPU, "error"),
    ("cuda-cores", GPU, "error"),
    ("requests.nvidia.com/gpu", GPU, "error"),
    ("limits.nvidia.com/gpu", GPU, "warning"),
    ("nvidia.com/gpu-memory", "nvidia.com/gpumem", "warning"),
    ("nvidia.com/gpumems", "nvidia.com/gpumem", "warning"),
    ("aliyun.com/gpu_mem", "aliyun.com/gpu-mem", "warning"),
    ("volcano.sh/vgpu-mem", "volcano.sh/vgpu-memory", "warning"),
    ("amd.com/gpus", "amd.com/gpu", "warning"),
    ("amd-gpu", "amd.com/gpu", "error"),
    ("tpu", "google.com/tpu", "error"),
    ("huawei.com/ascend910", "huawei.com/Ascend910", "warning"),
    ("nvidia.com/mig-1g.7gb", "nvidia.com/mig-1g.6gb", "warning"),
    ("nvidia.com/mig-9g.80gb", "nvidia.com/mig-7g.80gb", "warning"),
    ("nvidia.com/mig-1g5gb", "nvidia.com/mig-1g.5gb", "warning"),
    ("nvidia.com/mig-1g.5GB", "nvidia.com/mig-1g.5gb", "warning"),
    ("nvidia.com/mig_1g.5gb", "nvidia.com/mig-1g.5gb", "warning"),
    ("nvidia.com/mig-1g.10gb+me", "nvidia.com/mig-1g.10gb.me", "error"),
    ("mig-1g.5gb", "nvidia.com/mig-1g.5gb", "error"),
]
NOT_MISSPELT = [
    "nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-7g.80gb.shared", "nvidia.com/mig-1g.34gb", "amd.com/cpx_nps4",
    "nvidia.com/hostdev", "nvidia.com/rdma_shared_device_a", "intel.com/mlnx_sriov_rdma", "amd.com/rdma", "rdma/roce_gdr",
    "vke.volcengine.com/rdma", "vpc.amazonaws.com/efa", "nvidia.com/TU104GL_Tesla_T4", "nvidia.com/GRID_T4-1Q",
    "nvidia.com/gpu-10gb", "nvidia.com/gpu0", "nvidia.com/sgpu", "nvidia.com/nvswitch", "example.com/gpu", "intel.com/gpu",
    "huawei.com/ascend-310", "huawei.com/ascend-1980", "aliyun.com/ppu", "dcu.com/gpu", "furiosa.ai/rngd", "rebellions.ai/ATOM",
    "tenstorrent.com/n150", "vke.volcengine.com/mgpu-core", "baidu.com/v100_32g_cgpu_memory", "volcano.sh/gpu-mem.128Mi",
    "birentech.com/1-4-gpu", "cambricon.com/mlumem", "nvidia.com/mig-1g.24gb.gfx", "nvidia.com/mig-2g.48gb.me.all",
    "nvidia.com/mig-1g.24gb-me", "nvidia.com/mig-4g.96gb", "nvidia.com/mig-1g.16gb", "nvidia.com/mig-2g.32gb", "nvidia.com/mig-7g.269gb",
    "nvidia.com/mig-1g.67gb", "nvidia.com/mig-1g.0gb",
    "keti.com/mpsgpu", "vastaitech.com/va", "cloud-tpus.google.com/v2", "huawei.com/npu-core", "devices.kubevirt.io/kvm",
    "smarter-devices/nvidia0", "deviceclass.resource.kubernetes.io/gpu.example.com", "cpu", "memory", "ephemeral-storage",
    "hugepages-2Mi", "custom", "", "/", "{{ .Values.gpuName }}", "$GPU_RESOURCE", "gpu" * 100,
]  # fmt: skip


def token(name):
    return name.replace("~", "~0").replace("/", "~1")


CASES = [
    *(
        Row(
            f"{name!r} means {known}",
            one({"limits": {name: 1}}),
            (Found(LIMITS + token(name), severity, f"write {known} instead", fix="unsafe"),),
            fixed=one({"limits": {known: 1}}),
        )
        for name, known, severity in MISSPELT
    ),
    *(Row(f"not changed: {name[:40]!r}", one({"limits": {name: 1}})) for name in NOT_MISSPELT),
    Row(
        "both sides are one mistake",
        one({"limits": {"gpu": 1, "cpu": 1}, "requests": {"gpu": 1}}),
        (Found(LIMITS + "gpu", "error", ['container "train" requests gpu: 1', "without a domain"], fix="unsafe"),),
        fixed=one({"limits": {GPU: 1, "cpu": 1}, "requests": {GPU: 1}}),
    ),
    Row(
        "requests only",
        one({"requests": {"gpu": 1}}),
        (Found(REQUESTS + "gpu", "error", fix="unsafe"),),
        fixed=one({"requests": {GPU: 1}}),
    ),
    Row(
        "the right name stands beside it",
        one({"limits": {"nvidia.com/gpus": 1, GPU: 1}}),
        (Found(LIMITS + "nvidia.com~1gpus", "warning", "no device plugin is known to offer"),),
    ),
    Row(
        "an unknown MIG profile",
        one({"limits": {"nvidia.com/mig-1g.7gb": 2}}),
        (Found(LIMITS + "nvidia.com~1mig-1g.7gb", "warning", "a MIG profile that no known card has", fix="unsafe"),),
        fixed=one({"limits": {"nvidia.com/mig-1g.6gb": 2}}),
    ),
    Row(
        "a profile of the policy's own card",
        one({"limits": {"nvidia.com/mig-1g.7gb": 2}}),
        policy={"cluster": {"cards": [{"model": "X", "profiles": [{"name": "1g.7gb", "memory": "6Gi"}]}]}},
    ),
    Row(
        "a name that the policy knows",
        one({"limits": {"nvidia.com/gpus": 1}}),
        policy={"resources": {"extra": ["nvidia.com/gpus"]}},
    ),
    Row(
        "a name near one that only the policy knows",
        one({"limits": {"example.com/gpux": 1}}),
        (Found(LIMITS + "example.com~1gpux", "warning", "write example.com/gpu instead", fix="unsafe"),),
        fixed=one({"limits": {"example.com/gpu": 1}}),
        policy={"resources": {"extra": ["example.com/gpu"]}},
    ),
    Row(
        "memory without a domain: the unit is the author's secret",
        one({"limits": {"gpu-mem": 8}}),
        (Found(LIMITS + "gpu-mem", "error", ["gpu-admission.io/gpu-mem", "an amount of bytes, say 8Gi"]),),
    ),
    Row(
        "memory without a domain, with a unit",
        one({"limits": {"gpu-mem": "8Gi"}}),
        (Found(LIMITS + "gpu-mem", "error", fix="unsafe"),),
        fixed=one({"limits": {"gpu-admission.io/gpu-mem": "8Gi"}}),
    ),
    Row(
        "memory without a domain, and a backend of that name",
        one({"limits": {"gpu-mem": 8}}),
        (Found(LIMITS + "gpu-mem", "error", fix="unsafe"),),
        fixed=one({"limits": {"aliyun.com/gpu-mem": 8}}),
        policy={"backend": {"name": "gpushare"}},
    ),
    *(
        Row(
            f"memory with a unit is an amount of bytes, which {name} does not count",
            one({"limits": {"gpu-mem": "8Gi"}}),
            (Found(LIMITS + "gpu-mem", "error", "write gpu-admission.io/gpu-mem instead", fix="unsafe"),),
            fixed=one({"limits": {"gpu-admission.io/gpu-mem": "8Gi"}}),
            policy={"backend": {"name": name}},
        )
        for name in ("gpushare", "hami", "koordinator")
    ),
    Row(
        "memory without a domain, and a backend that has the name for several vendors' cards",
        one({"limits": {"gpu-mem": 8192}}),
        (Found(LIMITS + "gpu-mem", "error", "write nvidia.com/gpumem instead", fix="unsafe"),),
        fixed=one({"limits": {"nvidia.com/gpumem": 8192}}),
        policy={"backend": {"name": "hami"}},
    ),
    Row(
        "a kind that defines gpu for itself",
        {
            "apiVersion": "nvidia.com/v1alpha1",
            "kind": "DynamoGraphDeployment",
            "spec": {"services": {"Worker": {"resources": {"limits": {"gpu": "1"}, "requests": {"gpu": "1"}}}}},
        },
    ),
    Row(
        "another custom kind, with a container of Kubernetes' own shape",
        {
            "apiVersion": "example.com/v1",
            "kind": "Train",
            "spec": {"podSpec": {"containers": [requesting({"limits": {"gpu": "1"}})]}},
        },
        (Found("/spec/podSpec/containers/0/resources/limits/gpu", "error", fix="unsafe"),),
        fixed={
            "apiVersion": "example.com/v1",
            "kind": "Train",
            "spec": {"podSpec": {"containers": [requesting({"limits": {GPU: "1"}})]}},
        },
    ),
    Row(
        "resources without a container, in a kind of the table",
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "spec": {"predictor": {"model": {"resources": {"limits": {"gpu": "1"}}}}},
        },
        (
            Found(
                "/spec/predictor/model/resources/limits/gpu",
                "error",
                '"model" of the InferenceService requests gpu',
                fix="unsafe",
            ),
        ),
        fixed={
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "spec": {"predictor": {"model": {"resources": {"limits": {GPU: "1"}}}}},
        },
    ),
    Row(
        "control characters do not reach the terminal",
        one({"limits": {"nvidia.com/\x1b[31mgpu": 1}}),
    ),
    *(
        Row(
            f"an amount that Kubernetes refuses: {resources}",
            one(resources),
            (
                Found(
                    (LIMITS if "limits" in resources else REQUESTS) + "nvidia.com~1gpus",
                    "error",
                    "refuses",
                    fix="unsafe",
                ),
            ),
            fixed=one({side: {GPU: next(iter(amounts.values()))} for side, amounts in resources.items()}),
        )
        for resources in (
            {"limits": {"nvidia.com/gpus": "500m"}},
            {"limits": {"nvidia.com/gpus": -1}},
            {"limits": {"nvidia.com/gpus": "one"}},
            {"limits": {"nvidia.com/gpus": 1}, "requests": {"nvidia.com/gpus": 2}},
            {"requests": {"nvidia.com/gpus": 1}},
        )
    ),
    Row(
        "amounts that are equal once Kubernetes has rounded them",
        one({"limits": {"nvidia.com/gpus": 1}, "requests": {"nvidia.com/gpus": "0.9999"}}),
        (Found(LIMITS + "nvidia.com~1gpus", "warning", fix="unsafe"),),
        fixed=one({"limits": {GPU: 1}, "requests": {GPU: "0.9999"}}),
    ),
    Row(
        "an amount that has yet to be filled in",
        one({"limits": {"nvidia.com/gpus": "$GPUS"}}),
        (Found(LIMITS + "nvidia.com~1gpus", "warning", fix="unsafe"),),
        fixed=one({"limits": {GPU: "$GPUS"}}),
    ),
    Row(
        "a Pod at admission",
        one({"limits": {"gpu": 1}}),
        (Found(LIMITS + "gpu", "error", fix="unsafe"),),
        fixed=one({"limits": {GPU: 1}}),
        origin="admission",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU007", case)
