"""GPU301: variables from KAI's ConfigMaps and from an envFrom with a prefix, and images that need none."""

import copy

import pytest

from gpu_admission.rules import gpu_markers
from rules.device_lists import MAP_REF, NAME, PLACE, VOID, shows, taken
from rules.table import Found, Row, container, env, pod, template, verify

SHARED_MAP = {"runai/shared-gpu-configmap": "x-shared-gpu"}
KAI = {"gpu-fraction": "0.5", **SHARED_MAP}
QUEUE = {"kai.scheduler/queue": "q"}
UNDER_KAI = {"backend": {"name": "kai"}}


def kai(config_map, annotations=KAI, index=0, key=NAME, labels=QUEUE, more=(), **fields):
    entry = taken(configMapKeyRef={"name": config_map, "key": key, **fields})
    containers = [container("a"), container("b")]
    containers[index]["env"] = [entry, *more]
    return pod(*containers, annotations=annotations, labels=labels)


def refused(name, made, policy=UNDER_KAI, index=0, served=True):
    """The exemption does not hold: the entry goes from the container with the share, or is blinded on another."""
    containers = copy.deepcopy(made["spec"]["containers"])
    at = len(containers[index]["env"]) - 1
    if served:
        del containers[index]["env"]
    else:
        containers[index]["env"][at] = VOID
    place = f"/spec/containers/{index}/env/{at}/valueFrom"
    fixed = {**made, "spec": {**made["spec"], "containers": containers}}
    return Row(name, made, shows(place, "a ConfigMap"), policy, fixed)


KAIS = [
    Row("what KAI's own webhook writes", kai("x-shared-gpu-0"), (), UNDER_KAI),
    Row("as Run:ai wrote it", kai("x-shared-gpu"), (), UNDER_KAI),
    Row("without a queue, of which another rule speaks", kai("x-shared-gpu-0", labels=None), (), UNDER_KAI),
    *(
        Row(f"a request of KAI's: {key}: {value}", kai("x-shared-gpu-0", {**SHARED_MAP, key: value}), (), UNDER_KAI)
        for key, value in (
            ("gpu-memory", "4096"),
            ("gpu-fraction", "0.25"),
            ("nvidia.com/container.a.gpu-memory.request", "4Gi"),
        )
    ),
    Row(
        "the container that KAI was told to serve",
        kai("x-shared-gpu-1", {**KAI, "gpu-fraction-container-name": "b"}, 1),
        (),
        UNDER_KAI,
    ),
    *(
        refused(f"under the policy {name}", kai("x-shared-gpu-0"), {"backend": {"name": name}})
        for name in ("exclusive", "time-slicing", "mps", "mig", "gpushare", "hami", "koordinator", "volcano-vgpu")
    ),
    refused("not KAI's ConfigMap", kai("x-shared-gpu-mine")),
    refused("another key of it", kai("x-shared-gpu-0", key="any")),
    refused("the key of the limit", kai("x-shared-gpu-0", key="CUDA_DEVICE_MEMORY_LIMIT")),
    refused("the number of an init container", kai("x-shared-gpu-i0")),
    refused(
        "another scheduler's pod",
        {**kai("x-shared-gpu-0"), "spec": {"schedulerName": "mine", **kai("x-shared-gpu-0")["spec"]}},
    ),
    Row(
        "KAI's scheduler under another name",
        {**kai("x-shared-gpu-0"), "spec": {"schedulerName": "mine", **kai("x-shared-gpu-0")["spec"]}},
        (),
        {**UNDER_KAI, "schedulerName": "mine"},
    ),
    refused("set twice", kai("x-shared-gpu-0", more=[taken(configMapKeyRef={"name": "x-shared-gpu-0", "key": NAME})])),
    *(
        refused(f"garbage: {key}: {value}", kai("x-shared-gpu-0", {**SHARED_MAP, key: value}))
        for key, value in (
            ("gpu-memory", "x"),
            ("gpu-memory", "0"),
            ("gpu-memory", ""),
            ("gpu-fraction", "1.5"),
            ("gpu-fraction", "all"),
            ("nvidia.com/container.a.gpu-memory.request", "much"),
        )
    ),
    refused("two requests that contradict each other", kai("x-shared-gpu-0", {**KAI, "gpu-memory": "4096"})),
    refused("not the container that KAI serves", kai("x-shared-gpu-1", index=1), index=1, served=False),
    refused(
        "no share requested",
        kai("x-shared-gpu-0", {"runai/shared-gpu-configmap": "x-shared-gpu"}),
        served=False,
    ),
    refused("no name of a ConfigMap", kai("-0", {"gpu-fraction": "0.5", "runai/shared-gpu-configmap": ""})),
]


def env_from(prefix, **fields):
    return pod(container(envFrom=[{"configMapRef": {"name": "c"}, "prefix": prefix}], **fields))


LISTS = {name: each.blind for name, each in gpu_markers.DEVICE_LISTS.items() if not each.family}
OFF = {name: each.off for name, each in gpu_markers.SWITCHES.items()}


def reaches(prefix):
    """Return what a prefix can complete to, and the value without effect."""
    return {name: value for name, value in {**LISTS, **OFF}.items() if name.startswith(prefix)}


PREFIXES = [
    *(
        Row(
            f"the prefix {prefix}",
            env_from(prefix),
            shows("/spec/containers/0/envFrom/0/prefix", name, "envFrom", fix="safe"),
            {},
            env_from(prefix, env=env(**reaches(prefix))),
        )
        for prefix, name in (
            ("NVIDIA_", NAME),
            ("N", NAME),
            ("NVIDIA_VISIBLE_DEVICE", NAME),
            ("NVIDIA_IMEX_", "NVIDIA_IMEX_CHANNELS"),
            ("NVIDIA_MIG_", "NVIDIA_MIG_CONFIG_DEVICES"),
            *((name[:-1], name) for name in LISTS),
        )
    ),
    *(
        Row(
            f"the prefix {prefix}, which no entry of env closes",
            env_from(prefix, env=env(HABANA_VISIBLE_DEVICES="none")),
            shows("/spec/containers/0/envFrom/0/prefix", name, fix=None),
        )
        for prefix, name in (
            ("HABANA_", "HABANA_VISIBLE_DEVICES"),
            ("HABANA_VISIBLE_DEVICES", "HABANA_VISIBLE_DEVICES"),
            ("HABANA_VISIBLE_DEVICES_", "HABANA_VISIBLE_DEVICES"),
            ("DOCKER_RESOURCE_", "DOCKER_RESOURCE_"),
            ("DOCKER_RESOURCE_GP", "DOCKER_RESOURCE_"),
        )
    ),
    Row(
        "a switch that is no more than a warning",
        env_from("NVIDIA_GDS"[:-1]),
        shows("/spec/containers/0/envFrom/0/prefix", "NVIDIA_GDS", fix="safe", severity="warning"),
        {},
        env_from("NVIDIA_GD", env=env(NVIDIA_GDS="disabled", NVIDIA_GDRCOPY="disabled")),
    ),
    *(
        Row(
            f"on a container with a GPU nothing is set: {name}",
            env_from("NVIDIA_", gpu={name: 1}),
            shows("/spec/containers/0/envFrom/0/prefix", NAME, fix=None),
        )
        for name in ("nvidia.com/gpu", "amd.com/gpu", "nvidia.com/gpus")
    ),
    *(Row(f"the prefix {prefix!r}", env_from(prefix)) for prefix in ("", None, "APP_", NAME, f"{NAME}_", "nvidia_", 3)),
    Row(
        "env wins over envFrom, for what it sets",
        env_from("NVIDIA_", env=[VOID]),
        shows("/spec/containers/0/envFrom/0/prefix", "NVIDIA_IMEX_CHANNELS", fix="safe"),
        {},
        env_from("NVIDIA_", env=[VOID, *env(**{k: v for k, v in reaches("NVIDIA_").items() if k != NAME})]),
    ),
    Row("and closes it where it sets all", env_from("NVIDIA_", env=env(**reaches("NVIDIA_")))),
    Row("no prefix, nothing to see", pod(container(envFrom=[{"configMapRef": {"name": "c"}}]))),
]


def legacy(name, *entries, at=0, key="value", gpu=None, first=NAME, value="void", **fields):
    before = pod(container(gpu=gpu, env=list(entries), **fields))
    after = pod(container(gpu=gpu, env=[*entries, {"name": first, "value": value}], **fields))
    return Row(name, before, shows(f"{PLACE}/{at}/{key}", "CUDA_VERSION", first, fix="safe"), {}, after)


CUDA = {"name": "CUDA_VERSION", "value": "9.0"}
REQUIRE = "NVIDIA_REQUIRE_CUDA"
LEGACIES = [
    legacy("CUDA_VERSION alone", CUDA),
    legacy("with an empty requirement", CUDA, {"name": REQUIRE, "value": ""}),
    legacy("with a requirement that comes to nothing", *env(A=""), CUDA, {"name": REQUIRE, "value": "$(A)"}, at=1),
    legacy("with a requirement that nobody can tell", CUDA, {"name": REQUIRE, "valueFrom": MAP_REF}),
    legacy("from elsewhere", {"name": "CUDA_VERSION", "valueFrom": MAP_REF}, key="valueFrom"),
    legacy("by a reference", *env(A="9.0"), {"name": "CUDA_VERSION", "value": "$(A)"}, at=1),
    legacy("on a container that another vendor serves", CUDA, gpu={"amd.com/gpu": 1}),
    legacy("on a container with a claim", CUDA, resources={"claims": [{"name": "c"}]}),
    legacy("another requirement is no matter", CUDA, *env(NVIDIA_REQUIRE_DRIVER="x")),
    Row("a requirement", pod(container(env=[CUDA, *env((REQUIRE, "cuda>=9.0"))]))),
    Row("empty", pod(container(env=env(CUDA_VERSION="")))),
    Row("with void", pod(container(env=[CUDA, VOID]))),
    Row("with a GPU, whose plugin sets the list", pod(container(gpu=1, env=[CUDA]))),
    Row("a part of a pod", pod({"name": "a", "env": [CUDA]})),
    Row(
        "a container that means to have a GPU",
        pod(container(gpu={"nvidia.com/gpus": 1}, env=[CUDA])),
        shows(f"{PLACE}/0/value", "CUDA_VERSION", fix=None),
    ),
    Row(
        "by a prefix",
        env_from("CUDA_VER"),
        shows("/spec/containers/0/envFrom/0/prefix", '"CUDA_VER"', "CUDA_VERSION", fix="safe"),
        {},
        env_from("CUDA_VER", env=[VOID]),
    ),
    Row(
        "the value that the policy wants",
        pod(container(env=[CUDA])),
        shows(f"{PLACE}/0/value", '"none"', fix="safe"),
        {"visibleDevices": {"gpuLess": "none"}},
        pod(container(env=[CUDA, *env((NAME, "none"))])),
    ),
    Row(
        "the policy wants a value that shows cards",
        pod(container(env=[CUDA])),
        shows(f"{PLACE}/0/value", '"void"', fix="safe"),
        {"visibleDevices": {"gpuLess": "all"}},
        pod(container(env=[CUDA, VOID])),
    ),
    Row(
        "Hygon's, which few nodes have",
        pod(container(env=env(ROCM_VERSION="6"))),
        shows(f"{PLACE}/0/value", "HCU_VISIBLE_DEVICES", severity="info"),
        {},
        pod(container(env=env(ROCM_VERSION="6", HCU_VISIBLE_DEVICES="void"))),
    ),
    Row("void for NVIDIA's is void for Hygon's", pod(container(env=[*env(ROCM_VERSION="6"), VOID]))),
    Row(
        "every role",
        pod(
            container(gpu=1, env=[CUDA]),
            initContainers=[container("a", env=[CUDA]), container("b", env=[CUDA], restartPolicy="Always")],
            ephemeralContainers=[container("c", env=[CUDA])],
        ),
        tuple(
            Found(f"/spec/{place}/env/0/value", "error", ("CUDA_VERSION",), "safe")
            for place in ("ephemeralContainers/0", "initContainers/0", "initContainers/1")
        ),
        {},
        pod(
            container(gpu=1, env=[CUDA]),
            initContainers=[container("a", env=[CUDA, VOID]), container("b", env=[CUDA, VOID], restartPolicy="Always")],
            ephemeralContainers=[container("c", env=[CUDA, VOID])],
        ),
    ),
    Row(
        "a template",
        template("Deployment", container(env=[CUDA])),
        shows("/spec/template/spec/containers/0/env/0/value", "CUDA_VERSION", fix="safe"),
        {},
        template("Deployment", container(env=[CUDA, VOID])),
    ),
]


@pytest.mark.parametrize("row", [*KAIS, *PREFIXES, *LEGACIES], ids=lambda row: row.name)
def test_visible_devices(row):
    verify("GPU301", row)
