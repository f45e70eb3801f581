"""GPU308: switches that matter on shared cards only."""

import pytest

from gpu_admission.backends import registry
from rules.table import Found, Row, container, env, pod, template, verify

SHARE = {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 4096}
PLACE = "/spec/containers/0/env/0/value"


def lifts(name, *words):
    return (Found(PLACE, "error", (name, "limits", f"remove {name}", *words)),)


def sharing(gpu=SHARE, annotations=None, **fields):
    return pod(container(gpu=gpu, **fields), annotations=None if gpu else annotations)


SWITCHES = {
    "CUDA_DISABLE_CONTROL": "true",
    "CUDA_DEVICE_MEMORY_LIMIT": "0",
    "CUDA_DEVICE_MEMORY_LIMIT_0": "80g",
    "CUDA_DEVICE_SM_LIMIT": "100",
    "CUDA_MPS_PIPE_DIRECTORY": "/tmp/mine",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "100",
    "CUDA_DEVICE_MEMORY_SHARED_CACHE": "/tmp/mine.cache",
    "CUDA_OVERSUBSCRIBE": "true",
    "LD_PRELOAD": "/tmp/mine.so",
    "CGPU_DISABLE": "true",
}
HARMLESS = {
    "LD_PRELOAD": "",
    "CGPU_DISABLE": "False",
    "CUDA_VISIBLE_DEVICES": "0",
    "CUDA_HOME": "/x",
    "GPU_CORE_UTILIZATION_POLICY": "force",
}
DISABLE = env(CUDA_DISABLE_CONTROL="true")

ENV_FROM = "/spec/containers/0/envFrom/0"
MPS = {"CUDA_MPS_PIPE_DIRECTORY": "/x"}
PRELOADED = {
    "volcano-vgpu": SHARE,
    "hami": {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 3000},
    "koordinator": {"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "8Gi"},
    "kai": None,
}
LIMIT = "CUDA_DEVICE_MEMORY_LIMIT"
UNDER_KAI = {"backend": {"name": "kai", "queue": "q"}}


def from_prefix(prefix):
    return sharing(envFrom=[{"prefix": prefix, "configMapRef": {"name": "c"}}])


def hamicore(memory="4096", config_map="x-shared-gpu-0", key=LIMIT, variable=LIMIT):
    source = {"configMapKeyRef": {"name": config_map, "key": key, "optional": True}}
    annotations = {"gpu-memory": memory, "runai/shared-gpu-configmap": "x-shared-gpu"}
    return pod(container(env=[{"name": variable, "valueFrom": source}]), annotations=annotations)


def limited(suffix=""):
    return (Found("/spec/containers/0/env/0/valueFrom", "error", (f"{LIMIT}{suffix} (from a ConfigMap)",)),)


ROWS = [
    *(Row(f"{name}={value}", sharing(env=env((name, value))), lifts(name)) for name, value in SWITCHES.items()),
    *(Row(f"{name}={value!r} leaves the limits", sharing(env=env((name, value)))) for name, value in HARMLESS.items()),
    *(Row(f"{name} on a whole card", sharing(1, env=env((name, value)))) for name, value in SWITCHES.items()),
    Row(
        "false switches off under Volcano too",
        sharing(env=env(CUDA_DISABLE_CONTROL="false")),
        lifts("CUDA_DISABLE_CONTROL"),
    ),
    *(
        Row(f"shared by name: {next(iter(gpu))}", sharing(gpu, env=DISABLE), lifts("CUDA_DISABLE_CONTROL"))
        for gpu in (
            {"aliyun.com/gpu-mem": 3},
            {"nvidia.com/gpu.shared": 1},
            {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 3000},
        )
    ),
    Row(
        "shared by annotation",
        pod(container(env=DISABLE), annotations={"gpu-fraction": "0.5"}),
        lifts("CUDA_DISABLE_CONTROL"),
    ),
    *(
        Row(
            f"shared by the policy: {name}",
            sharing(1, env=DISABLE),
            lifts("CUDA_DISABLE_CONTROL"),
            {"backend": {"name": name}},
        )
        for name in ("hami", "mps", "time-slicing", "volcano-vgpu")
    ),
    *(
        Row(f"not shared: {name}", sharing(1, env=DISABLE), (), {"backend": {"name": name}})
        for name in ("exclusive", "mig", "dra", "kai", "koordinator", "gpushare", "volcano")
    ),
    *(
        Row(
            f"a MIG device is not shared: {name}",
            sharing({"nvidia.com/mig-1g.5gb": 1}, env=DISABLE),
            (),
            {"backend": {"name": name}},
        )
        for name in ("hami", "mps", "time-slicing", "kai", "koordinator")
    ),
    Row(
        "a card that HAMi's scheduler allocates, under no backend's policy",
        pod(container(gpu=1, env=DISABLE), schedulerName="hami-scheduler"),
        lifts("CUDA_DISABLE_CONTROL"),
        {"backend": {"name": "any"}},
    ),
    Row(
        "not shared: another vendor's card", sharing({"amd.com/gpu": 1}, env=DISABLE), (), {"backend": {"name": "hami"}}
    ),
    Row(
        "from elsewhere",
        sharing(env=[{"name": "LD_PRELOAD", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]),
        (Found("/spec/containers/0/env/0/valueFrom", "error", ("LD_PRELOAD", "a ConfigMap")),),
    ),
    Row(
        "by a prefix",
        sharing(envFrom=[{"prefix": "CUDA_", "configMapRef": {"name": "c"}}]),
        (Found("/spec/containers/0/envFrom/0/prefix", "error", ('"CUDA_"', "CUDA_DISABLE_CONTROL", "under env")),),
    ),
    Row("only the container that has the share", pod(container(gpu=SHARE), container("b", env=DISABLE))),
    Row(
        "a template",
        template("Deployment", container(gpu=SHARE, env=DISABLE)),
        (Found("/spec/template/spec/containers/0/env/0/value", "error", ("CUDA_DISABLE_CONTROL",)),),
    ),
    *(
        Row(f"the prefix {prefix}", from_prefix(prefix), (Found(f"{ENV_FROM}/prefix", "error", (name, "lift")),))
        for prefix, name in (
            ("CUDA_DEVICE_M", "CUDA_DEVICE_MEMORY_LIMIT"),
            ("CUDA_DEVICE_MEMORY_LIMIT", "CUDA_DEVICE_MEMORY_LIMIT"),
            ("CUDA_DEVICE_MEMORY_LIMIT_", "CUDA_DEVICE_MEMORY_LIMIT"),
            ("CUDA_MPS_", "CUDA_MPS_"),
            ("CUDA_MPS_ACTIVE_", "CUDA_MPS_"),
            ("CUDA_DEVICE_S", "CUDA_DEVICE_SM_LIMIT"),
            ("CGPU_", "CGPU_DISABLE"),
            ("LD_", "LD_PRELOAD"),
        )
    ),
    *(Row(f"the prefix {prefix}", from_prefix(prefix)) for prefix in ("APP_", "CUDA_HOME", "CGPU_DISABLE", "LD_L")),
    *(
        Row(
            f"another vendor's card is none of theirs: {name}",
            sharing({name: 1}, env=env(LD_PRELOAD="/x", **MPS)),
            (),
            policy,
        )
        for name in (
            "habana.ai/gaudi",
            "aws.amazon.com/neuroncore",
            "gpu.intel.com/tiles",
            "hygon.com/dcumem",
            "amd.com/gpu",
        )
        for policy in ({}, {"backend": {"name": "mps", "replicas": 2}}, {"backend": {"name": "hami"}})
    ),
    *(
        Row(
            f"LD_PRELOAD where nothing is preloaded: {name}",
            sharing(gpu, env=env(LD_PRELOAD="/x.so")),
            (),
            {"backend": {"name": name}},
        )
        for name, gpu in (
            ("time-slicing", 1),
            ("mps", 1),
            ("gpushare", {"aliyun.com/gpu-mem": 3}),
            ("volcano", {"volcano.sh/gpu-memory": 3000}),
        )
    ),
    *(
        Row(
            f"LD_PRELOAD where the limits are preloaded: {backend.name}",
            sharing(PRELOADED[backend.name], env=env(LD_PRELOAD="/x.so"), annotations={"gpu-memory": "2000"}),
            lifts("LD_PRELOAD"),
            {"backend": {"name": backend.name}},
        )
        for backend in registry.ALL
        if backend.preloads
    ),
    Row("the limit that KAI's hamicore writes", hamicore(), (), UNDER_KAI),
    Row("under another policy", hamicore(), limited()),
    Row("from another ConfigMap", hamicore(config_map="mine"), limited(), UNDER_KAI),
    Row("by another key", hamicore(key="NVIDIA_VISIBLE_DEVICES"), limited(), UNDER_KAI),
    Row("another variable", hamicore(variable="CUDA_DEVICE_MEMORY_LIMIT_0"), limited("_0"), UNDER_KAI),
    Row("with a request that KAI cannot read", hamicore(memory="x"), limited(), UNDER_KAI),
    Row("env a number", sharing(env=5)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_isolation_switch(row):
    verify("GPU308", row)
