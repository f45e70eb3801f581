"""Equal pods are judged once, and irrelevant objects are not decoded: neither may change the findings."""

import copy
import json
import random

import hostile_pods
import pytest
from audit_objects import managed, pod, spec

from gpu_admission.audit import listed as listed_objects
from gpu_admission.audit.judge import Judge, _likeness
from gpu_admission.cluster.discovery import ServedKind
from gpu_admission.policyfile import loader
from policies import ALL_ON

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

POD = ServedKind("", "v1", "pods", "Pod", namespaced=True)


def wire(obj):
    return json.dumps(obj, separators=(",", ":")).encode()


def found(judge, obj):
    item = wire(obj)
    listed = listed_objects.read(item)
    assert listed is not None, item
    judged = judge.judge(listed, item, POD)
    return [(each.finding.rule, each.finding.message, each.finding.pointer, each.consequence) for each in judged]


def directly(judge, obj):
    """What the engine finds in the whole object, decoded, without a cache."""
    item = wire(obj)
    whole = listed_objects.document(listed_objects.read(item), item, POD)
    return sorted(
        (finding.rule, finding.message, finding.pointer, judge._consequence(finding, whole))
        for finding in judge._findings(whole)
    )


def variants(rng, body):
    """Pods of one template as controllers number them, and some in which something that counts differs."""
    for number in range(4):
        one = copy.deepcopy(body)
        one |= {"nodeName": f"node-{number}", "hostname": f"web-{number}"}
        one["volumes"] = [
            *one.get("volumes", ()),
            {"name": f"kube-api-access-{'abcde'[number]}2x4z", "projected": {}},
            {"name": "data", "persistentVolumeClaim": {"claimName": f"data-web-{number}"}},
        ]
        labels = {"pod-template-hash": str(number), "app": rng.choice(["a", "b"])}
        extra = rng.choice([(), ("nodeName",)])
        yield pod(f"web-{number}", one, labels=labels, managedFields=managed(*extra))


@pytest.mark.parametrize("policy", [loader.load("default"), loader.load("strict"), loader.load("hami"), ALL_ON])
def test_what_is_remembered_and_passed_over_is_what_the_engine_finds(policy):
    rng = random.Random(20261126)
    judge = Judge(policy)
    speaking = 0
    for number in range(120):
        body = hostile_pods.pod(rng)["spec"]
        if number % 3 == 0:
            body["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": rng.choice([0, 1, "2", 9])}}
        for each in variants(rng, body):
            expected = directly(judge, each)
            speaking += bool(expected)
            assert sorted(found(judge, each)) == expected
    assert speaking > 100


ALIKE = [
    ("nodeName", lambda p: p["spec"].update(nodeName="other")),
    ("hostname", lambda p: p["spec"].update(hostname="other")),
    ("name", lambda p: p["metadata"].update(name="other", uid="other", resourceVersion="9")),
    ("hash", lambda p: p["metadata"]["labels"].update({"pod-template-hash": "other"})),
    ("status", lambda p: p.update(status={"phase": "Pending", "podIP": "10.0.0.9"})),
]
UNLIKE = [
    ("namespace", lambda p: p["metadata"].update(namespace="other")),
    ("label", lambda p: p["metadata"]["labels"].update({"hami.io/webhook": "ignore"})),
    ("annotation", lambda p: p["metadata"].update(annotations={"gpu-memory": "7"})),
    ("image", lambda p: p["spec"]["containers"][0].update(image="other")),
    ("owner", lambda p: p["metadata"].update(ownerReferences=[{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u"}])),
    ("author of the node", lambda p: p["metadata"].update(managedFields=managed("nodeName"))),
    ("text that only looks like a field", lambda p: p["spec"]["containers"][0].update(args=['"nodeName":"x"'])),
    ("a name in a variable", lambda p: p["spec"]["containers"][0].update(env=[{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
]  # fmt: skip


def base():
    return pod("p", spec() | {"nodeName": "n", "hostname": "h"}, labels={"app": "x", "pod-template-hash": "1"})


def likeness(obj):
    return _likeness(listed_objects.read(wire(obj)))


@pytest.mark.parametrize(("name", "change"), ALIKE, ids=[name for name, _ in ALIKE])
def test_pods_that_no_rule_could_tell_apart(name, change):
    one = base()
    other = copy.deepcopy(one)
    change(other)
    assert likeness(one) == likeness(other)


@pytest.mark.parametrize(("name", "change"), UNLIKE, ids=[name for name, _ in UNLIKE])
def test_pods_that_some_rule_might(name, change):
    one = base()
    other = copy.deepcopy(one)
    change(other)
    assert likeness(one) != likeness(other)


def test_marks_of_a_scheduler_make_who_wrote_them_count():
    one = pod("p", spec(), annotations={"ALIYUN_COM_GPU_MEM_IDX": "0"})
    other = copy.deepcopy(one)
    other["metadata"]["managedFields"] = managed(fields=["ALIYUN_COM_GPU_MEM_IDX"])
    assert likeness(one) != likeness(other)


@pytest.mark.parametrize("key", ["hami.io/vgpu-devices-allocated", "ALIYUN_COM_GPU_MEM_IDX"])
def test_cards_that_a_scheduler_chose_make_no_difference(key):
    """Or every pod of a cluster with a sharing backend would be judged anew."""
    one, other = (pod("p", spec(), annotations={key: value}, managedFields=managed()) for value in ("0", "1"))
    assert likeness(one) == likeness(other)
    judge = Judge(ALL_ON)
    assert sorted(found(judge, one)) == directly(judge, one)


def test_what_no_rule_reads_is_cut_off_and_nothing_else():
    long = [{"manager": "kubelet", "fieldsV1": {"f:status": {}}, "time": "2026-11-26T00:00:00Z", "operation": "Update"}]
    one = pod("p", spec(args=[json.dumps(long)]), managedFields=long)
    item = wire(one)
    cut = listed_objects.read(item).judged(item)
    assert json.loads(cut) == {**one, "metadata": {**one["metadata"], "managedFields": None}}
    twice = pod("p", spec(), managedFields=long, labels={"a": "b"})
    twice["spec"]["odd"] = long  # the same bytes twice: which of them are managedFields is unclear
    item = wire(twice)
    assert listed_objects.read(item).judged(item) == item
    short = wire(pod("p", spec(), managedFields=[]))
    assert listed_objects.read(short).judged(short) == short


def test_a_name_in_a_variable_tells_two_pods_apart():
    env = [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['pod-template-hash']"}}}]
    one = pod("p", spec(env=env), labels={"pod-template-hash": "1"})
    other = copy.deepcopy(one)
    other["metadata"]["labels"]["pod-template-hash"] = "2"
    assert likeness(one) != likeness(other)


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("gpu_admission.audit.judge._MOST_REMEMBERED", 10)
    judge = Judge(loader.load("default"))
    for number in range(100):
        found(judge, pod("p", spec(image=str(number))))
    assert len(judge._known) <= 10


@pytest.mark.parametrize(
    "item", [b"", b"7", b"[]", b"{}", b'{"metadata": []}', b'{"metadata": {"name": 7}}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_object_is_none(item):
    assert listed_objects.read(item) is None


@pytest.mark.parametrize(
    "body", [None, [], 7, "text", {"containers": 5}, {"containers": [None, 7]}, {"nodeName": ["x"]}]
)
def test_specs_of_any_shape_are_judged(body):
    judge = Judge(ALL_ON)
    obj = pod("gpu", {}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "0"})
    obj["spec"] = body
    found(judge, obj)
