"""GPU303: privileges beside a GPU."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from rules.table import Found, Row, container, pod, template, verify

ROOT = {"privileged": True}


def adds(*capabilities):
    return {"capabilities": {"add": list(capabilities)}}


def secured(context, gpu=1):
    return pod(container(gpu=gpu, securityContext=context))


def added(said, index=0):
    return Found(f"/spec/containers/0/securityContext/capabilities/add/{index}", "warning", (f'"{said}"', "remove"))


PRIVILEGED = Found(
    "/spec/containers/0/securityContext/privileged", "warning", ('container "train"', "privileged", "every card")
)

NODE = {"cluster": {"cards": [{"model": "A100-80", "perNode": 4}, {"model": "H100-80", "perNode": 8}]}}
SHARED = {**NODE, "backend": {"name": "time-slicing", "replicas": 4}}
INFO = PRIVILEGED._replace(severity="info")

ROWS = [
    Row("every card of the largest node", secured(ROOT, gpu=8), (INFO,), NODE),
    Row(
        "every card, by two containers",
        pod(container(gpu=4, securityContext=ROOT), container("b", gpu=4)),
        (INFO,),
        NODE,
    ),
    Row("one card too few", secured(ROOT, gpu=7), (PRIVILEGED,), NODE),
    Row("every card of a node that nobody described", secured(ROOT, gpu=8), (PRIVILEGED,)),
    Row("eight shares are no whole node", secured(ROOT, gpu=8), (PRIVILEGED,), SHARED),
    Row(
        "cards of all sorts count together",
        secured(ROOT, gpu={"amd.com/gpu": 8}),
        (INFO,),
        NODE,
    ),
    Row("privileged", secured(ROOT), (PRIVILEGED,)),
    *(
        Row(said, secured(adds(said)), (added(said),))
        for said in ("SYS_ADMIN", "CAP_SYS_ADMIN", "cap_sys_admin", "ALL", "all")
    ),
    Row("the second of three", secured(adds("IPC_LOCK", "SYS_ADMIN", "NET_RAW")), (added("SYS_ADMIN", 1),)),
    Row("both", secured({**ROOT, **adds("ALL")}), (added("ALL"), PRIVILEGED)),
    Row(
        "a neighbour of the container with the GPU",
        pod(container(gpu=1), container("b", securityContext=ROOT)),
        (Found("/spec/containers/1/securityContext/privileged", "warning", ('container "b"',)),),
    ),
    Row(
        "an init container",
        pod(container(gpu=1), initContainers=[container("a", securityContext=ROOT)]),
        (Found("/spec/initContainers/0/securityContext/privileged", "warning", ('init container "a"',)),),
    ),
    Row(
        "a template",
        template("StatefulSet", container(gpu=1, securityContext=ROOT)),
        (PRIVILEGED._replace(pointer="/spec/template/spec/containers/0/securityContext/privileged"),),
    ),
    Row(
        "a share by annotation",
        pod(container(securityContext=ROOT), annotations={"gpu-fraction": "0.1"}),
        (PRIVILEGED,),
    ),
    Row("no GPU", secured(ROOT, gpu=None)),
    Row("zero GPUs", secured(ROOT, gpu={"nvidia.com/gpu": 0})),
    Row("not privileged", secured({"privileged": False})),
    Row("what RDMA and debuggers need", secured(adds("IPC_LOCK", "SYS_PTRACE", "NET_ADMIN", "SYS_ADMINISTRATOR"))),
    Row("dropped is not added", secured({"capabilities": {"drop": ["ALL"]}})),
    *(
        Row(f"shapes: {context}", secured(context))
        for context in (
            "privileged",
            [ROOT],
            {"privileged": "true"},
            {"capabilities": ["ALL"]},
            {"capabilities": {"add": "ALL"}},
            adds(None, 1, ["ALL"]),
        )
    ),
]


def action(policy, gpu):
    (found,) = [each for each in Engine(rules.ALL, policy).validate(secured(ROOT, gpu=gpu)) if each.rule == "GPU303"]
    return found.action


@pytest.mark.parametrize("name", loader.shipped())
def test_only_strict_refuses(name):
    assert action(loader.load(name), 1) == ("deny" if name == "strict" else "warn")


def test_strict_lets_a_whole_node_through():
    strict = loader.load("strict")
    assert action(Policy("strict", {**strict.spec, **NODE}), 8) == "audit"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_privileged_gpu(row):
    verify("GPU303", row)
