"""GPU307: what schedulers write, and what users may."""

import pytest

from gpu_admission.rules import gpu_markers
from rules.table import Found, Row, container, pod, template, verify


def marked(field, key, words, value="0"):
    place = f"/metadata/{field}/{key.replace('/', '~1')}"
    return Row(
        f"{field[:-1]} {key}: {value}",
        pod(container(), **{field: {key: value}}),
        (Found(place, "error", (key, "remove", *words)),),
    )


DEPLOYMENT = template("Deployment", container())
USERS_ANNOTATIONS = (
    "volcano.sh/queue-name",
    "volcano.sh/vgpu-mode",
    "volcano.sh/task-spec",
    "scheduling.k8s.io/group-name",
    "nvidia.com/use-gputype",
    "nvidia.com/nouse-gputype",
    "nvidia.com/use-gpuuuid",
    "nvidia.com/vgpu-mode",
    "nvidia.com/numa-bind",
    "hami.io/gpu-scheduler-policy",
    "hami.io/node-scheduler-policy",
    "hami.io/devices-to-allocate-later",
    "gpu-memory",
    "gpu-fraction",
    "gpu-fraction-num-devices",
    "kai.scheduler/queue",
    "nvidia.com/container.train.gpu-memory.request",
    "nvidia.com/container.train.gpu-memory.limit",
    "nvidia.com/container.train.gpu-compute.mode",
    "nvidia.com/container.gpus.devices",
    "huawei.com/vnpu-mode",
    "scheduling.koordinator.sh/device-allocate-hint",
    "tencent.com/vcuda-core-limit",
    "ALIYUN_COM_OTHER",
    "elasticgpu.io/other",
    "",
)

ROWS = [
    *(
        marked("annotations", key.replace("*", "x"), (system,))
        for key, system in gpu_markers.TRUSTED_ANNOTATIONS.items()
    ),
    *(marked("labels", key.replace("*", "x"), (system,)) for key, system in gpu_markers.TRUSTED_LABELS.items()),
    *(marked("labels", key, (system, "hides the pod"), value) for key, value, system in gpu_markers.OPT_OUT_LABELS),
    *(
        marked("annotations", key, (system, "hides the pod"), value)
        for key, value, system in gpu_markers.OPT_OUT_ANNOTATIONS
    ),
    Row("who opts in", pod(container(), annotations={"kai-resource-isolator.io/inject": "true"})),
    marked("annotations", "ALIYUN_COM_GPU_MEM_IDX", ("gpushare",)),
    marked("annotations", "hami.io/vgpu-devices-to-allocate", ("HAMi",)),
    marked("annotations", "hami.io/Ascend910B-devices-to-allocate", ("HAMi",)),
    marked("annotations", "tencent.com/predicate-gpu-idx-0", ("GPU Manager",)),
    marked("annotations", "nvidia.com/container.train.gpus.devices", ("KAI",), "GPU-1,GPU-2"),
    marked("annotations", "nvidia.com/container.a.b.gpu-compute.portion", ("KAI",), "1"),
    *(Row(f"users may write {key!r}", pod(container(), annotations={key: "x"})) for key in USERS_ANNOTATIONS),
    Row(
        "users may write labels of KAI's queues",
        pod(container(), labels={"kai.scheduler/queue": "a", "runai-gpu-groups": "x"}),
    ),
    Row("another word for the webhook", pod(container(), labels={"hami.io/webhook": "enabled"})),
    Row("an annotation is no label", pod(container(), annotations={"hami.io/webhook": "ignore"})),
    Row(
        "a template",
        {
            **DEPLOYMENT,
            "spec": {
                "template": {**DEPLOYMENT["spec"]["template"], "metadata": {"labels": {"hami.io/webhook": "ignore"}}}
            },
        },
        (Found("/spec/template/metadata/labels/hami.io~1webhook", "error", ("HAMi",)),),
    ),
    Row("a pod as a cluster had it", pod(container(), annotations={"hami.io/vgpu-node": "n"}, uid="4a")),
    *(
        Row(f"shapes: {said}", pod(container(), annotations=said, labels=said))
        for said in ("x", ["hami.io/vgpu-node"], {1: 2, None: 3})
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_spoofed_annotation(row):
    verify("GPU307", row)
