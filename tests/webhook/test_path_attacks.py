"""Ways to a card by a path or a mount, as reviews, through the front door: each is denied under every shipped policy."""

import copy
import json

import pytest
from reviews import UID, pod, review

import policies
from gpu_admission.rules import gpu_markers
from gpu_admission.webhook.review.handler import Decider

DECIDERS = {policy.name: Decider({None: policy}.get) for policy in policies.SHIPPED}
LIST = "/var/run/nvidia-container-devices"
CONTAINER = {"name": "c", "image": "example.com/c:1"}
KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "ReplicationController": "v1",
}


def answered(sent, policy="default", endpoint="validate"):
    return json.loads(DECIDERS[policy](json.dumps(sent).encode(), endpoint).body)["response"]


def denied(sent, rule, policy="default"):
    response = answered(sent, policy)
    assert response["allowed"] is False, response
    assert rule in response["status"]["message"]


def on_host(path, **spec):
    return pod(volumes=[{"name": "v", "hostPath": {"path": path}}], **spec)


def below_root(path, role="containers"):
    mount = {"name": "v", "mountPath": "/x", "subPath": path.lstrip("/")}
    made = on_host("/", **({role: [{**CONTAINER, "volumeMounts": [mount]}]} if role != "containers" else {}))
    if role == "containers":
        made["spec"]["containers"][0]["volumeMounts"] = [mount]
    return made


def listed(path, role="containers"):
    made = on_host("/dev/null")
    mounting = {**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": path}]}
    made["spec"][role] = [*made["spec"].get(role, []), mounting]
    return made


def templates(made):
    for kind, version in KINDS.items():
        spec = {"template": {"metadata": {"labels": {"app": "a"}}, "spec": made["spec"]}}
        yield {"apiVersion": version, "kind": kind, "metadata": {"name": "w"}, "spec": spec}
    inner = {"spec": {"template": {"spec": made["spec"]}}}
    yield {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "w"}, "spec": {"jobTemplate": inner}}


DEVICES = [place.rstrip("*") + ("0" if place.endswith("*") else "") for place in gpu_markers.DEVICE_PATHS]


@pytest.mark.parametrize("policy", DECIDERS)
def test_links_to_the_root_lead_to_devices(policy):
    for link in ("/proc/1/root", "/proc/1/task/1/root", "/proc/self/cwd", "/proc/thread-self/root", "/proc/77/cwd"):
        denied(review(on_host(f"{link}/dev/nvidia0")), "GPU304", policy)


@pytest.mark.parametrize("path", DEVICES)
def test_every_device(path):
    for made in (on_host(path), on_host(f"/proc/1/root{path}"), on_host(path[1:]), below_root(path)):
        denied(review(made), "GPU304")
        for template in templates(made):
            denied(review(template), "GPU304")
            clean = copy.deepcopy(template)
            spec = clean["spec"]
            (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"] = pod()["spec"]
            denied(review(template, "UPDATE", old=clean), "GPU304")
    for role in ("initContainers", "ephemeralContainers"):
        denied(review(below_root(path, role)), "GPU304")


@pytest.mark.parametrize("path", [f"{LIST}all", f"{LIST}/all", f"{LIST}-0", LIST.removeprefix("/") + "/0"])
@pytest.mark.parametrize("role", ["containers", "initContainers", "ephemeralContainers"])
def test_device_lists(path, role):
    for policy in DECIDERS:
        denied(review(listed(path, role)), "GPU305", policy)
    for template in templates(listed(path, role)):
        denied(review(template), "GPU305")


def test_a_sidecar():
    made = listed(f"{LIST}all", "initContainers")
    made["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    denied(review(made), "GPU305")


def test_an_ephemeral_container_that_comes_later():
    old = on_host("/dev/null")
    made = listed(f"{LIST}all", "ephemeralContainers")
    denied(review(made, "UPDATE", old=old, subresource="ephemeralcontainers"), "GPU305")


def test_what_was_there_before_is_not_held_against_an_update():
    made = on_host("/proc/1/root/dev/nvidia0")
    for template in templates(made):
        assert answered(review(template, "UPDATE", old=template))["allowed"]


def test_ordinary_paths_are_nobodys_concern():
    for path in ("/data", "/var/log", "/proc/sys", "/home/kubernetes/bin/nvidia/lib64", "/dev/shm"):
        assert answered(review(on_host(path))) == {"uid": UID, "allowed": True}
    for made in (on_host("/"), on_host("/var/run/docker.sock"), below_root("var/log")):
        assert answered(review(made)) == {"uid": UID, "allowed": True, "auditAnnotations": {"rules": "GPU304"}}


def test_where_a_volume_is_mounted_tells_pods_apart():
    """Pods that differ only in where a volume is mounted are distinguished, in any order."""
    decider = Decider({None: policies.SHIPPED[0]}.get)
    for path, allowed in (("var/log", True), ("dev/nvidia0", False), ("var/log", True)):
        body = json.dumps(review(below_root(path))).encode()
        assert json.loads(decider(body, "validate").body)["response"]["allowed"] is allowed
