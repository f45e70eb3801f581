"""GPU301: every way by which a variable can show a container cards."""

import pytest

from gpu_admission.rules import env_vars, gpu_markers
from rules.device_lists import MAP_REF, NAME, PLACE, VOID, idle, sets, shows, taken
from rules.table import Found, Row, container, env, pod, template, verify

LITERALS = [
    *(
        Row(
            f"{value!r} without a request",
            sets(value),
            shows(f"{PLACE}/0/value", f'"{value}"', "void"),
            {},
            sets("void"),
        )
        for value in (
            "all",
            "0",
            "0,1",
            "GPU-8f1c",
            "MIG-GPU-8f1c/1/0",
            "all,none",
            "none,0",
            "Void",
            "NONE",
            " all ",
            "-1",
        )
    ),
    *(
        Row(f"{value!r} shows none", sets(value))
        for value in ("void", "none", "", " ", ",", "none,none", "0,void", " void ")
    ),
    *(
        Row(f"{space!r} is not what Go's TrimSpace takes", sets(f"{space}void{space},all"), shows(), {}, sets("void"))
        for space in "\x1c\x1d\x1e\x1f\u200b"
    ),
    Row("null is empty", sets(None)),
    Row("no value is empty", pod(container(env=[{"name": NAME}]))),
    Row("a number of a file", sets(0), shows(f"{PLACE}/0/value", '"0"'), {}, sets("void")),
    Row("true of a file", sets(True), shows(f"{PLACE}/0/value", '"true"'), {}, sets("void")),
    Row("a list for a value", sets(["all"]), shows(f"{PLACE}/0/value", "not a string"), {}, sets("void")),
    Row("a number of many digits", sets(10**5000), shows(), {}, sets("void")),
    Row(
        "all on a container with a GPU: its own entry goes, the plugin's counts again",
        pod(container(gpu=1, env=env(A="1", **{NAME: "all"}, B="2"))),
        shows(f"{PLACE}/1/value", '"all"', "remove", "device plugin"),
        {},
        pod(container(gpu=1, env=env(A="1", B="2"))),
    ),
    Row("and the list with its last entry", sets("all", gpu=8), shows(), {}, pod(container(gpu=8))),
    Row("void on a container with a GPU is not this rule's", sets("void", gpu=1)),
    Row(
        "in a part of a pod nobody knows whether it has a GPU",
        pod({"name": "a", "env": env(**{NAME: "all"})}),
        shows(f"{PLACE}/0/value", "remove"),
        {},
        pod({"name": "a"}),
    ),
]

DUPLICATES = [
    idle("the last wins and shows", VOID, {"name": NAME, "value": "all"}),
    Row("the last wins and hides", pod(container(env=[{"name": NAME, "value": "all"}, VOID]))),
    Row(
        "with a GPU all of them go",
        pod(container(gpu=1, env=[VOID, *env(A="1"), {"name": NAME, "value": "0"}])),
        shows(f"{PLACE}/2/value"),
        {},
        pod(container(gpu=1, env=env(A="1"))),
    ),
]


def ascend(gpu, key="huawei.com/Ascend910"):
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{key}']"}}
    return pod(container(gpu=gpu, env=[{"name": "ASCEND_VISIBLE_DEVICES", "valueFrom": source}]))


REFERENCES = [
    idle("a ConfigMap", taken(**MAP_REF), key="valueFrom", words=("a ConfigMap", "any card")),
    idle("a Secret", taken(secretKeyRef={"name": "s", "key": "k"}), key="valueFrom", words=("a Secret",)),
    idle(
        "a label",
        taken(fieldRef={"fieldPath": "metadata.labels['gpus']"}),
        key="valueFrom",
        words=("a field of the pod",),
    ),
    idle("an annotation", taken(fieldRef={"fieldPath": "metadata.annotations['gpus']"}), key="valueFrom"),
    idle("a resource", taken(resourceFieldRef={"resource": "limits.cpu"}), key="valueFrom", words=("another place",)),
    Row("an empty valueFrom is no value", pod(container(env=[{"name": NAME, "valueFrom": {}}]))),
    *(
        idle(
            f"nobody's own {key}",
            taken(fieldRef={"fieldPath": f"metadata.annotations['{key}']"}),
            key="valueFrom",
        )
        for key in ("huawei.com/Ascend910", "volcano.sh/gpu-index", "ALIYUN_COM_GPU_MEM_IDX")
    ),
    Row("what Ascend's scheduler writes, on a container with such a card", ascend({"huawei.com/Ascend910": 1})),
    Row(
        "and on one without",
        ascend(None),
        (Found(f"{PLACE}/0/valueFrom", "error", ("ASCEND_VISIBLE_DEVICES",), "unsafe"),),
        {},
        pod(container(env=env(ASCEND_VISIBLE_DEVICES=""))),
    ),
    Row(
        "another annotation of a user's",
        ascend({"huawei.com/Ascend910": 1}, "example.com/cards"),
        (Found(f"{PLACE}/0/valueFrom", "error", ("ASCEND_VISIBLE_DEVICES",), "unsafe"),),
        {},
        pod(container(gpu={"huawei.com/Ascend910": 1})),
    ),
    idle("a reference", *env(A="all"), {"name": NAME, "value": "$(A)"}, words=('"all"',)),
    idle("a reference in parts", *env(A="al", B="$(A)l"), {"name": NAME, "value": "$(B)"}, words=('"all"',)),
    Row("a reference to void", pod(container(env=[*env(A="void"), {"name": NAME, "value": "$(A)"}]))),
    idle("a later variable is not known yet", {"name": NAME, "value": "$(A)"}, *env(A="void"), at=0, words=("$(A)",)),
    idle("escaped it is a text", *env(A="void"), {"name": NAME, "value": "$$(A)"}, words=("$(A)",)),
    idle("a dollar alone", {"name": NAME, "value": "$1"}, words=('"$1"',)),
    *(
        Row(
            f"{value} has yet to be filled in",
            pod(container(env=env((name, value)))),
            (Found("/spec/containers/0/env/0/value", "warning", (name, value, "yet to be filled in")),),
        )
        for name, value in (
            (NAME, "$A"),
            (NAME, "${GPUS}"),
            (NAME, "{{ gpus }}"),
            (NAME, "#{GPUS}#"),
            (NAME, "((gpus))"),
            ("HABANA_VISIBLE_DEVICES", "[[ gpus ]]"),
            ("NVIDIA_MIG_CONFIG_DEVICES", "<devices>"),
        )
    ),
    idle("an open bracket", *env(A="void"), {"name": NAME, "value": "$(A"}, words=('"$(A"',)),
    idle("a dollar at the end", {"name": NAME, "value": "0$"}, words=('"0$"',)),
    idle(
        "a reference to what comes from elsewhere",
        {"name": "A", "valueFrom": MAP_REF},
        {"name": NAME, "value": "$(A)"},
        words=("other variables ($(A))",),
    ),
    Row(
        "with an unprefixed envFrom nobody knows the reference",
        pod(container(env=env(**{NAME: "$(A)"}), envFrom=[{"configMapRef": {"name": "c"}}])),
        shows(f"{PLACE}/0/value", "other variables"),
        {},
        pod(container(env=[VOID], envFrom=[{"configMapRef": {"name": "c"}}])),
    ),
    idle("longer than any list", {"name": NAME, "value": "void," + " " * 5000}),
]


def switch(name, value, severity=None, gpu=None):
    found = shows(f"{PLACE}/0/value", name, "remove", fix=None, severity=severity) if severity else ()
    return Row(f"{name}={value}{' with a GPU' if gpu else ''}", pod(container(gpu=gpu, env=env((name, value)))), found)


def listed(name, value):
    """A list of another vendor's on a container without a card: set to show none, or removed where no value does."""
    known = gpu_markers.DEVICE_LISTS[name]
    fixed = pod(container(env=env(A="1", **({} if known.family else {name: known.blind}))))
    return Row(
        f"{name}={value!r}",
        pod(container(env=env(A="1", **{name: value}))),
        shows(f"{PLACE}/1/value", name, "request GPUs"),
        {},
        fixed,
    )


SHOWN = ("all", "0", "0,1", "void,0,1", "none,0", "0,none", "ALL", "0-3", " none", "none,none")
KIN = [
    *(
        listed(name, value)
        for name, each in gpu_markers.DEVICE_LISTS.items()
        for value in SHOWN
        if name != NAME and not each.shows_none(value)
    ),
    *(
        Row(f"{name}={each.blind!r} shows none", pod(container(env=env(**{name: each.blind}))))
        for name, each in gpu_markers.DEVICE_LISTS.items()
    ),
    *(listed("HABANA_VISIBLE_DEVICES", value) for value in ("void", "")),
    *(
        Row(
            f"{name}, by how it begins",
            pod(container(env=env(A="1", **{name: "0"}))),
            shows(f"{PLACE}/1/value", name),
            {},
            pod(container(env=env(A="1"))),
        )
        for name in ("HABANA_VISIBLE_DEVICES_", "HABANA_VISIBLE_DEVICESX", "DOCKER_RESOURCE_GPU")
    ),
    *(
        Row(f"{name} only narrows", pod(container(env=env(**{name: "0,1"}))))
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
    ),
    *(
        Row(f"{name} is harmless", pod(container(env=env(**{name: "all"}))))
        for name in ("NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA")
    ),
    switch("NVIDIA_IMEX_CHANNELS", "0", "error"),
    switch("NVIDIA_IMEX_CHANNELS", "0", "error", gpu=1),
    *(switch("NVIDIA_IMEX_CHANNELS", value) for value in ("", " ", "void", "0,void")),
    *(switch("NVIDIA_IMEX_CHANNELS", value, "error") for value in ("all", "0,1", "none")),
    switch("NVIDIA_MIG_CONFIG_DEVICES", "all", "error"),
    switch("NVIDIA_MIG_MONITOR_DEVICES", "all", "error"),
    switch("NVIDIA_NVSWITCH", "enabled", "error", gpu=1),
    switch("NVIDIA_NVSWITCH", "disabled"),
    switch("NVIDIA_GDS", "enabled", "warning"),
    switch("NVIDIA_MOFED", "enabled", "warning"),
    switch("NVIDIA_GDRCOPY", "enabled", "warning"),
    switch("NVIDIA_GDRCOPY", "enabled", "info", gpu=1),
    switch("NVIDIA_GDRCOPY", "1"),
    switch("NVIDIA_DISABLE_REQUIRE", "true", "info"),
    switch("NVIDIA_DISABLE_REQUIRE", "1", "info"),
    switch("NVIDIA_DISABLE_REQUIRE", "yes"),
    switch("NVIDIA_DISABLE_REQUIRE", "0"),
    Row(
        "a switch from elsewhere",
        pod(container(env=[{"name": "NVIDIA_IMEX_CHANNELS", "valueFrom": MAP_REF}])),
        shows(f"{PLACE}/0/valueFrom", "from a ConfigMap", fix=None),
    ),
]

ALL = env(**{NAME: "all"})
PLACES = [
    Row(
        "init, sidecar and ephemeral containers, each",
        pod(
            container(gpu=1),
            initContainers=[container("a", env=ALL), container("b", env=ALL, restartPolicy="Always")],
            ephemeralContainers=[container("c", env=ALL)],
        ),
        (
            Found("/spec/ephemeralContainers/0/env/0/value", "error", ('ephemeral container "c"',), "unsafe"),
            Found("/spec/initContainers/0/env/0/value", "error", ('init container "a"',), "unsafe"),
            Found("/spec/initContainers/1/env/0/value", "error", ('sidecar container "b"',), "unsafe"),
        ),
        {},
        pod(
            container(gpu=1),
            initContainers=[container("a", env=[VOID]), container("b", env=[VOID], restartPolicy="Always")],
            ephemeralContainers=[container("c", env=[VOID])],
        ),
    ),
    Row(
        "a template",
        template("Deployment", container(gpu=1, env=ALL)),
        shows("/spec/template/spec/containers/0/env/0/value"),
        {},
        template("Deployment", container(gpu=1)),
    ),
    Row(
        "two variables of one container, one after the other",
        pod(container(gpu=1, env=env(**{NAME: "all"}, A="1", AMD_VISIBLE_DEVICES="all"))),
        (*shows(), *shows(f"{PLACE}/2/value")),
        {},
        pod(container(gpu=1, env=env(A="1"))),
    ),
    Row("env a text", pod(container(env="NVIDIA_VISIBLE_DEVICES=all"))),
    Row("env a map", pod(container(env={NAME: "all"}))),
    Row(
        "names that are none",
        pod(container(env=[None, 1, {"name": None, "value": "all"}, {"name": [NAME]}, {"value": "all"}])),
    ),
    Row("envFrom a text", pod(container(envFrom="NVIDIA_"))),
]

DEVICES = "/var/run/nvidia-container-devices"
POLICIES = [
    Row(
        "what the policy wants on served containers", sets(DEVICES, gpu=1), (), {"visibleDevices": {"served": DEVICES}}
    ),
    Row("what it wants on the others", sets("-1"), (), {"visibleDevices": {"gpuLess": "-1"}}),
    Row("is not for the others", sets(DEVICES), shows(), {"visibleDevices": {"served": DEVICES}}, sets("void")),
]

ROWS = [*POLICIES, *LITERALS, *DUPLICATES, *REFERENCES, *KIN, *PLACES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_visible_devices(row):
    verify("GPU301", row)


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1yz"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$(MISSING)", "$(MISSING)"),
        ("$(A", "$(A"),
        ("$A", "$A"),
        ("$", "$"),
        ("$()", "$()"),
        ("$($(A))", "$($(A))"),
        ("$(U)", None),
        ("a" * 4097, None),
    ],
)
def test_references_are_expanded_as_the_kubelet_does(value, expanded):
    assert env_vars.expand(value, {"A": "1", "B": "", "U": None}) == expanded


def test_references_to_references_do_not_explode():
    entries = [{"name": "V0", "value": "x" * 100}]
    entries += [{"name": f"V{n}", "value": f"$(V{n - 1})" * 2} for n in range(1, 200)]
    row = Row("bomb", pod(container(env=[*entries, {"name": NAME, "value": "$(V199)"}])))
    fixed = pod(container(env=[*entries, VOID]))
    verify("GPU301", row._replace(found=shows(f"{PLACE}/200/value", "other variables"), fixed=fixed))
