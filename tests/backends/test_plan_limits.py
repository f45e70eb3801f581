"""A pod of very many containers is rejected in one sentence, not translated for half a minute."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader

MOST = 512


def pod(count, amounts):
    containers = [{"name": f"c{n}", "image": "i", "resources": {"limits": dict(amounts)}} for n in range(count)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}


@pytest.mark.parametrize("name", ["default", "hami", "gpushare", "koordinator", "dra"])
def test_one_container_too_many_to_translate_is_one_error_and_no_patch(name):
    engine = Engine(rules.ALL, loader.load(name))
    document = pod(MOST + 1, {"gpu-admission.io/gpu-mem": "8Gi"})
    mutation = engine.mutate(document, "admission")
    found = [each for each in engine.remaining(mutation) if each.rule.startswith("GPU1")]
    assert [(each.rule, each.severity, each.pointer[:4]) for each in found] == [
        ("GPU102", "error", ("spec", "containers", 0, "resources"))
    ]
    assert "in a pod where 513 containers request GPUs in names other than this cluster's" in found[0].message
    assert "at most 512" in found[0].message
    assert not any(operation.rule == "GPU101" for operation in mutation.patch)


def test_as_many_as_are_translated_are_translated():
    engine = Engine(rules.ALL, loader.load("hami"))
    made = engine.mutate(pod(MOST, {"gpu-admission.io/gpu-mem": "1Gi"}), "admission").object
    limits = [each["resources"]["limits"] for each in made["spec"]["containers"]]
    assert limits == [{"nvidia.com/gpu": 1, "nvidia.com/gpumem": 1024}] * MOST


def test_requests_in_the_clusters_own_words_are_not_counted():
    engine = Engine(rules.ALL, loader.load("hami"))
    found = engine.validate(pod(MOST + 1, {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "1024"}), "admission")
    assert not [each for each in found if each.rule == "GPU102"]
