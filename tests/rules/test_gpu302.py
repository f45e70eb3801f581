"""GPU302: which containers get which value of NVIDIA_VISIBLE_DEVICES."""

import pytest

from gpu_admission.rules import gpu_markers
from rules.table import Found, Row, container, env, pod, template, verify

NAME = "NVIDIA_VISIBLE_DEVICES"
POLICY = {"visibleDevices": {"gpuLess": "void", "served": "leave"}}
VOID = env(**{NAME: "void"})
EVERY = {"visibleDevices": {"gpuLess": "void", "everyPod": True}}
OWN = {**EVERY, "resources": {"extra": ["example.com/gpu"]}}
KAI = {**POLICY, "backend": {"name": "kai", "queue": "q"}}


def lacks(place, *words, severity="info", fix="safe"):
    return Found(place, severity, (NAME, *(words or ('"void"', "requests no NVIDIA GPU"))), fix)


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
        (lacks("/spec/containers/0", '"/x"', "requests a GPU", "policy requires"),),
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
        (lacks("/spec/containers/0", severity="error"), lacks("/spec/containers/1", severity="error")),
        EVERY,
        pod(container(env=VOID), container("log", env=VOID)),
    ),
    Row(
        "KAI's first container is served",
        pod(container(), container("log"), annotations={"gpu-memory": "2000"}),
        (lacks("/spec/containers/1"),),
        KAI,
        pod(container(), container("log", env=VOID), annotations={"gpu-memory": "2000"}),
    ),
    Row(
        "KAI's named container is served",
        pod(container(), container("log"), annotations={"gpu-memory": "2000", "gpu-fraction-container-name": "log"}),
        (lacks("/spec/containers/0"),),
        KAI,
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
        KAI,
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
    Row(
        "an annotation that no backend reads serves nobody, and its container is left to its author",
        pod(container(), container("log"), annotations={"gpu-memory": "x"}),
        (lacks("/spec/containers/1"),),
        POLICY,
        pod(container(), container("log", env=VOID), annotations={"gpu-memory": "x"}),
    ),
    Row(
        "a container that another vendor serves is not served",
        pod(container(gpu=1), container("log", gpu={"amd.com/gpu": 1})),
        (lacks("/spec/containers/1"),),
        POLICY,
        pod(container(gpu=1), container("log", gpu={"amd.com/gpu": 1}, env=VOID)),
    ),
    *(
        Row(
            f"a container that means to have a GPU: {name}", pod(container(gpu=1), container("b", **fields)), (), POLICY
        )
        for name, fields in {
            "misspelt": {"gpu": {"nvidia.com/gpus": 1}},
            "in capitals": {"gpu": {"nvidia.com/GPU": 1}},
            "without its domain": {"gpu": {"gpu": 1}},
            "a name that nobody knows": {"gpu": {"example.org/fast-gpu": 1}},
            "misplaced": {"resources": {"nvidia.com/gpu": 1}},
            "a claim": {"resources": {"claims": [{"name": "gpu"}]}},
        }.items()
    ),
    Row(
        "a GPU among the node's labels",
        pod(container(gpu=1), container("b"), nodeSelector={"amd.com/gpu": "1"}),
        (),
        POLICY,
    ),
]


def hides(place, name, *words):
    return Found(place, "warning", (name, "hides it", f"remove {name}", *words), "safe")


PLUGINS = {
    "nvidia": "nvidia.com/gpu",
    "habana": "habana.ai/gaudi",
    "huawei": "huawei.com/Ascend910",
    "cambricon": "cambricon.com/mlu",
    "mthreads": "mthreads.com/gpu",
    "iluvatar": "iluvatar.ai/gpu",
    "enflame": "enflame.com/gcu",
}
HIDDEN = [
    *(
        Row(
            f"{each.name}={value!r} on a container with such a card",
            pod(container(gpu={PLUGINS[each.vendor]: 1}, env=env(A="1", **{each.name: value}))),
            (hides("/spec/containers/0/env/1/value", each.name),),
            {},
            pod(container(gpu={PLUGINS[each.vendor]: 1}, env=env(A="1"))),
        )
        for each in gpu_markers.DEVICE_LISTS.values()
        if each.by_plugin
        for value in ("void", "none", "")
        if each.shows_none(value)
    ),
    *(
        Row(f"{name} hides nothing that its plugin gives", pod(container(gpu={gpu: 1}, env=env(**{name: "none"}))))
        for name, gpu in (
            ("AMD_VISIBLE_DEVICES", "amd.com/gpu"),
            (NAME, "amd.com/gpu"),
            ("AMD_VISIBLE_DEVICES", "nvidia.com/gpu"),
            (NAME, "nvidia.com/pgpu"),
        )
    ),
    Row(
        "what an envFrom holds would count then",
        pod(container(gpu=1, env=VOID, envFrom=[{"secretRef": {"name": "s"}}])),
        (Found("/spec/containers/0/env/0/value", "warning", ("hides it",)),),
    ),
    Row("the policy wants it", pod(container(gpu=1, env=VOID)), (), {"visibleDevices": {"served": "void"}}),
    Row(
        "every role",
        pod(
            container(),
            initContainers=[
                container("a", gpu=1, env=VOID),
                container("b", gpu=1, env=VOID, restartPolicy="Always"),
            ],
        ),
        tuple(hides(f"/spec/initContainers/{index}/env/0/value", NAME) for index in (0, 1)),
        {},
        pod(container(), initContainers=[container("a", gpu=1), container("b", gpu=1, restartPolicy="Always")]),
    ),
    Row(
        "a template",
        template("Deployment", container(gpu=1, env=VOID)),
        (hides("/spec/template/spec/containers/0/env/0/value", NAME),),
        {},
        template("Deployment", container(gpu=1)),
    ),
]


def enforced(name, made, *, fix="safe", index=0, fields=None, policy=EVERY):
    """Under everyPod all cards are hidden from a Pod's container, or it is refused where it seems to mean a GPU."""
    containers = [dict(each) for each in made["spec"]["containers"]]
    if fix:
        containers[index]["env"] = [*(containers[index].get("env") or []), *VOID]
    fixed = {**made, "spec": {**made["spec"], "containers": containers}}
    place = f"/spec/containers/{index}" + ("/env" if made["spec"]["containers"][index].get("env") else "")
    return Row(name, made, (Found(place, "error", (NAME, "requests no NVIDIA GPU"), fix),), policy, fixed)


EVERY_POD = [
    enforced("nothing else needs to be said", pod(container()), policy={"visibleDevices": {"everyPod": True}}),
    *(
        enforced(
            f"an annotation that nobody makes sense of: {key}: {value!r}", pod(container(), annotations={key: value})
        )
        for key, value in (
            ("gpu-memory", "x"),
            ("gpu-memory", "2000"),
            ("gpu-fraction", "0.5"),
            ("nvidia.com/container.train.gpu-memory.request", "1Gi"),
        )
    ),
    enforced(
        "an annotation that KAI cannot make sense of",
        pod(container(), annotations={"gpu-memory": "x"}),
        policy={**EVERY, "backend": {"name": "kai"}},
    ),
    *(
        enforced(f"another vendor's card: {name}", pod(container(gpu={name: 1})))
        for name in ("amd.com/gpu", "habana.ai/gaudi", "gpu.intel.com/i915", "google.com/tpu", "huawei.com/Ascend910")
    ),
    *(
        enforced(f"a network card: {name}", pod(container(gpu={name: 1})))
        for name in (
            "nvidia.com/hostdev",
            "nvidia.com/rdma_shared_device_a",
            "nvidia.com/mlnxnics",
            "nvidia.com/sriov_rdma",
        )
    ),
    enforced("a GPU behind a network's name", pod(container(gpu={"nvidia.com/rdma-gpu": 1})), fix=None),
    enforced("a card of none", pod(container(gpu={"nvidia.com/gpu": 0}))),
    enforced("a claim", pod(container(resources={"claims": [{"name": "c"}]}))),
    enforced("a name that nobody knows", pod(container(gpu={"example.org/gpu": 1})), fix=None),
    enforced("a misspelt name", pod(container(gpu={"nvidia.com/gpus": 1})), fix=None),
    enforced("a GPU among the node's labels", pod(container(), nodeSelector={"amd.com/gpu": "1"}), fix=None),
    enforced("variables of its own", pod(container(env=env(A="1")))),
    Row("a card of NVIDIA's", pod(container(gpu=1)), (), EVERY),
    Row("a share of one", pod(container(gpu={"volcano.sh/vgpu-number": 1})), (), EVERY),
    Row("a resource of the policy's own", pod(container(gpu={"example.com/gpu": 1})), (), OWN),
    Row(
        "a share that KAI reads",
        pod(container(), annotations={"gpu-memory": "2000"}, labels={"kai.scheduler/queue": "q"}),
        (),
        {**EVERY, "backend": {"name": "kai"}},
    ),
    Row(
        "a template is repaired as a Pod",
        template("Deployment", container()),
        (lacks("/spec/template/spec/containers/0"),),
        EVERY,
        template("Deployment", container(env=VOID)),
    ),
    Row(
        "an ephemeral container, which nobody repairs",
        pod(container(env=VOID), ephemeralContainers=[container("debug")]),
        (Found("/spec/ephemeralContainers/0", "error", (f"kubectl debug --env={NAME}=void",)),),
        EVERY,
    ),
    Row(
        "the policy wants nothing there",
        pod(container()),
        (),
        {"visibleDevices": {"gpuLess": "leave", "everyPod": True}},
    ),
]


@pytest.mark.parametrize("row", [*ROWS, *HIDDEN, *EVERY_POD], ids=lambda row: row.name)
def test_visible_devices_void(row):
    verify("GPU302", row)
