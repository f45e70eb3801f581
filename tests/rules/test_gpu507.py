"""GPU507: pods without a GPU that control their node; off until a policy switches it on, and then enforced."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import match_conditions
from gpu_admission.rules import gpu_markers, host_paths
from rules.table import Found, Row, container, judge, pod, template, verify

ROOT = {"privileged": True}
ADMIN = {"capabilities": {"add": ["NET_ADMIN", "cap_sys_admin"]}}
PLACE = "/spec/volumes/0/hostPath/path"
PRIVILEGED = Found(
    "/spec/containers/0/securityContext/privileged", "error", ('container "train" is privileged', "exempt")
)


def secured(context, gpu=None):
    return pod(container(gpu=gpu, securityContext=context))


def mounting(path, gpu=None):
    return pod(container(gpu=gpu), volumes=[{"name": "v", "hostPath": {"path": path}}])


ROWS = [
    Row("privileged", secured(ROOT), (PRIVILEGED,)),
    Row(
        "the second capability",
        secured(ADMIN),
        (Found("/spec/containers/0/securityContext/capabilities/add/1", "error", ('"cap_sys_admin"',)),),
    ),
    *(
        Row(
            role,
            pod(container(), **{role: [container("x", securityContext=ROOT)]}),
            (PRIVILEGED._replace(pointer=f"/spec/{role}/0/securityContext/privileged", words=('"x"',)),),
        )
        for role in ("initContainers", "ephemeralContainers")
    ),
    Row(
        "a template",
        template("DaemonSet", container(securityContext=ROOT)),
        (PRIVILEGED._replace(pointer="/spec/template/spec/containers/0/securityContext/privileged"),),
    ),
    *(
        Row(path, mounting(path), (Found(PLACE, "error", (f'"{path}"', "requests none")),))
        for path in (
            "/",
            "/dev",
            "/proc/1/root",
            "/var/run",
            "/run/nvidia/driver",
            "/var/run/docker.sock",
            "/run/containerd/containerd.sock",
            "/run/nri",
            "/var/lib/kubelet",
            "/var/lib/kubelet/device-plugins/kubelet.sock",
        )
    ),
    *(
        Row(f"{path} is GPU304's, or nobody's", mounting(path))
        for path in ("/dev/nvidia0", "/proc/1/root/dev/dri", "/data", "/var/log", "/dev/shm", "data")
    ),
    Row("with a GPU it is GPU303's", secured(ROOT, gpu=1)),
    Row("with a GPU it is GPU304's", mounting("/", gpu=1)),
    Row("no privileges", secured({"privileged": False, "capabilities": {"add": ["IPC_LOCK"], "drop": ["ALL"]}})),
    Row("a part of a pod, whose GPU may stand elsewhere", pod({"name": "train", "securityContext": ROOT})),
    *(
        Row(f"shapes: {context}", secured(context))
        for context in ("x", [ROOT], {"privileged": "true"}, {"capabilities": {"add": [None, {}, "A" * 5000]}})
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_node_in_hand(row):
    verify("GPU507", row)


@pytest.mark.parametrize("name", loader.shipped())
def test_no_shipped_policy_switches_it_on_by_itself(name):
    loaded = loader.load(name)
    on = loaded.spec.get("rules", {}).get("GPU507")
    assert loaded.is_enabled(rules.BY_ID["GPU507"]) is (on is not None)


def test_a_policy_denies_it():
    engine = Engine(rules.ALL, Policy("own", {"rules": {"GPU507": "deny"}}))
    for made in (secured(ROOT), mounting("/var/run/docker.sock")):
        assert ("GPU507", "deny") in [(each.rule, each.action) for each in engine.validate(made, "admission")]


def conditions(spec):
    return match_conditions.touches(Policy("own", spec), "object.?spec", "object.?metadata")


def test_a_policy_that_switches_it_on_has_the_webhook_called():
    on, off = conditions({"rules": {"GPU507": "warn"}}), conditions({})
    assert ".?privileged" in on
    assert r"\.sock" in on
    assert ".?privileged" not in off
    assert r"\.sock" not in off


PARTS = [
    "dev",
    "proc",
    "1",
    "self",
    "root",
    "task",
    "run",
    "var",
    "lib",
    "kubelet",
    "docker.sock",
    "nvidia",
    "driver",
    "etc",
]
HOST_PATHS = st.lists(st.sampled_from([*PARTS, ".", "", "snap", "microk8s", "device-plugins"]), max_size=7)


@given(HOST_PATHS.map("/".join).map("/".__add__))
def test_its_expressions_match_what_it_finds_and_no_more(path):
    sockets = "|".join(host_paths.pattern(place) for place in gpu_markers.SOCKET_PATHS)
    matched = re.match(f"{host_paths.above()}|{host_paths.ROOT_LINKS}({sockets})", path)
    devices = host_paths.within(host_paths.normal(path), gpu_markers.DEVICE_PATHS)
    if not devices:
        assert bool(matched) is bool(judge("GPU507", Row("", mounting(path)))), path
