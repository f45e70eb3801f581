"""GPU104 to GPU109: shared counts, amounts beyond every card, units, containers, percentages, queues."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

MEM, COUNT, CORE = (f"gpu-admission.io/gpu-{what}" for what in ("mem", "count", "core"))
SLICED = {"backend": {"name": "time-slicing", "failRequestsGreaterThanOne": True}}
BY_DEFAULT = {"backend": {"name": "time-slicing"}}
GPUSHARE = {"backend": {"name": "gpushare"}}
VGPU = {"backend": {"name": "volcano-vgpu"}}
HAMI = {"backend": {"name": "hami"}}
KAI = {"backend": {"name": "kai"}}


def cards(policy, *models):
    return {**policy, "cluster": {"cards": [{"model": model} for model in models]}}


def limits(said, name="train", **fields):
    return container(name, gpu=said, **fields)


def at(name, *words, index=0, severity="error", where="containers"):
    return Found(f"/spec/{where}/{index}/resources/limits/{name.replace('/', '~1')}", severity, words)


def init(*containers):
    return {"initContainers": list(containers)}


SHARED_COUNT = [
    Row("two shares", pod(container(gpu=2)), (at("nvidia.com/gpu", "2 shares", "request 1"),), SLICED),
    Row("two shares of MPS", pod(container(gpu=2)), (at("nvidia.com/gpu", "2 shares"),), {"backend": {"name": "mps"}}),
    Row(
        "by the name of shares",
        pod(limits({"nvidia.com/gpu.shared": 3})),
        (at("nvidia.com/gpu.shared", "3 shares"),),
        {"backend": {**SLICED["backend"], "renameByDefault": True}},
    ),
    Row(
        "in a template",
        template("Deployment", container(gpu=2)),
        (Found("/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu", "error", ()),),
        SLICED,
    ),
    Row("several, which the plugin serves by default", pod(container(gpu=2)), (), BY_DEFAULT),
    Row(
        "several of MPS, where the plugin was told so",
        pod(container(gpu=2)),
        (),
        {"backend": {"name": "mps", "failRequestsGreaterThanOne": False}},
    ),
    Row(
        "shares of a MIG device",
        pod(limits({"nvidia.com/mig-1g.5gb.shared": 2})),
        (at("nvidia.com/mig-1g.5gb.shared", "2 shares"),),
        SLICED,
    ),
    Row("one of them", pod(limits({"nvidia.com/mig-1g.5gb.shared": 1})), (), SLICED),
    Row("by default", pod(limits({"nvidia.com/mig-1g.5gb.shared": 2})), (), BY_DEFAULT),
    Row("MIG devices, shared or not", pod(limits({"nvidia.com/mig-1g.5gb": 2})), (), SLICED),
    Row(
        "several GPUs with memory, in portable names",
        pod(limits({MEM: "8Gi", COUNT: 2})),
        (at(MEM, "2 shares may be on one card"),),
        {"backend": {"name": "time-slicing", "memory": "advisory"}},
    ),
    Row("one share", pod(container(gpu=1)), (), SLICED),
    Row("two containers with one each", pod(container("a", gpu=1), container("b", gpu=1)), (), SLICED),
    Row(
        "whole cards beside renamed shares",
        pod(container(gpu=2)),
        (),
        {"backend": {"name": "time-slicing", "renameByDefault": True}},
    ),
    Row("whole cards", pod(container(gpu=2))),
]
EXCEEDS = [
    Row(
        "beyond the largest",
        pod(limits({MEM: "81Gi"})),
        (at(MEM, "81Gi on one GPU", "A100-80, has 80Gi", "at most 80Gi"),),
        cards(VGPU, "A100-80", "A100-40"),
    ),
    Row(
        "native",
        pod(limits({"volcano.sh/vgpu-memory": 81921})),
        (at("volcano.sh/vgpu-memory", "A100-80"),),
        cards(VGPU, "A100-80"),
    ),
    Row(
        "off by 1024",
        pod(limits({"volcano.sh/vgpu-memory": "8388608"})),
        (at("volcano.sh/vgpu-memory", "was 8Gi meant?"),),
        cards(VGPU, "A100-80"),
    ),
    Row(
        "a pod's sum",
        pod(limits({"aliyun.com/gpu-mem": 30}, "a"), limits({"aliyun.com/gpu-mem": 30}, "b")),
        (at("aliyun.com/gpu-mem", "makes 60 for the pod", "counts 40 on the largest card", index=1),),
        cards(GPUSHARE, "A100-40"),
    ),
    Row(
        "a suffix on a number of units",
        pod(limits({"aliyun.com/gpu-mem": "8Gi"})),
        (at("aliyun.com/gpu-mem", "was 8Gi meant?"),),
        cards(GPUSHARE, "A100-40"),
    ),
    Row("on each of two GPUs", pod(limits({MEM: "80Gi", COUNT: 2})), (), cards(VGPU, "A100-80")),
    Row("no cards, no verdict", pod(limits({MEM: "500Gi"})), (), VGPU),
    Row("all of a card", pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 81920})), (), cards(HAMI, "A100-80")),
]
UNITS = [
    Row(
        "MiB where GiB are counted",
        pod(limits({"aliyun.com/gpu-mem": 8192})),
        (
            at(
                "aliyun.com/gpu-mem",
                "8192 GiB: aliyun.com/gpu-mem counts GiB here; did you mean 8?",
                "gpu-mem: 8",
                severity="warning",
            ),
        ),
        GPUSHARE,
    ),
    Row(
        "a suffix where GiB are counted",
        pod(limits({"aliyun.com/gpu-mem": "8Gi"})),
        (at("aliyun.com/gpu-mem", "did you mean 8?"),),
        GPUSHARE,
    ),
    Row(
        "GiB where MiB are counted",
        pod(limits({"volcano.sh/gpu-memory": 8})),
        (at("volcano.sh/gpu-memory", "8 MiB", "did you mean 8192?", severity="warning"),),
        {"backend": {"name": "volcano"}},
    ),
    Row(
        "a suffix where MiB are counted",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem": "16Gi"})),
        (at("nvidia.com/gpumem", "counts MiB here; did you mean 16384?"),),
        HAMI,
    ),
    Row("bytes without a suffix", pod(limits({MEM: 8})), (at(MEM, "8 bytes", "did you mean 8Gi?"),), VGPU),
    Row("not in foreign words", pod(limits({"aliyun.com/gpu-mem": 8192})), (at("aliyun.com/gpu-mem"),), VGPU),
    Row(
        "Koordinator's bytes without a suffix",
        pod(limits({"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": 8})),
        (at("koordinator.sh/gpu-memory", "counts bytes; did you mean 8Gi?"),),
        {"backend": {"name": "koordinator"}},
    ),
    Row(
        "a zero that is all",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 0})),
        (at("nvidia.com/gpumem", "HAMi takes nvidia.com/gpumem: 0 for no limit", severity="warning"),),
        HAMI,
    ),
    Row("no GPU and none of its memory", pod(limits({"nvidia.com/gpu": 0, "nvidia.com/gpumem": 0})), (), HAMI),
    Row("what GPU105 says already", pod(limits({"aliyun.com/gpu-mem": 8192})), (), cards(GPUSHARE, "A100-40")),
    Row(
        "MiB where the plugin counts MiB",
        pod(limits({"aliyun.com/gpu-mem": 8192})),
        (),
        {"backend": {"name": "gpushare", "unit": "MiB"}},
    ),
    Row(
        "with a factor",
        pod(limits({"volcano.sh/vgpu-memory": 8})),
        (),
        {"backend": {"name": "volcano-vgpu", "memoryFactor": 1024}},
    ),
    Row("plausible", pod(limits({"aliyun.com/gpu-mem": 3})), (), GPUSHARE),
    Row(
        "above the card, but no thousand times", pod(limits({"aliyun.com/gpu-mem": 41})), (), cards(GPUSHARE, "A100-40")
    ),
]
CONTAINERS = [
    Row(
        "an init container",
        pod(container(), **init(limits({"aliyun.com/gpu-mem": 3}))),
        (at("aliyun.com/gpu-mem", "init containers", where="initContainers"),),
        GPUSHARE,
    ),
    Row(
        "a sidecar",
        pod(container(), **init(limits({"aliyun.com/gpu-mem": 3}, restartPolicy="Always"))),
        (at("aliyun.com/gpu-mem", "sidecar containers", where="initContainers"),),
        GPUSHARE,
    ),
    Row(
        "a second container",
        pod(limits({MEM: "4Gi"}, "a"), limits({MEM: "4Gi"}, "b")),
        (at(MEM, 'container "a" already requests a GPU', "together they request 8Gi", index=1),),
        GPUSHARE,
    ),
    Row(
        "a second container under KAI",
        pod(limits({MEM: "4Gi"}, "a"), limits({MEM: "4Gi"}, "b"), labels={"kai.scheduler/queue": "q"}),
        (at(MEM, "one container of a pod", index=1),),
        KAI,
    ),
    Row(
        "init under Volcano",
        pod(container(), **init(limits({"volcano.sh/gpu-memory": 2048}))),
        (at("volcano.sh/gpu-memory", where="initContainers"),),
        {"backend": {"name": "volcano"}},
    ),
    Row(
        "init under Volcano's vGPU",
        pod(container(), **init(limits({MEM: "4Gi"}))),
        (at(MEM, where="initContainers"),),
        VGPU,
    ),
    Row(
        "init under Koordinator, which counts it as Kubernetes does",
        pod(container(), **init(limits({MEM: "4Gi"}))),
        (),
        {"backend": {"name": "koordinator"}},
    ),
    Row(
        "a sidecar under HAMi is warned of",
        pod(container(), **init(limits({"nvidia.com/gpu": 1}, restartPolicy="Always"))),
        (at("nvidia.com/gpu", where="initContainers", severity="warning"),),
        HAMI,
    ),
    Row("init under HAMi", pod(container(), **init(limits({"nvidia.com/gpu": 1}))), (), HAMI),
    Row("two containers where both are counted", pod(limits({MEM: "4Gi"}, "a"), limits({MEM: "4Gi"}, "b")), (), VGPU),
    Row("whole GPUs in two containers", pod(container("a", gpu=2), container("b", gpu=2))),
]
PERCENT = [
    Row("portable", pod(limits({MEM: "8Gi", CORE: 101})), (at(CORE, "101 percent", "1 to 100"),), VGPU),
    Row(
        "cores",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpucores": 150})),
        (at("nvidia.com/gpucores", "nvidia.com/gpucores is 150 percent"),),
        HAMI,
    ),
    Row(
        "zero cores",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpucores": 0})),
        (at("nvidia.com/gpucores", "0 percent"),),
        HAMI,
    ),
    Row(
        "part of the memory",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 101})),
        (at("nvidia.com/gpumem-percentage", "101 percent"),),
        HAMI,
    ),
    Row(
        "Volcano",
        pod(limits({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-cores": 200})),
        (at("volcano.sh/vgpu-cores", "200 percent"),),
        VGPU,
    ),
    Row(
        "Koordinator, between one card and two",
        pod(limits({"koordinator.sh/gpu": 150})),
        (at("koordinator.sh/gpu", "150 percent"),),
        {"backend": {"name": "koordinator"}},
    ),
    Row("Koordinator, two cards", pod(limits({"koordinator.sh/gpu": 200})), (), {"backend": {"name": "koordinator"}}),
    Row(
        "foreign words",
        pod(limits({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-cores": 200})),
        (at("volcano.sh/vgpu-cores", "200 percent"),),
        HAMI,
    ),
    Row("all of it", pod(limits({MEM: "8Gi", CORE: 100})), (), VGPU),
]
QUEUE = [
    Row("a share", pod(limits({MEM: "8Gi"})), (), KAI),
    Row("a whole GPU", pod(container(gpu=1)), (), KAI),
    Row("by annotation", pod(container(), annotations={"gpu-memory": "2000"}), (), KAI),
    Row("an annotation", pod(container(gpu=1), annotations={"kai.scheduler/queue": "q"}), (at("nvidia.com/gpu", "as an annotation", severity="warning"),), KAI),
    Row("the older label", pod(container(gpu=1), labels={"runai/queue": "q"}), (), KAI),
    Row("a project", pod(container(gpu=1), labels={"project": "q"}), (), KAI),
    Row("an empty queue", pod(container(gpu=1), labels={"kai.scheduler/queue": ""}), (at("nvidia.com/gpu", "is empty", "default-queue"),), KAI),
    Row("a queue", pod(container(gpu=1), labels={"kai.scheduler/queue": "q"}), (), KAI),
    Row("a queue in the policy", pod(container(gpu=1)), (), {"backend": {"name": "kai", "queue": "default"}}),
    Row("no GPU", pod(container()), (), KAI),
    Row("another backend", pod(container(gpu=1)), (), HAMI),
]  # fmt: skip
CASES = [
    pytest.param(rule, row, id=f"{rule}-{row.name}")
    for rule, rows in {
        "GPU104": SHARED_COUNT,
        "GPU105": EXCEEDS,
        "GPU106": UNITS,
        "GPU107": CONTAINERS,
        "GPU108": PERCENT,
        "GPU109": QUEUE,
    }.items()
    for row in rows
]


@pytest.mark.parametrize(("rule", "row"), CASES)
def test_sharing(rule, row):
    verify(rule, row)
