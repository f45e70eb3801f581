"""The harness itself."""

import pytest

pytestmark = pytest.mark.e2e

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "example.com/c:1"}]},
}


def test_answers(api):
    assert api.get("/version").object["major"] == "1"
    made = api.create(POD, dryRun="All", fieldValidation="Strict")
    assert (made.status, made.object["spec"]["schedulerName"]) == (201, "default-scheduler")


def test_names_the_fields_it_refuses(api):
    container = {"name": "c", "image": "example.com/c:1", "resources": {"limits": {"nvidia.com/gpu": 0.5}}}
    refused = api.create({**POD, "spec": {"containers": [container]}}, dryRun="All")
    assert refused.status == 422
    assert {field for field, _ in refused.causes} == {
        f"spec.containers[0].resources.{side}[nvidia.com/gpu]" for side in ("limits", "requests")
    }


def test_kubectl(cluster):
    assert "namespace/default" in cluster.kubectl("get", "ns", "default", "-o", "name").stdout
