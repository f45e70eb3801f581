"""Pods as controllers make them: the ruling on the first of a crowd is found again for all others."""

import re
import time
import urllib.request

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("webhook", "scheduling")]

GPU = "nvidia.com/gpu"
COUNT = 6
LABELS = {"app": "train", "app.kubernetes.io/name": "train"}


def template(image):
    """Pods with what tells them apart: the number of a job's pod, and names that come from the pod."""
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IMAGE", "value": image},
    ]
    container = {"name": "train", "image": image, "env": env, "resources": {"limits": {GPU: 1}}}
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}


def workload(kind, image):
    spec = {"template": template(image)}
    if kind == "Job":
        spec |= {"completions": COUNT, "parallelism": COUNT, "completionMode": "Indexed"}
        spec["template"]["spec"]["restartPolicy"] = "Never"
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": {"generateName": "j-"}, "spec": spec}
    spec |= {"replicas": COUNT, "selector": {"matchLabels": {"app": "train"}}}
    if kind == "StatefulSet":
        spec |= {"serviceName": "train", "podManagementPolicy": "Parallel"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"generateName": "w-"}, "spec": spec}


def remembered(server):
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.health_port}/metrics", timeout=5).read().decode()
    found = re.search(r"^gpu_admission_reviews_remembered_total (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def pods(api, namespace, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = api.get(f"/api/v1/namespaces/{namespace}/pods").object["items"]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} of {count} pods")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_a_controllers_pods_are_ruled_on_once(api, server, namespace, kind):
    before = remembered(server)
    for rollout in (1, 2):
        assert api.create(workload(kind, f"example.com/train:{rollout}"), namespace).status == 201
        made = pods(api, namespace, rollout * COUNT)
    tolerated = [[each["key"] for each in one["spec"]["tolerations"] if each.get("key") == GPU] for one in made]
    assert tolerated == [[GPU]] * len(made)
    # Each pod is reviewed twice, to be mended and to be judged; but for the first, both rulings are known.
    assert remembered(server) - before >= 2 * (len(made) - 1)
