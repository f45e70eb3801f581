"""GPU203: nodeName beside a GPU."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

BOUND = (Found("/spec/nodeName", "error", ("requests a GPU", 'nodeName to "n1"', "kubernetes.io/hostname")),)

ROWS = [
    Row("a GPU and a node", pod(container(gpu=1), nodeName="n1"), BOUND),
    Row("a share of one by annotation", pod(container(), nodeName="n1", annotations={"gpu-memory": "2000"}), BOUND),
    Row("in an init container", pod(container(), initContainers=[container("a", gpu=1)], nodeName="n1"), BOUND),
    Row(
        "in a template",
        template("Deployment", container(gpu=1), nodeName="n1"),
        (BOUND[0]._replace(pointer="/spec/template/spec/nodeName"),),
    ),
    Row("no GPU", pod(container(), nodeName="n1")),
    Row("zero GPUs", pod(container(gpu={"nvidia.com/gpu": "0"}), nodeName="n1")),
    Row("no node", pod(container(gpu=1))),
    Row("an empty name", pod(container(gpu=1), nodeName="")),
    Row("null", pod(container(gpu=1), nodeName=None)),
    Row("no name at all", pod(container(gpu=1), nodeName=["n1"])),
    Row(
        "the mirror of a static pod",
        pod(container(gpu=1), nodeName="n1", annotations={"kubernetes.io/config.mirror": "4a"}),
    ),
    Row("a pod as a cluster had it", pod(container(gpu=1), nodeName="n1", uid="a801b3c7")),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_node_name(row):
    verify("GPU203", row)
