"""GPU110: annotations that were meant for KAI, misspelt or in another place."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.table import Found, Row, container, pod, template, verify

KAI = {"backend": {"name": "kai"}}


def warning(place, *words):
    return Found(place, "warning", words)


def annotated(key, value="0.5", **spec):
    return pod(container(), annotations={key: value}, **spec)


def deployment(annotations=None, labels=None, inner=None):
    made = template("Deployment", container())
    made["metadata"].update({"annotations": annotations or {}, "labels": labels or {}})
    made["spec"]["template"]["metadata"].update(inner or {})
    return made


SPELLINGS = (
    "gpu-fractions", "gpu_fraction", "gpuFraction", "GPU-Fraction", "gpu.fraction", "gpu-fracton", "kai.scheduler/gpu-fraction", "runai/gpu-fraction",
)  # fmt: skip
OTHERS = (
    "gpu-fraction", "gpu-fraction.limit", "gpu-memory.limit", "kai.scheduler/queue", "example.com/gpu-fraction", "gpu", "gpu-type",
    "kai.scheduler/container.train.gpu-memory.portion.limit", "nvidia.com/gpu", "nvidia.com/gpu.product", "fraction", "x" * 300,
)  # fmt: skip
CASES = [
    *[
        Row(
            key,
            annotated(key),
            (warning(f"/metadata/annotations/{key.replace('/', '~1')}", 'gpu-fraction: "0.5"'),),
            KAI,
        )
        for key in SPELLINGS
    ],
    *[Row(key, annotated(key), (), KAI) for key in OTHERS],
    Row(
        "memory with a unit",
        annotated("nvidia.com/gpu.memory", "8Gi"),
        (warning("/metadata/annotations/nvidia.com~1gpu.memory", 'gpu-memory: "8192" (MiB)'),),
        KAI,
    ),
    Row(
        "gpu-mem",
        annotated("gpu-mem", "2000"),
        (warning("/metadata/annotations/gpu-mem", "write gpu-memory"),),
        KAI,
    ),
    Row(
        "how many",
        annotated("gpu-fraction-num-device", "2"),
        (warning("/metadata/annotations/gpu-fraction-num-device", "gpu-fraction-num-devices"),),
        KAI,
    ),
    Row(
        "a label",
        pod(container(), labels={"gpu-fraction": "0.5"}),
        (warning("/metadata/labels/gpu-fraction", "metadata.annotations"),),
        KAI,
    ),
    Row(
        "on the Deployment",
        deployment({"gpu-memory": "2000"}),
        (warning("/metadata/annotations/gpu-memory", "spec.template.metadata.annotations"),),
        KAI,
    ),
    Row(
        "a label of the Deployment",
        deployment(labels={"gpu_fraction": "0.5"}),
        (warning("/metadata/labels/gpu_fraction", "spec.template.metadata.annotations"),),
        KAI,
    ),
    Row(
        "in both places",
        deployment({"gpu-fraction": "0.5"}, inner={"annotations": {"gpu-fraction": "0.5"}}),
        (),
        KAI,
    ),
    Row(
        "by its scheduler",
        annotated("gpu-fractions", schedulerName="kai-scheduler"),
        (warning("/metadata/annotations/gpu-fractions"),),
        {"backend": {"name": "hami"}},
    ),
    Row("another cluster", annotated("gpu-fractions"), (), {"backend": {"name": "hami"}}),
    Row("labels that are a list", {**annotated("a"), "metadata": {"name": "p", "labels": ["gpu-fractions"]}}, (), KAI),
    Row("keys that are numbers", {**annotated("a"), "metadata": {"name": "p", "annotations": {1: "x"}}}, (), KAI),
    Row(
        "values that are not texts",
        annotated("gpu_fraction", {"a": []}),
        (warning("/metadata/annotations/gpu_fraction", "a mapping"),),
        KAI,
    ),
]


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.name[:40])
def test_gpu110(row):
    verify("GPU110", row)


def test_the_webhook_is_not_told_of_such_pods():
    engine = Engine(rules.ALL, Policy("kai", KAI))
    assert not [each for each in engine.validate(annotated("gpu-fractions"), "admission") if each.rule == "GPU110"]
