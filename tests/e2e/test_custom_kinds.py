"""Custom kinds with a pod template: the API server takes any GPU request there, and we are the only check."""

import pytest
from e2e.objects import define

from gpu_admission.workloads import kinds

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("webhook")]

GPU = "nvidia.com/gpu"
# A kind of the table, and one that is not registered.
KNOWN, UNKNOWN = ("kubeflow.org", "PyTorchJob"), ("example.com", "Train")


@pytest.fixture(scope="module", autouse=True)
def definitions(api):
    for group, kind in (KNOWN, UNKNOWN):
        define(api, group, kind)


def job(amounts, kind=KNOWN):
    container = {"name": "pytorch", "image": "example.com/train:1", "resources": amounts}
    template = {"spec": {"containers": [container]}}
    spec = {"pytorchReplicaSpecs": {"Worker": {"template": template}}}
    return {"apiVersion": f"{kind[0]}/v1", "kind": kind[1], "metadata": {"generateName": "j-"}, "spec": spec}


def test_the_kind_is_one_of_the_table():
    assert kinds.places("kubeflow.org/v1", "PyTorchJob")
    assert kinds.places("example.com/v1", "Train") is None


@pytest.mark.parametrize("amount", ["0.5", -1, "one", True, [1], {"a": 1}])
def test_an_amount_that_no_pod_could_have_is_refused(api, namespace, amount):
    refused = api.create(job({"limits": {GPU: amount}}), namespace)
    assert refused.status == 403, refused
    assert 'admission webhook "custom.gpu-admission.io" denied the request: GPU00' in refused.message
    assert "/spec/pytorchReplicaSpecs/Worker/template/spec/containers/0/resources/limits/" in refused.message


def test_what_its_pods_would_be_spared_is_warned_of(api, namespace):
    made = api.create(job({"requests": {GPU: 1}}), namespace)
    assert made.status == 201, made
    assert [warning[:7] for warning in made.warnings] == ["GPU001 "]
    assert made.object["spec"] == job({"requests": {GPU: 1}})["spec"]


def test_one_that_is_right_is_taken_without_a_word(api, namespace):
    made = api.create(job({"limits": {GPU: 1}}), namespace)
    assert (made.status, made.warnings) == (201, [])


def test_a_bad_one_can_be_labelled_and_deleted_but_not_made_worse(api, server, namespace):
    server.stop()
    try:
        made = api.create(job({"limits": {GPU: "0.5"}}), namespace)  # custom kinds are registered with Ignore
        assert made.status == 201, made
    finally:
        server.start()
    path = f"/apis/kubeflow.org/v1/namespaces/{namespace}/pytorchjobs/{made.object['metadata']['name']}"
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}}).status == 200
    worse = job({"limits": {GPU: "0.25"}})["spec"]
    assert api.patch(path, {"spec": worse}).status == 403
    better = job({"limits": {GPU: 2}})["spec"]
    assert api.patch(path, {"spec": better}).status == 200
    assert api.delete(path).status == 200


def test_an_unregistered_kind_is_none_of_our_business(api, namespace):
    assert api.create(job({"limits": {GPU: "0.5"}}, UNKNOWN), namespace).status == 201
