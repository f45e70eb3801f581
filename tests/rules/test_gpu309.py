"""GPU309: host namespaces and MPS."""

import pytest

from rules.table import Found, Row, container, env, pod, template, verify

MPS = {"backend": {"name": "mps", "replicas": 4}}
ALLOWED = {"backend": {"name": "mps", "replicas": 4, "hostIPC": "allow"}}
PIPE = env(CUDA_MPS_PIPE_DIRECTORY="/tmp/nvidia-mps")


def opens(field, holder="/spec"):
    return Found(f"{holder}/{field}", "error", (field, "MPS", f"remove {field}"))


ROWS = [
    Row("hostIPC under MPS", pod(container(gpu=1), hostIPC=True), (opens("hostIPC"),), MPS),
    Row("hostPID under MPS", pod(container(gpu={"nvidia.com/gpu.shared": 1}), hostPID=True), (opens("hostPID"),), MPS),
    Row("both", pod(container(gpu=1), hostPID=True, hostIPC=True), (opens("hostIPC"), opens("hostPID")), MPS),
    Row("a pipe of its own, whatever the policy", pod(container(env=PIPE), hostIPC=True), (opens("hostIPC"),)),
    Row(
        "the pipe of an init container",
        pod(container(), initContainers=[container("a", env=PIPE)], hostPID=True),
        (opens("hostPID"),),
    ),
    Row(
        "a template",
        template("Job", container(gpu=1), api_version="batch/v1", hostIPC=True),
        (opens("hostIPC", "/spec/template/spec"),),
        MPS,
    ),
    *(
        Row(f"a card of another vendor's: {name}", pod(container(gpu={name: 1}, env=PIPE), hostIPC=True), (), policy)
        for name in ("habana.ai/gaudi", "amd.com/gpu", "aws.amazon.com/neuron")
        for policy in ({}, MPS)
    ),
    Row(
        "beside one of NVIDIA's",
        pod(container(gpu=1), container("b", gpu={"amd.com/gpu": 1}), hostIPC=True),
        (opens("hostIPC"),),
        MPS,
    ),
    Row("the cluster's MPS needs hostIPC", pod(container(gpu=1), hostIPC=True), (), ALLOWED),
    Row(
        "which says nothing of hostPID", pod(container(gpu=1), hostIPC=True, hostPID=True), (opens("hostPID"),), ALLOWED
    ),
    Row(
        "the policy says that it does not",
        pod(container(gpu=1), hostIPC=True),
        (opens("hostIPC"),),
        {"backend": {"name": "mps", "replicas": 4, "hostIPC": "deny"}},
    ),
    Row("there is no MPS on MIG devices", pod(container(gpu={"nvidia.com/mig-1g.5gb": 1}), hostIPC=True), (), MPS),
    Row("no MPS", pod(container(gpu=1), hostIPC=True, hostPID=True)),
    Row("no GPU under MPS", pod(container(), hostIPC=True), (), MPS),
    Row("hostNetwork is no matter", pod(container(gpu=1), hostNetwork=True), (), MPS),
    *(
        Row(f"hostIPC: {said!r}", pod(container(gpu=1), hostIPC=said), (), MPS)
        for said in (False, None, "true", 1, [True])
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_host_namespace_mps(row):
    verify("GPU309", row)
