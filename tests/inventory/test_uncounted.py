"""Pods that hold GPUs without being counted."""

import pytest
from inventory.clusters import ALL, collected, node, pod

NODE = node("n", {"nvidia.com/gpu": "4"})


def found(one, *nodes):
    inventory = collected({"nodes": nodes or [NODE], "pods": [one]})
    return [(each.rule, each.certain, each.system) for each in inventory.uncounted]


def with_container(**fields):
    one = pod("p", "n")
    one["spec"]["containers"][0].update(fields)
    return one


@pytest.mark.parametrize(
    ("one", "rule", "certain"),
    [
        (with_container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]), "GPU301", True),
        (with_container(securityContext={"privileged": True}), "GPU507", False),
        (pod("p", "n", volumes=[{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}]), "GPU304", True),
        (pod("p", "n", annotations={"cdi.k8s.io/x": "nvidia.com/gpu=all"}), "GPU306", True),
        (
            {**(one := pod("p", "n", {"nvidia.com/gpu": "1"})), "spec": {**one["spec"], "containers": [{**one["spec"]["containers"][0], "securityContext": {"privileged": True}}]}},
            "GPU303",
            False,
        ),
    ],
    ids=["variable", "privileged", "host path", "cdi", "privileged with a GPU"],
)  # fmt: skip
def test_a_pod_that_holds_gpus_beside_the_device_plugin_is_named(one, rule, certain):
    one = {**one, "spec": {**one["spec"]}}
    if rule == "GPU304":
        one["spec"]["containers"] = [
            {**one["spec"]["containers"][0], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
        ]
    assert (rule, certain, "") in found(one)


def test_ordinary_pods_and_pods_elsewhere_are_not():
    assert found(pod("p", "n", {"nvidia.com/gpu": "1"})) == []
    elsewhere = with_container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])
    elsewhere["spec"]["nodeName"] = "cpu"
    assert found(elsewhere, NODE, node("cpu")) == []


def test_components_of_the_systems_themselves_are_told_apart():
    one = with_container(securityContext={"privileged": True})
    one["metadata"]["namespace"] = "gpu-operator"
    assert found(one) == [("GPU507", False, "NVIDIA GPU Operator")]


def test_what_the_backend_itself_writes_is_not_held_against_its_pods():
    assert collected(ALL["kai"]).uncounted == []
