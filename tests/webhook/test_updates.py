"""What an update does to a pod, by every way that leads there: judged by raw values, and for what it removes too."""

import copy
import json

import pytest
from reviews import deployment, pod, review

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import gpu_markers
from gpu_admission.webhook.review.handler import Decider

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

GPU = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
TRUSTED = [
    *(("annotations", key.replace("*", "x")) for key in gpu_markers.TRUSTED_ANNOTATIONS),
    *(("labels", key.replace("*", "x")) for key in gpu_markers.TRUSTED_LABELS),
]
INJECTING = [
    *((key, "nvidia.com/gpu=0") for key in ("cdi.k8s.io/gpus", "nvidia.cdi.k8s.io/x", *gpu_markers.NRI_CDI_DOMAINS)),
    *((key, "- path: /dev/nvidia0") for key in gpu_markers.NRI_DEVICE_DOMAINS),
]
LONG = "GPU-0123456789abcdef:" * 480  # about 10,000 characters
CHANGED = {
    "head": "x" + LONG[1:],
    "middle": LONG[:5000] + "x" + LONG[5001:],
    "tail": LONG[:-1] + "x",
    "longer": LONG + "x",
    "shorter": LONG[:-1],
    "empty": "",
}
BY = ["", "status", "ephemeralcontainers", "resize"]
DEFAULT = loader.load("default")


def with_metadata(_resources=None, **metadata):
    made = pod(_resources or GPU, nodeName="n")
    made["metadata"] |= metadata
    made["status"] = {"phase": "Running"}
    return made


def decide(new, old=None, *, policy=DEFAULT, operation="UPDATE", **request):
    body = json.dumps(review(new, operation=operation, old=old, **request)).encode()
    answer = Decider(lambda _: policy)(body, "validate")
    assert answer.status == 200
    return json.loads(answer.body)["response"]


def denied(response, rule="GPU307"):
    return response["allowed"] is False and f"{rule} " in response["status"]["message"]


@pytest.mark.parametrize(("field", "key"), TRUSTED)
class TestKeysThatSchedulersWrite:
    @pytest.mark.parametrize("subresource", BY)
    def test_nobody_else_adds_changes_or_removes_them(self, field, key, subresource):
        bare, old = with_metadata(), with_metadata(**{field: {key: LONG, "other": "x"}})
        by = {"subresource": subresource}
        assert denied(decide(old, bare, **by))
        for value in CHANGED.values():
            assert denied(decide(with_metadata(**{field: {key: value, "other": "x"}}), old, **by)), value[:20]
        for replacement in ({"other": "x"}, {}, None):
            assert denied(decide(with_metadata(**{field: replacement}), old, **by)), replacement
        assert denied(decide(bare, old, **by))
        assert denied(decide({**bare, "metadata": None}, old, **by))

    def test_the_message_tells_what_the_update_does(self, field, key):
        old = with_metadata(**{field: {key: "0"}})
        removed = decide(with_metadata(), old)["status"]["message"]
        changed = decide(with_metadata(**{field: {key: "1"}}), old)["status"]["message"]
        for message, word in ((removed, "removes"), (changed, "changes")):
            assert f'this update {word} the {field[:-1]} "{key}"' in message
            assert "until the pod has ended" in message
            assert f"[/metadata/{field}/{key.replace('/', '~1')}]" in message

    def test_what_is_left_alone_is_nobodys_concern(self, field, key):
        old = with_metadata(finalizers=["example.com/keep"], **{field: {key: LONG, "other": "x"}})
        new = copy.deepcopy(old)
        new["metadata"]["finalizers"] = None
        new["metadata"][field]["other"] = "y"
        new["spec"]["containers"][0]["image"] = "example.com/train:2"
        assert decide(new, old) == {"uid": new_uid(), "allowed": True}

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_a_pod_that_has_ended_holds_no_card(self, field, key, phase):
        old = with_metadata(**{field: {key: LONG}})
        old["status"]["phase"] = phase
        for subresource in BY:
            assert decide(with_metadata(), old, subresource=subresource)["allowed"]
            assert decide(with_metadata(**{field: {key: "x"}}), old, subresource=subresource)["allowed"]

    def test_a_pod_that_is_being_deleted_still_does(self, field, key):
        old = with_metadata(deletionTimestamp="2026-01-01T00:00:00Z", **{field: {key: LONG}})
        assert denied(decide(with_metadata(deletionTimestamp="2026-01-01T00:00:00Z"), old))

    def test_a_status_cannot_end_the_pod_and_take_the_key_along(self, field, key):
        new = with_metadata()
        new["status"]["phase"] = "Succeeded"
        assert denied(decide(new, with_metadata(**{field: {key: LONG}}), subresource="status"))

    def test_the_exempt_may(self, field, key):
        policy = Policy("p", {"exempt": {"users": ["system:serviceaccount:own:*"]}})
        old = with_metadata(**{field: {key: LONG}})
        by = {"policy": policy, "user": "system:serviceaccount:own:scheduler"}
        assert decide(with_metadata(), old, **by)["allowed"]
        assert decide(with_metadata(**{field: {key: "x"}}), old, **by)["allowed"]
        assert decide(binding(**{field: {key: "x"}}), operation="CREATE", subresource="binding", **by)["allowed"]

    @pytest.mark.parametrize("subresource", ["binding", ""])
    def test_a_binding_may_not_bring_them(self, field, key, subresource):
        by = {"operation": "CREATE", "subresource": subresource}
        assert denied(decide(binding(**{field: {key: LONG}}), **by))
        assert decide(binding(**{field: {"example.com/x": "y"}}), **by)["allowed"]

    def test_a_template_may_lose_them_and_not_get_others(self, field, key):
        old = templated(field, {key: LONG})
        assert decide(templated(field, None), old)["allowed"]
        assert decide(old, old)["allowed"]
        assert denied(decide(templated(field, {key: CHANGED["tail"]}), old))


def new_uid():
    return review(pod())["request"]["uid"]


def binding(**metadata):
    target = {"apiVersion": "v1", "kind": "Node", "name": "n"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p", **metadata}, "target": target}


def templated(field, keys):
    made = deployment(GPU)
    made["spec"]["template"]["metadata"] |= {field: keys}
    return made


def test_a_tail_behind_what_messages_show():
    """Two values of Koordinator's that begin alike: from half a card to two."""
    key = "scheduling.koordinator.sh/device-allocated"
    half, two = (
        {key: json.dumps({"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-core": core}}, *more]})}
        for core, more in (("50", []), ("100", [{"minor": 1}]))
    )
    response = decide(
        with_metadata(annotations=two), with_metadata(annotations=half), policy=loader.load("koordinator")
    )
    assert denied(response)


class TestLabelsThatOptOut:
    @pytest.mark.parametrize(("key", "value", "system"), gpu_markers.OPT_OUT_LABELS)
    @pytest.mark.parametrize("subresource", BY)
    def test_they_are_not_brought_and_may_go(self, key, value, system, subresource):
        del system
        bare, marked = with_metadata(), with_metadata(labels={key: value})
        by = {"subresource": subresource}
        assert denied(decide(marked, bare, **by))
        assert denied(decide(marked, with_metadata(labels={key: "enabled"}), **by))
        assert decide(bare, marked, **by)["allowed"]
        assert decide(marked, marked, **by)["allowed"]

    @pytest.mark.parametrize(("key", "value", "system"), gpu_markers.OPT_OUT_LABELS)
    def test_nor_by_a_binding(self, key, value, system):
        del system
        assert denied(decide(binding(labels={key: value}), operation="CREATE", subresource="binding"))


@pytest.mark.parametrize(("key", "value"), INJECTING)
class TestAnnotationsThatInjectDevices:
    @pytest.mark.parametrize("subresource", BY)
    def test_they_are_not_brought_nor_changed_and_may_go(self, key, value, subresource):
        old = with_metadata(annotations={key: f"{value}{' ' * 10_000}"})
        tail = with_metadata(annotations={key: f"{value}{' ' * 10_000}1"})
        assert denied(decide(tail, with_metadata(), subresource=subresource), "GPU306")
        assert denied(decide(tail, old, subresource=subresource), "GPU306")
        assert decide(with_metadata(), old, subresource=subresource)["allowed"]

    def test_nor_by_a_binding(self, key, value):
        response = decide(binding(annotations={key: value}), operation="CREATE", subresource="binding")
        assert denied(response, "GPU306")


KAI = loader.load("kai")
REQUESTS = [
    {"gpu-memory": "4096"},
    {"gpu-fraction": "0.5"},
    {"gpu-memory": "4096", "gpu-fraction-num-devices": "2"},
    {"nvidia.com/container.train.gpu-memory.request": "4Gi"},
]


@pytest.mark.parametrize("requested", REQUESTS)
class TestRequestsByAnnotation:
    """Schedulers count by them as long as the pod runs."""

    def pair(self, requested, new, *, node="n"):
        made = []
        for annotations in (requested, new):
            one = with_metadata({"limits": {}}, annotations=annotations, labels={"kai.scheduler/queue": "q"})
            one["spec"] |= {"schedulerName": "kai-scheduler", "nodeName": node}
            made.append(one)
        return made

    @pytest.mark.parametrize("subresource", ["", "status"])
    def test_of_a_bound_pod_they_stay(self, requested, subresource):
        key = next(iter(requested))
        for new in ({}, {**requested, key: "1"}, {**requested, "gpu-fraction-container-name": "other"}):
            old, updated = self.pair(requested, new)
            response = decide(updated, old, policy=KAI, subresource=subresource)
            assert denied(response), new
            assert "while the pod runs" in response["status"]["message"]

    def test_until_then_they_may_change(self, requested):
        key = next(iter(requested))
        old, updated = self.pair(
            requested, {**requested, key: {"gpu-fraction": "0.25"}.get(key, requested[key])}, node=""
        )
        assert decide(updated, old, policy=KAI)["allowed"]

    def test_other_annotations_may(self, requested):
        old, updated = self.pair(requested, {**requested, "example.com/x": "y"})
        assert decide(updated, old, policy=KAI)["allowed"]

    def test_an_ended_pod_may_lose_them(self, requested):
        old, updated = self.pair(requested, {})
        old["status"]["phase"] = "Failed"
        assert decide(updated, old, policy=KAI)["allowed"]


class TestHostileUpdates:
    ODD = (None, [], "x", 1, True, {"a": 1}, [{}], [None])

    @pytest.mark.parametrize("odd", ODD)
    @pytest.mark.parametrize("subresource", [*BY, "binding"])
    @pytest.mark.parametrize("policy", ["default", "kai"])
    def test_odd_objects_are_answered(self, odd, subresource, policy):
        good = with_metadata(annotations={"hami.io/vgpu-node": "n", "gpu-memory": "4096"})
        by = {"subresource": subresource, "policy": loader.load(policy)}
        for old in (odd, {**good, "metadata": odd}, {**good, "metadata": {"annotations": odd, "labels": odd}}):
            assert "allowed" in decide(good, old, **by)
        for old in ({**good, "spec": odd}, {**good, "status": odd}, {**good, "kind": "Deployment"}, {}):
            assert "allowed" in decide(good, old, **by)
            assert "allowed" in decide({**old, "kind": "Pod", "apiVersion": "v1"}, good, **by)

    @pytest.mark.parametrize("odd", ODD)
    def test_an_old_object_that_is_none_excuses_nothing(self, odd):
        assert denied(decide(with_metadata(annotations={"hami.io/vgpu-node": "n"}), odd))

    @pytest.mark.parametrize("odd", ODD)
    def test_odd_bindings_are_answered(self, odd):
        for made in (
            {**binding(), "metadata": odd},
            binding(annotations=odd, labels=odd),
            {**binding(), "target": odd},
        ):
            assert decide(made, operation="CREATE", subresource="binding")["allowed"]

    def test_values_of_other_types_are_other_values(self):
        key = "hami.io/vgpu-node"
        for value in (1, 1.0, True, "1", [1], None):
            for other in (1, 1.0, True, "1", [1], None):
                old, new = (with_metadata(annotations={key: each}) for each in (value, other))
                assert decide(new, old)["allowed"] is (type(value) is type(other)), (value, other)
