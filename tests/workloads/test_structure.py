"""Objects that Kubernetes could not decode, with place and error."""

import pytest

from gpu_admission.workloads import structure


def pod(**spec):
    return {"apiVersion": "v1", "kind": "Pod", "spec": spec}


def container(**fields):
    return pod(containers=[{"name": "a", "image": "i", **fields}])


A = ("spec", "containers", 0)


@pytest.mark.parametrize(
    ("document", "place", "said"),
    [
        (pod() | {"spec": []}, ("spec",), "spec is a list, but Kubernetes expects a mapping"),
        (pod() | {"metadata": 3}, ("metadata",), "metadata is a number, but Kubernetes expects a mapping"),
        (
            pod(containers={"name": "a"}),
            ("spec", "containers"),
            "containers is a mapping, but Kubernetes expects a list",
        ),
        (pod(containers=[3]), A, "item 0 of containers is a number"),
        (pod(tolerations="all"), ("spec", "tolerations"), "tolerations is a string"),
        (container(resources=4), (*A, "resources"), "resources is a number"),
        (container(resources={"limits": []}), (*A, "resources", "limits"), "limits is a list"),
        (container(env="A=1"), (*A, "env"), "env is a string, but Kubernetes expects a list"),
        (container(env={"A": 1}), (*A, "env"), "env is a mapping"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": True}},
            ("spec", "template"),
            "a boolean",
        ),
        (
            {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": {"tasks": 1}},
            ("spec", "tasks"),
            "a list or",
        ),
        ({"apiVersion": "v1", "kind": "List", "items": 7}, ("items",), "items is a number"),
        ({"apiVersion": "v1", "kind": "List", "items": [7]}, ("items", 0), "item 0 of items is a number"),
    ],
)
def test_the_place_and_what_is_wanted(document, place, said):
    [(found, message)] = structure.find(document)
    assert found == place
    assert said in message
    assert message.endswith("and cannot decode this object")


@pytest.mark.parametrize(
    "document",
    [
        pod(containers=[{"name": "a", "resources": None, "env": None}], volumes=None),
        pod(containers="{{ containers }}"),
        container(resources="$RESOURCES"),
        {"apiVersion": "v1", "kind": "ConfigMap", "data": []},
        {"apiVersion": "new.io/v1", "kind": "Odd", "spec": []},
        {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "spec": {"predictor": None}},
        {"kind": "Pod", "spec": []},
        [],
        None,
    ],
)
def test_what_kubernetes_could_read_or_nobody_knows(document):
    assert structure.find(document) == []
