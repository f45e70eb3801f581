"""Pods that were there before the webhook: nobody is locked in with them."""

import pytest
from e2e.objects import space

pytestmark = pytest.mark.e2e

# Refused under the default policy: a device of the node, and every card shown.
BAD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "old",
        "finalizers": ["example.com/keep"],
        "annotations": {"cdi.k8s.io/x": "nvidia.com/gpu=0"},
    },
    "spec": {
        "containers": [
            {
                "name": "train",
                "image": "example.com/train:1",
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}],
            }
        ],
        "volumes": [{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}],
    },
}


@pytest.fixture(scope="module")
def old(api, server):
    """Where a bad pod stands that was created before the webhooks were registered."""
    with space(api, "before-us") as name:
        made = api.create(BAD, name)
        assert made.status == 201, made
        with server.registered(api):
            yield f"/api/v1/namespaces/{name}/pods/old"


def test_it_would_be_refused_today(api, old):
    refused = api.create({**BAD, "metadata": {"name": "new"}}, "before-us", dryRun="All")
    assert refused.status == 403
    assert {rule for rule in ("GPU301", "GPU304") if rule in refused.message} == {"GPU301", "GPU304"}


def test_it_can_be_labelled(api, old):
    assert api.patch(old, {"metadata": {"labels": {"seen": "yes"}}}).status == 200


def test_it_cannot_be_made_worse(api, old):
    refused = api.patch(old, {"metadata": {"annotations": {"cdi.k8s.io/y": "nvidia.com/gpu=all"}}})
    assert refused.status == 403, refused
    assert "GPU306 " in refused.message
    assert "GPU304" not in refused.message


def test_its_image_can_be_changed(api, old):
    change = {"spec": {"containers": [{"name": "train", "image": "example.com/train:2"}]}}
    assert api.patch(old, change, "strategic-merge").status == 200


def test_its_finalizers_can_be_removed(api, old):
    api.delete(old, gracePeriodSeconds=0)
    assert api.get(old).object["metadata"]["deletionTimestamp"]
    assert api.patch(old, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(old).status == 404
