"""GPU204: the policy's runtime class, and NVIDIA's without a request."""

import pytest

from rules.table import Found, Row, container, env, pod, template, verify

POLICY = {"runtimeClassName": "nvidia"}
MISSING = (
    Found("/spec", "warning", ("no runtimeClassName", 'need "nvidia"', "write runtimeClassName: nvidia"), "safe"),
)
IDLE = (Found("/spec/runtimeClassName", "warning", ("requests no GPU", "NVIDIA_VISIBLE_DEVICES", "void")),)
VOID = env(NVIDIA_VISIBLE_DEVICES="void")


def with_class(name, *containers, **spec):
    return pod(*(containers or (container(gpu=1),)), runtimeClassName=name, **spec)


ROWS = [
    Row("missing", pod(container(gpu=1)), MISSING, POLICY, with_class("nvidia")),
    Row("null", with_class(None), MISSING, POLICY, with_class("nvidia")),
    Row("empty", with_class(""), MISSING, POLICY, with_class("nvidia")),
    Row(
        "in a template",
        template("Job", container(gpu=1), api_version="batch/v1"),
        (MISSING[0]._replace(pointer="/spec/template/spec"),),
        POLICY,
        template("Job", container(gpu=1), api_version="batch/v1", runtimeClassName="nvidia"),
    ),
    Row("there", with_class("nvidia"), (), POLICY),
    Row("another of the author's choice", with_class("kata-gpu"), (), POLICY),
    Row("no policy", pod(container(gpu=1))),
    Row("no GPU", pod(container()), (), POLICY),
    Row("NVIDIA's class is nothing for AMD's card", pod(container(gpu={"amd.com/gpu": 1})), (), POLICY),
    Row(
        "a class of the cluster's own is for every card",
        pod(container(gpu={"amd.com/gpu": 1})),
        (MISSING[0]._replace(words=('need "gpu"',)),),
        {"runtimeClassName": "gpu"},
        with_class("gpu", container(gpu={"amd.com/gpu": 1})),
    ),
    Row(
        "Knative would refuse it",
        template("Service", container(gpu=1), api_version="serving.knative.dev/v1"),
        (),
        POLICY,
    ),
    Row("a part of a pod", pod({"name": "a", "resources": {"limits": {"nvidia.com/gpu": 1}}}), (), POLICY),
    *(
        Row(f"{name} without a request", with_class(name, container()), IDLE)
        for name in ("nvidia", "nvidia-cdi", "nvidia-legacy")
    ),
    Row("idle under a policy too", with_class("nvidia", container()), IDLE, POLICY),
    Row("every container blinded", with_class("nvidia", container(env=VOID), container("b", env=VOID))),
    Row("one container not blinded", with_class("nvidia", container(env=VOID), container("b")), IDLE),
    Row(
        "an init container not blinded",
        with_class("nvidia", container(env=VOID), initContainers=[container("b")]),
        IDLE,
    ),
    Row("none is void too", with_class("nvidia", container(env=env(NVIDIA_VISIBLE_DEVICES="none")))),
    Row("KAI's share is a request", with_class("nvidia", container(), annotations={"gpu-fraction": "0.5"})),
    Row("so is a resource claim", with_class("nvidia", container(), resourceClaims=[{"name": "gpu"}])),
    Row("other classes are nobody's business", with_class("gvisor", container())),
    Row("a class that is not a string", with_class(["nvidia"], container())),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_runtime_class(row):
    verify("GPU204", row)
