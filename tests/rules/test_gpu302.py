"""GPU302: who gets which value of NVIDIA_VISIBLE_DEVICES."""

import pytest

from rules.table import Found, Row, container, env, pod, template, verify

NAME = "NVIDIA_VISIBLE_DEVICES"
POLICY = {"visibleDevices": {"gpuLess": "void", "served": "leave"}}
VOID = env(**{NAME: "void"})


def lacks(place, *words):
    return Found(place, "info", (NAME, *(words or ('"void"', "asks for no GPU"))), "safe")


def pair(**fields):
    return pod(container(gpu=1), container("log", **fields))


ROWS = [
    Row("no env", pair(), (lacks("/spec/containers/1"),), POLICY, pair(env=VOID)),
    Row("env null", pair(env=None), (lacks("/spec/containers/1"),), POLICY, pair(env=VOID)),
    Row("env empty", pair(env=[]), (lacks("/spec/containers/1/env"),), POLICY, pair(env=VOID)),
    Row(
        "env of its own",
        pair(env=env(A="1")),
        (lacks("/spec/containers/1/env"),),
        POLICY,
        pair(env=[*env(A="1"), *VOID]),
    ),
    Row(
        "an envFrom is overruled by env",
        pair(envFrom=[{"configMapRef": {"name": "c"}}]),
        (lacks("/spec/containers/1"),),
        POLICY,
        pair(envFrom=[{"configMapRef": {"name": "c"}}], env=VOID),
    ),
    Row(
        "an explicit zero is no GPU",
        pod(container(gpu=1), container("log", gpu={"nvidia.com/gpu": 0})),
        (lacks("/spec/containers/1"),),
        POLICY,
        pod(container(gpu=1), container("log", gpu={"nvidia.com/gpu": 0}, env=VOID)),
    ),
    Row(
        "init, sidecar and ephemeral containers",
        pod(container(gpu=1), initContainers=[container("a")], ephemeralContainers=[container("b")]),
        (lacks("/spec/ephemeralContainers/0"), lacks("/spec/initContainers/0")),
        POLICY,
        pod(
            container(gpu=1), initContainers=[container("a", env=VOID)], ephemeralContainers=[container("b", env=VOID)]
        ),
    ),
    Row(
        "a template",
        template("Deployment", container(gpu=1), container("log")),
        (lacks("/spec/template/spec/containers/1"),),
        POLICY,
        template("Deployment", container(gpu=1), container("log", env=VOID)),
    ),
    Row("void is there", pair(env=VOID), (), POLICY),
    Row("all is there, and GPU301's to judge", pair(env=env(**{NAME: "all"})), (), POLICY),
    Row(
        "so is a value from elsewhere",
        pair(env=[{"name": NAME, "valueFrom": {"fieldRef": {"fieldPath": "a"}}}]),
        (),
        POLICY,
    ),
    Row("env that does not decode", pair(env={"A": "1"}), (), POLICY),
    Row("a pod without a GPU", pod(container(), container("log")), (), POLICY),
    Row("AMD's pods have no use for it", pod(container(gpu={"amd.com/gpu": 1}), container("log")), (), POLICY),
    Row("a part of a pod", pod(container(gpu=1), {"name": "log"}), (), POLICY),
    Row("the policy is silent", pair()),
    Row("the policy says leave", pair(), (), {"visibleDevices": {"gpuLess": "leave", "served": "leave"}}),
    Row(
        "another value",
        pair(),
        (lacks("/spec/containers/1", '"none"'),),
        {"visibleDevices": {"gpuLess": "none"}},
        pair(env=env(**{NAME: "none"})),
    ),
    Row(
        "served containers",
        pair(),
        (lacks("/spec/containers/0", '"/x"', "asks for a GPU", "policy wants"),),
        {"visibleDevices": {"served": "/x"}},
        pod(container(gpu=1, env=env(**{NAME: "/x"})), container("log")),
    ),
    Row(
        "a container that another vendor serves",
        pod(container(gpu=1, env=VOID), container("b", gpu={"amd.com/gpu": 1})),
        (),
        {"visibleDevices": {"served": "void"}},
    ),
    Row(
        "every pod",
        pod(container(), container("log")),
        (lacks("/spec/containers/0"), lacks("/spec/containers/1")),
        {"visibleDevices": {"gpuLess": "void", "everyPod": True}},
        pod(container(env=VOID), container("log", env=VOID)),
    ),
    Row(
        "KAI's first container is served",
        pod(container(), container("log"), annotations={"gpu-memory": "2000"}),
        (lacks("/spec/containers/1"),),
        POLICY,
        pod(container(), container("log", env=VOID), annotations={"gpu-memory": "2000"}),
    ),
    Row(
        "KAI's named container is served",
        pod(container(), container("log"), annotations={"gpu-memory": "2000", "gpu-fraction-container-name": "log"}),
        (lacks("/spec/containers/0"),),
        POLICY,
        pod(
            container(env=VOID),
            container("log"),
            annotations={"gpu-memory": "2000", "gpu-fraction-container-name": "log"},
        ),
    ),
    Row(
        "the container that an annotation's key names is served",
        pod(container(), container("log"), annotations={"nvidia.com/container.log.gpu-memory.limit": "2Gi"}),
        (lacks("/spec/containers/0"),),
        POLICY,
        pod(
            container(env=VOID),
            container("log"),
            annotations={"nvidia.com/container.log.gpu-memory.limit": "2Gi"},
        ),
    ),
    Row(
        "what KAI's binder writes serves nobody",
        pod(container(), container("log"), annotations={"nvidia.com/container.log.gpus.devices": "GPU-1"}),
        (),
        POLICY,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_visible_devices_void(row):
    verify("GPU302", row)
