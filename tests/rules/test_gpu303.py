"""GPU303: privileges beside a GPU."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

ROOT = {"privileged": True}


def adds(*capabilities):
    return {"capabilities": {"add": list(capabilities)}}


def secured(context, gpu=1):
    return pod(container(gpu=gpu, securityContext=context))


def added(said, index=0):
    return Found(f"/spec/containers/0/securityContext/capabilities/add/{index}", "error", (f'"{said}"', "remove"))


PRIVILEGED = Found(
    "/spec/containers/0/securityContext/privileged", "error", ('container "train"', "privileged", "every card")
)

ROWS = [
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
        (Found("/spec/containers/1/securityContext/privileged", "error", ('container "b"',)),),
    ),
    Row(
        "an init container",
        pod(container(gpu=1), initContainers=[container("a", securityContext=ROOT)]),
        (Found("/spec/initContainers/0/securityContext/privileged", "error", ('init container "a"',)),),
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


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_privileged_gpu(row):
    verify("GPU303", row)
