"""GPU308: switches that matter on shared cards only."""

import pytest

from rules.table import Found, Row, container, env, pod, template, verify

SHARE = {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 4096}
PLACE = "/spec/containers/0/env/0/value"


def lifts(name, *words):
    return (Found(PLACE, "error", (name, "limits", f"remove {name}", *words)),)


def sharing(gpu=SHARE, **fields):
    return pod(container(gpu=gpu, **fields))


SWITCHES = {
    "CUDA_DISABLE_CONTROL": "true",
    "CUDA_DEVICE_MEMORY_LIMIT": "0",
    "CUDA_DEVICE_MEMORY_LIMIT_0": "80g",
    "CUDA_DEVICE_SM_LIMIT": "100",
    "CUDA_MPS_PIPE_DIRECTORY": "/tmp/mine",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "100",
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
        for name in ("hami", "mps", "time-slicing", "volcano-vgpu", "kai")
    ),
    *(
        Row(f"not shared: {name}", sharing(1, env=DISABLE), (), {"backend": {"name": name}})
        for name in ("exclusive", "mig", "dra")
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
    Row("env a number", sharing(env=5)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_isolation_switch(row):
    verify("GPU308", row)
