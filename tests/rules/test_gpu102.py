"""GPU102: requests that the backend cannot honour; the reasons of each backend are in tests/backends."""

import pytest

from rules.table import Found, Row, container, pod, verify

MEM, COUNT, CORE = (f"gpu-admission.io/gpu-{what}" for what in ("mem", "count", "core"))
AT = "/spec/containers/0/resources/limits/"
VGPU = {"backend": {"name": "volcano-vgpu"}}
GPUSHARE = {"backend": {"name": "gpushare"}}


def limits(said, **fields):
    return container(gpu=said, **fields)


def refused(name, *words):
    return (Found(AT + name.replace("/", "~1"), "error", words),)


ROWS = [
    Row("several GPUs", pod(limits({MEM: "8Gi", COUNT: 2})), refused(MEM, "2 GPUs", "gpu-count: 1"), GPUSHARE),
    Row("nothing at all", pod(limits({MEM: 0})), refused(MEM, "requests no memory at all"), VGPU),
    Row("memory on no GPU", pod(limits({MEM: "8Gi", COUNT: 0})), refused(COUNT, "requests no GPU at all"), VGPU),
    Row("zero GPUs", pod(limits({COUNT: 0})), refused(COUNT, "requests no GPU at all"), VGPU),
    Row("a tebibyte and more", pod(limits({MEM: "8Ti"})), refused(MEM, "which no GPU has", "8Gi would be"), VGPU),
    Row("more than int64", pod(limits({MEM: "1e1000000"})), refused(MEM, "which no GPU has"), VGPU),
    Row("more GPUs than there are", pod(limits({COUNT: "9e18"})), refused(COUNT, "than any node has"), VGPU),
    Row(
        "words of another backend are told of its policy",
        pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpucores": 30})),
        refused("nvidia.com/gpu", "30 percent", "names of HAMi: use the policy hami"),
    ),
    Row(
        "privileged under HAMi",
        pod(limits({MEM: "8Gi"}, securityContext={"privileged": True})),
        refused(MEM, "privileged", "every card"),
        {"backend": {"name": "hami"}},
    ),
    Row(
        "a node chosen by name under HAMi",
        pod(limits({MEM: "8Gi"}), nodeName="n1"),
        refused(MEM, "nodeName", "kubernetes.io/hostname"),
        {"backend": {"name": "hami"}},
    ),
    Row(
        "Alibaba's own cloud counts otherwise",
        pod(limits({"aliyun.com/gpu-count": 2})),
        refused("aliyun.com/gpu-count", "one thing in the open source gpushare"),
        VGPU,
    ),
    Row(
        "words of a system that nobody here reads",
        pod(limits({"nvidia.com/vgpu-number": 1, "nvidia.com/vgpu-memory": 3000})),
        (),
        VGPU,
    ),
    Row("part of a card, of whole ones", pod(limits({"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 50}))),
    Row("all of a card in percent", pod(limits({"nvidia.com/gpu": 2, "nvidia.com/gpumem-percentage": 100})), (), VGPU),
    Row("a fraction of a byte is another rule's", pod(limits({MEM: "0.5"})), (), VGPU),
    Row("negative is another rule's", pod(limits({MEM: "-8Gi"})), (), VGPU),
    Row("unparsable is another rule's", pod(limits({MEM: "eight"})), (), VGPU),
    Row("what can be honoured", pod(limits({MEM: "8Gi"})), (), VGPU),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_untranslatable_request(row):
    verify("GPU102", row)


@pytest.mark.parametrize("row", [row for row in ROWS if row.found], ids=lambda row: row.name)
def test_nothing_is_translated_by_any_rule_then(row):
    from gpu_admission import rules
    from gpu_admission.engine.engine import Engine
    from gpu_admission.policy.model import Policy

    sharing = [rule for rule in rules.ALL if rule.id.startswith("GPU1")]
    assert Engine(sharing, Policy("t", row.policy)).mutate(row.object, "admission").patch == ()
