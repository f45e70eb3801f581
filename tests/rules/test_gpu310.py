"""GPU310: an envFrom that shows nothing of what it holds."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.rules import gpu_markers
from rules.table import Found, Row, container, env, pod, verify

MAP = {"configMapRef": {"name": "settings"}}
SECRET = {"secretRef": {"name": "keys"}}


def unknown(index, *words, fix="safe"):
    return Found(f"/spec/containers/0/envFrom/{index}", "info", ("is not visible here", *words), fix)


# What a container must set itself so that no envFrom can: each variable, and its value without effect.
CLOSED = {
    **{name: each.blind for name, each in gpu_markers.DEVICE_LISTS.items() if name != "DOCKER_RESOURCE_"},
    **{name: each.off for name, each in gpu_markers.SWITCHES.items() if each.severity == "error"},
}


def closed(*sources, first=(), **fields):
    rest = {name: value for name, value in CLOSED.items() if name not in dict(first)}
    return pod(container(envFrom=list(sources), env=[*env(*first), *env(**rest)], **fields))


def without(name):
    """All variables are set except this one: the finding names it, and the repair adds it."""
    rest = {each: value for each, value in CLOSED.items() if each != name}
    before = pod(container(envFrom=[MAP], env=env(**rest)))
    after = pod(container(envFrom=[MAP], env=env(**rest, **{name: CLOSED[name]})))
    return Row(f"all but {name}", before, (unknown(0, f"it can set {name}, unless"),), {}, after)


KAI = {"backend": {"name": "kai", "queue": "q"}}
SHARED = {
    "annotations": {"gpu-memory": "2000", "runai/shared-gpu-configmap": "x"},
    "labels": {"kai.scheduler/queue": "q"},
}


def kai(name, **annotations):
    source = {"configMapRef": {"name": name, "optional": False}}
    metadata = {**SHARED, "annotations": {**SHARED["annotations"], **annotations}}
    return pod(container(envFrom=[source]), **metadata)


ROWS = [
    Row("a ConfigMap", pod(container(envFrom=[MAP])), (unknown(0, 'ConfigMap "settings"'),), {}, closed(MAP)),
    Row(
        "a ConfigMap and a Secret",
        pod(container(envFrom=[MAP, SECRET])),
        (unknown(0), unknown(1, 'Secret "keys"')),
        {},
        closed(MAP, SECRET),
    ),
    Row(
        "an empty prefix",
        pod(container(envFrom=[{**MAP, "prefix": ""}])),
        (unknown(0),),
        {},
        closed({**MAP, "prefix": ""}),
    ),
    Row("a prefix is GPU301's", pod(container(envFrom=[{**MAP, "prefix": "APP_"}]))),
    Row(
        "env says one of many",
        pod(container(env=env(NVIDIA_VISIBLE_DEVICES="void"), envFrom=[MAP])),
        (unknown(0, "AMD_VISIBLE_DEVICES", "more"),),
        {},
        closed(MAP, first=[("NVIDIA_VISIBLE_DEVICES", "void")]),
    ),
    Row("env says all", closed(MAP)),
    *map(without, CLOSED),
    *(
        Row(f"a container with a GPU: {name}", pod(container(gpu={name: 1}, envFrom=[MAP])), (unknown(0, fix=None),))
        for name in ("nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi", "gpu-admission.io/gpu-count")
    ),
    Row(
        "a container that means to have a GPU",
        pod(container(gpu={"nvidia.com/gpus": 1}, envFrom=[MAP])),
        (unknown(0, fix=None),),
    ),
    Row("a part of a pod", pod({"name": "a", "envFrom": [MAP]}), (unknown(0, fix=None),)),
    Row("what KAI's binder fills in", kai("x-0-evar"), (), KAI),
    Row("another ConfigMap", kai("x-1-evar"), (unknown(0, fix=None),), KAI),
    Row(
        "of KAI under another backend's policy",
        kai("x-0-evar"),
        (unknown(0),),
        {},
        {**kai("x-0-evar"), "spec": closed({"configMapRef": {"name": "x-0-evar", "optional": False}})["spec"]},
    ),
    Row(
        "with a request that KAI cannot read",
        kai("x-0-evar", **{"gpu-memory": "x"}),
        (unknown(0),),
        KAI,
        {
            **kai("x-0-evar", **{"gpu-memory": "x"}),
            "spec": closed({"configMapRef": {"name": "x-0-evar", "optional": False}})["spec"],
        },
    ),
    Row("no envFrom", pod(container())),
    *(Row(f"shapes: {said}", pod(container(envFrom=said))) for said in ("x", MAP, 1, [None, "x"])),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_unjudged_env_from(row):
    verify("GPU310", row)


def test_it_is_off_unless_the_policy_says_otherwise():
    assert not Engine(rules.ALL, Policy("silent")).validate(ROWS[0].object)
