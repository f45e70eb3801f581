"""The essence of a Pod: judged and mended as the whole Pod is, and the same for all replicas."""

import copy
import itertools

import pytest
import strategies
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from gpu_admission import rules
from gpu_admission.backends import kai_words
from gpu_admission.core import patch
from gpu_admission.core.engine import Engine
from gpu_admission.core.policy import Policy
from gpu_admission.rules import essence, markers

ENGINES = [Engine(rules.ALL, policy) for policy in policies.ALL]


def told(findings):
    return [(each.rule, each.pointer, each.message, each.advice, each.action, each.container) for each in findings]


def same(engine, pod):
    """A Pod and its essence are found the same faults, mended by the same operations, and left the same."""
    before = copy.deepcopy(pod)
    slim = essence.of(pod)
    assert told(engine.validate(slim, "admission")) == told(engine.validate(pod, "admission"))
    ours, theirs = engine.mutate(slim, "admission"), engine.mutate(pod, "admission")
    assert patch.to_json(ours.patch) == patch.to_json(theirs.patch)
    assert told(engine.left(ours)) == told(engine.left(theirs))
    assert pod == before


def examples():
    for rule in rules.ALL:
        for text in (rule.bad, rule.good):
            for document in yaml.safe_load_all(text):
                if document["kind"] == "Pod":
                    yield pytest.param(document, rule.policy, id=f"{rule.id} {'bad' if text == rule.bad else 'good'}")


@pytest.mark.parametrize(("pod", "spec"), list(examples()))
def test_the_examples_of_every_rule(pod, spec):
    for engine in (Engine(rules.ALL, Policy("its own", spec)), ENGINES[-1]):
        same(engine, pod)


def dressed(pod, names):
    """Give a Pod what real ones have, and what is nearly of concern to rules."""
    metadata = pod.setdefault("metadata", {})
    if isinstance(metadata, dict):
        metadata |= {"uid": "u", "managedFields": [{}], "ownerReferences": [{"kind": "DaemonSet", "name": "d"}]}
        metadata["labels"] = {"job-name": "j", "app": "a", names[0]: "true"}
        metadata["annotations"] = {names[1]: "1", "batch.kubernetes.io/job-completion-index": "3"}
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, dict):
            container["env"] = [
                {"name": "CARDS", "value": "all"},
                {"name": names[2], "value": names[6]},
                {"name": names[3], "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{names[1]}']"}}},
            ]
            container["volumeMounts"] = [{"name": "v", "mountPath": names[4]}]
    if isinstance(spec, dict):
        spec |= names[7]
        spec["volumes"] = [{"name": "w", "emptyDir": {}}, {"name": "v", "hostPath": {"path": names[5]}}]
    return pod


VARIABLES = [*markers.DEVICE_LISTS, *markers.SWITCHES, *markers.ISOLATION_SWITCHES, "CUDA_MPS_PIPE_DIRECTORY", "OTHER"]
_TERM = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
_REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_TERM]}}
PLACEMENTS = [
    {},
    {"nodeSelector": {"nvidia.com/gpu": "1", "gpu": "on"}},
    {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}], "tolerations": [{"operator": "Exists"}]},
    {"affinity": {"nodeAffinity": _REQUIRED}},
]
NAMES = st.tuples(
    st.sampled_from([*markers.LABEL_KEYS, *markers.LABEL_PREFIXES, "kai.scheduler/queue", "x"]),
    st.sampled_from(["gpu-memory", "gpu-fraction", "hami.io/vgpu-devices-allocated", "cdi.k8s.io/x", "y"]),
    st.sampled_from(VARIABLES),
    st.sampled_from(VARIABLES),
    st.sampled_from([f"{markers.DEVICE_LIST_MOUNT}/0", "/data"]),
    st.sampled_from(["/dev", "/dev/nvidia0", "/data"]),
    st.sampled_from(["$(CARDS)", "all", "void", "$", ["$"], None]),
    st.sampled_from(PLACEMENTS),
)


PLAIN = {"metadata": {}, "spec": {"containers": [{"name": "c", "image": "i", "resources": {}}]}}
TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda placement: next(iter(placement), "none"))
@pytest.mark.parametrize("amounts", [{}, {"nvidia.com/gpu": "1"}, {"gpu-admission.io/gpu-mem": "8Gi"}], ids=str)
def test_placement(placement, amounts):
    pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(PLAIN)}
    pod["spec"] |= {"tolerations": [TAINT], **placement}
    pod["spec"]["containers"][0]["resources"] = {"limits": amounts, "requests": amounts}
    for engine in ENGINES:
        same(engine, pod)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.pods(), st.sampled_from(ENGINES), NAMES, st.booleans())
def test_random_pods(pod, engine, names, dress):
    same(engine, dressed(pod, names) if dress else pod)


ODD = [None, [], "text", 7, 0.5, True, {"a": None}, [None], ["x"], [[]], [{}], {}]
PLACES = [
    ("metadata",),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "ownerReferences"),
    ("spec",),
    ("spec", "volumes"),
    ("spec", "containers"),
    ("spec", "initContainers"),
    ("spec", "containers", 0),
    ("spec", "containers", 0, "image"),
    ("spec", "containers", 0, "env"),
    ("spec", "containers", 0, "env", 0),
    ("spec", "containers", 0, "env", 0, "name"),
    ("spec", "containers", 0, "env", 0, "value"),
    ("spec", "containers", 0, "env", 1, "name"),
    ("spec", "containers", 0, "envFrom"),
    ("spec", "containers", 0, "volumeMounts"),
    ("spec", "containers", 0, "volumeMounts", 0),
    ("spec", "containers", 0, "resources"),
]


def replica(number=0):
    """Return one of a controller's pods, as the API server sends it: all that may differ does."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"train-{number}",
            "generateName": "train-",
            "namespace": f"team-{number}",
            "uid": f"u{number}",
            "creationTimestamp": f"2026-01-01T00:00:0{number}Z",
            "labels": {
                "app": f"app{number}",
                "app.kubernetes.io/instance": f"i{number}",
                "batch.kubernetes.io/controller-uid": f"c{number}",
                "job-name": f"j{number}",
                "pod-template-hash": f"h{number}",
            },
            "annotations": {
                "note": "x",
                "batch.kubernetes.io/job-completion-index": str(number),
                "a.io/run": f"r{number}",
            },
            "ownerReferences": [{"kind": "Job", "name": f"j{number}", "uid": f"o{number}"}],
            "managedFields": [{"time": f"2026-01-01T00:00:0{number}Z"}],
        },
        "spec": {
            "hostname": f"train-{number}",
            "subdomain": f"s{number}",
            "serviceAccountName": f"sa{number}",
            "serviceAccount": f"sa{number}",
            "imagePullSecrets": [{"name": f"pull{number}"}],
            "containers": [
                {
                    "name": "train",
                    "image": f"example.com/train:{number}",
                    "command": ["train", str(number)],
                    "args": [str(number)],
                    "workingDir": f"/{number}",
                    "ports": [{"containerPort": 8000 + number}],
                    "livenessProbe": {"periodSeconds": number},
                    "env": [
                        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"},
                        {"name": "RANK", "value": str(number)},
                    ],
                    "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}},
                    "volumeMounts": [{"name": f"kube-api-access-{number}", "mountPath": "/var/run/secrets"}],
                }
            ],
            "volumes": [{"name": f"kube-api-access-{number}", "projected": {}}],
        },
    }


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "/".join(map(str, place)))
def test_misshapen_pods(place):
    for odd, engine in itertools.product(ODD, (ENGINES[0], ENGINES[-1])):
        pod = replica()
        here = pod
        for token in place[:-1]:
            here = here[token]
        here[place[-1]] = odd
        same(engine, pod)


def test_replicas_have_one_essence():
    assert essence.of(replica(1)) == essence.of(replica(2))


def test_nothing_moves():
    """Operations on the essence must mean the same on the Pod: lists keep their length, mappings their keys."""
    pod = replica()
    slim = essence.of(pod)
    assert slim["metadata"]["labels"].keys() == pod["metadata"]["labels"].keys()
    assert slim["metadata"]["annotations"].keys() == pod["metadata"]["annotations"].keys()
    assert len(slim["spec"]["volumes"]) == 1
    assert slim["spec"]["containers"][0]["env"] == [
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"},
        {},
    ]


TELLING = {
    "an amount": ("containers", 0, "resources", "limits", "nvidia.com/gpu"),
    "the type of an amount": ("containers", 0, "resources", "requests", "nvidia.com/gpu"),
    "the name of a container": ("containers", 0, "name"),
    "a variable's name": ("containers", 0, "env", 0, "name"),
    "a variable's value": ("containers", 0, "env", 0, "value"),
    "a scheduler": ("schedulerName",),
    "a toleration": ("tolerations",),
    "a node selector": ("nodeSelector",),
    "a node affinity": ("affinity",),
    "a claim": ("resourceClaims",),
    "a node": ("nodeName",),
    "a runtime class": ("runtimeClassName",),
    "the node's processes": ("hostPID",),
    "the node's memory": ("hostIPC",),
    "an init container": ("initContainers",),
    "resources of the whole pod": ("resources",),
    "privileges": ("containers", 0, "securityContext"),
    "variables from elsewhere": ("containers", 0, "envFrom"),
    "claims of a container": ("containers", 0, "resources", "claims"),
    "a restart policy": ("containers", 0, "restartPolicy"),
    "a host path": ("volumes", 0, "hostPath"),
}
MARKS = [
    *markers.LABEL_KEYS,
    *(f"{key}x" for key in markers.LABEL_PREFIXES),
    "kai.scheduler/queue",
    "gpu-admission.io/gpu-mem",
]
ASKING = [
    *(*markers.ANNOTATION_KEYS, *(f"{key}/x" for key in markers.NRI_CDI_DOMAINS), *kai_words.POD_WIDE),
    *(*(f"{key}/x" for key in markers.NRI_DEVICE_DOMAINS), "cdi.k8s.io/x", "a.cdi.k8s.io/x", markers.KAI_CONFIG_MAP),
    *("hami.io/gpu-devices-allocated", "nvidia.com/container.c.gpu-memory.request", "nvidia.com/use-gputype"),
]


@pytest.mark.parametrize("key", ASKING)
def test_annotations_that_ask_for_something_are_kept(key):
    pod = replica()
    pod["metadata"]["annotations"][key] = "value"
    assert essence.of(pod)["metadata"]["annotations"][key] == "value"


@pytest.mark.parametrize("key", MARKS)
def test_labels_that_ask_for_something_are_kept(key):
    pod = replica()
    pod["metadata"]["labels"][key] = "value"
    assert essence.of(pod)["metadata"]["labels"][key] == "value"


@pytest.mark.parametrize("what", TELLING)
def test_what_rules_read_is_kept(what):
    one, other = replica(), replica()
    place = TELLING[what]
    here = other["spec"]
    for token in place[:-1]:
        here = here[token]
    here[place[-1]] = 1
    assert essence.of(one) != essence.of(other)


@pytest.mark.parametrize(("value", "alike"), [("$(RANK)", False), ("void", True)])
def test_the_values_of_other_variables_count_where_one_refers_to_them(value, alike):
    one, other = replica(1), replica(2)
    for pod in (one, other):
        pod["spec"]["containers"][0]["env"][0]["value"] = value
    assert (essence.of(one) == essence.of(other)) is alike
