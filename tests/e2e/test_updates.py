"""Pods created before the webhook: they can be updated and deleted, but not their allocations."""

import copy

import pytest
from e2e.objects import space
from e2e.webhooks import options, registered, settled
from webhook_server import free_port

from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations as webhooks
from gpu_admission.rules import gpu_markers

pytestmark = pytest.mark.e2e

# Refused under the default policy: a device of the node, and every card shown.
BAD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "old",
        "finalizers": ["example.com/keep"],
        "annotations": {"cdi.k8s.io/x": "nvidia.com/gpu=0"},
    },
    "spec": {
        "containers": [
            {
                "name": "train",
                "image": "example.com/train:1",
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}],
            }
        ],
        "volumes": [{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}],
    },
}


@pytest.fixture(scope="class")
def old(api, server):
    """A namespace with an invalid pod that was created before the webhooks were registered."""
    with space(api, "before-us") as name:
        made = api.create(BAD, name)
        assert made.status == 201, made
        with server.registered(api):
            yield f"/api/v1/namespaces/{name}/pods/old"


class TestAnOldPod:
    def test_it_would_be_refused_today(self, api, old):
        refused = api.create({**BAD, "metadata": {"name": "new"}}, "before-us", dryRun="All")
        assert refused.status == 403
        assert {rule for rule in ("GPU301", "GPU304") if rule in refused.message} == {"GPU301", "GPU304"}

    def test_it_can_be_labelled(self, api, old):
        assert api.patch(old, {"metadata": {"labels": {"seen": "yes"}}}).status == 200

    def test_it_cannot_be_made_worse(self, api, old):
        refused = api.patch(old, {"metadata": {"annotations": {"cdi.k8s.io/y": "nvidia.com/gpu=all"}}})
        assert refused.status == 403, refused
        assert "GPU306 " in refused.message
        assert "GPU304" not in refused.message

    def test_its_image_can_be_changed(self, api, old):
        change = {"spec": {"containers": [{"name": "train", "image": "example.com/train:2"}]}}
        assert api.patch(old, change, "strategic-merge").status == 200

    def test_its_finalizers_can_be_removed(self, api, old):
        api.delete(old, gracePeriodSeconds=0)
        assert api.get(old).object["metadata"]["deletionTimestamp"]
        assert api.patch(old, {"metadata": {"finalizers": None}}).status == 200
        assert api.get(old).status == 404


# What a running pod holds, and nothing else that touches a GPU: it goes all at once, and the conditions must see it.
TRUSTED = {
    "annotations": {key.replace("*", "x"): "held" for key in gpu_markers.TRUSTED_ANNOTATIONS},
    "labels": {key.replace("*", "x"): "held" for key in gpu_markers.TRUSTED_LABELS},
}
KEYS = [(field, key) for field, keys in TRUSTED.items() for key in keys]
HELD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "held", "finalizers": ["example.com/keep"], **TRUSTED},
    "spec": {
        "nodeName": "node",
        "containers": [
            {
                "name": "c",
                "image": "example.com/c:1",
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
            }
        ],
    },
}
OTHERS = {"metadata": {"annotations": {"example.com/x": "y"}, "labels": {"x": "y"}}}


def named(name, node="node", **metadata):
    made = copy.deepcopy(HELD)
    made["metadata"] = {"name": name, **metadata}
    made["spec"]["nodeName"] = node
    return made if node else {**made, "spec": {"containers": made["spec"]["containers"]}}


def binding(name, **metadata):
    target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, **metadata}, "target": target}


def metadata_of(api, path):
    made = api.get(path).object["metadata"]
    return made.get("annotations") or {}, made.get("labels") or {}


MARKS = {"metadata": {"annotations": {"a": "new"}, "labels": {"a": "new"}}}


class TestWhatTheApiServerLetsThrough:
    """The table in the docstring of webhook/review/decide.py."""

    @pytest.mark.parametrize(
        ("subresource", "changes"),
        [("", True), ("/status", True), ("/ephemeralcontainers", False), ("/resize", False)],
    )
    def test_metadata_by_way_of(self, api, namespace, subresource, changes):
        assert api.create(named("p", annotations={"a": "old"}, labels={"a": "old"}), namespace).status == 201
        path = f"/api/v1/namespaces/{namespace}/pods/p"
        assert api.patch(path + subresource, MARKS).status == 200
        assert metadata_of(api, path) == (({"a": "new"}, {"a": "new"}) if changes else ({"a": "old"}, {"a": "old"}))

    @pytest.mark.parametrize("way", ["pods/p/binding", "bindings"])
    def test_a_binding_is_copied_over_what_is_there(self, api, namespace, way):
        assert api.create(named("p", "", annotations={"a": "old"}, labels={"a": "old"}), namespace).status == 201
        root = f"/api/v1/namespaces/{namespace}"
        made = api.request("POST", f"{root}/{way}", binding("p", **MARKS["metadata"]))
        assert made.status == 201, made
        assert metadata_of(api, f"{root}/pods/p") == ({"a": "new"}, {"a": "new"})

    def test_an_eviction_brings_nothing(self, api, namespace):
        assert api.create(named("p", finalizers=["example.com/keep"]), namespace).status == 201
        path = f"/api/v1/namespaces/{namespace}/pods/p"
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", **MARKS["metadata"]}}
        assert api.request("POST", f"{path}/eviction", eviction).status == 201
        assert metadata_of(api, path) == ({}, {})

    def test_nobody_ends_a_pod_but_by_its_status(self, api, namespace):
        assert api.create(named("p"), namespace).status == 201
        path = f"/api/v1/namespaces/{namespace}/pods/p"
        assert api.patch(path, {"status": {"phase": "Failed"}}).status == 200
        assert api.get(path).object["status"]["phase"] == "Pending"

    def test_what_the_role_edit_may_write(self, api):
        """What the role is put together from: a controller does that, and here none may run."""
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:aggregate-to-edit"
        rules = [rule for rule in api.get(path).object["rules"] if "" in rule["apiGroups"]]
        written = {
            name
            for rule in rules
            for name in rule["resources"]
            if name.startswith(("pods", "bindings")) and not {"create", "update", "patch"}.isdisjoint(rule["verbs"])
        }
        assert written == {f"pods{sub}" for sub in ("", "/attach", "/exec", "/eviction", "/portforward", "/proxy")}


@pytest.fixture(scope="class")
def held(api, server):
    """A namespace where pods stand whose schedulers have written all that they write."""
    with space(api, "holding") as name:
        for each in (HELD, named("loose", ""), named("loose-too", "")):
            assert api.create(each, name).status == 201
        ended = {**named("ended"), "metadata": {"name": "ended", **TRUSTED}}
        assert api.create(ended, name).status == 201
        with server.registered(api):
            yield f"/api/v1/namespaces/{name}"


class TestWhatAPodHolds:
    @pytest.mark.parametrize("way", ["", "/status"])
    @pytest.mark.parametrize(("field", "key"), KEYS)
    def test_it_stays_as_it_is(self, api, held, field, key, way):
        for value in (None, "", "held-" + "x" * (50 if field == "labels" else 10_000)):
            refused = api.patch(f"{held}/pods/held{way}", {"metadata": {field: {key: value}}})
            assert refused.status == 403, (value, refused)
            assert f'GPU307 this update {"changes" if value is not None else "removes"} the {field[:-1]} "{key}"' in (
                refused.message
            )

    @pytest.mark.parametrize("way", ["", "/status"])
    @pytest.mark.parametrize("removed", [None, {}])
    def test_nor_does_all_of_it_go_at_once(self, api, held, way, removed):
        new = api.get(f"{held}/pods/held").object
        new["metadata"] |= {"annotations": removed, "labels": removed}
        refused = api.request("PUT", f"{held}/pods/held{way}", new)
        assert refused.status == 403, refused
        assert "GPU307 this update removes" in refused.message

    @pytest.mark.parametrize("way", ["", "/status", "/ephemeralcontainers", "/resize"])
    def test_everything_else_may_change(self, api, held, way):
        assert api.patch(f"{held}/pods/held{way}", OTHERS).status == 200

    def test_its_status_is_written_as_ever(self, api, held):
        change = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        assert api.patch(f"{held}/pods/held/status", change, "strategic-merge").status == 200

    def test_a_pod_that_has_ended_may_lose_it(self, api, held):
        assert api.patch(f"{held}/pods/ended/status", {"status": {"phase": "Failed"}}).status == 200
        assert api.patch(f"{held}/pods/ended", {"metadata": {"annotations": None, "labels": None}}).status == 200

    @pytest.mark.parametrize("way", ["pods/loose/binding", "bindings"])
    @pytest.mark.parametrize(
        ("field", "key"), [*KEYS, ("annotations", "cdi.k8s.io/gpus"), ("labels", "hami.io/webhook")]
    )
    def test_no_binding_brings_it(self, api, held, way, field, key):
        refused = api.request("POST", f"{held}/{way}", binding("loose", **{field: {key: "ignore"}}))
        assert refused.status == 403, refused
        assert ("GPU306 " if "cdi" in key else "GPU307 ") in refused.message

    @pytest.mark.parametrize(("way", "name"), [("pods/loose/binding", "loose"), ("bindings", "loose-too")])
    def test_other_bindings_are_made(self, api, held, way, name):
        made = api.request("POST", f"{held}/{way}", binding(name, **OTHERS["metadata"]))
        assert made.status == 201, made

    def test_it_can_be_deleted(self, api, held):
        api.delete(f"{held}/pods/held", gracePeriodSeconds=0)
        refused = api.patch(f"{held}/pods/held", {"metadata": {"annotations": None}})
        assert refused.status == 403, "it may still be running"
        assert api.patch(f"{held}/pods/held", {"metadata": {"finalizers": None}}).status == 200
        assert api.get(f"{held}/pods/held").status == 404


@pytest.fixture(scope="class")
def shared(api, server):
    """A pod that shares a card by annotation and by nothing else."""
    mine = {"annotations": {"gpu-fraction": "0.5"}, "labels": {"runai-gpu-group": "g", "kai.scheduler/queue": "q"}}
    with space(api, "sharing") as name:
        assert api.create(named("shared", **mine), name).status == 201
        with server.registered(api, "kai"):
            yield f"/api/v1/namespaces/{name}/pods/shared"


class TestUnderThePolicyOfABackend:
    @pytest.mark.parametrize("way", ["", "/status"])
    @pytest.mark.parametrize(
        "change",
        [
            {"annotations": {"gpu-fraction": "0.1"}},
            {"annotations": None},
            {"annotations": None, "labels": None},
            {"labels": {"runai-gpu-group": None}},
        ],
        ids=str,
    )
    def test_its_share_stays_as_it_is(self, api, shared, change, way):
        refused = api.patch(shared + way, {"metadata": change})
        assert refused.status == 403, refused
        assert "GPU307 this update" in refused.message

    def test_the_backends_own_account_may(self, api, shared):
        (binder,) = (user for user in loader.load("kai").exempt.users.patterns if user.endswith(":binder"))
        made = api.request(
            "PATCH", shared, {"metadata": {"labels": {"runai-gpu-group": "h"}}},
            content_type="application/merge-patch+json", headers={"Impersonate-User": binder, "Impersonate-Group": "system:masters"},
        )  # fmt: skip
        assert made.status == 200, made
        assert "GPU307" not in made.message


@pytest.fixture(scope="class")
def waiting(api, server):
    with space(api, "waiting") as name:
        for each in (HELD, named("loose", "")):
            assert api.create(each, name).status == 201
        url = f"https://127.0.0.1:{free_port()}"
        down = webhooks.configurations(loader.load("default"), options("down", url, server.authority))
        path = f"/api/v1/namespaces/{name}"
        with registered(api, down):
            settled(lambda: api.patch(f"{path}/pods/held", {"metadata": {"annotations": None}}, dryRun="All").refused)
            yield path


class TestWhileTheWebhookIsDown:
    def test_kubelets_write_status(self, api, waiting):
        change = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        assert api.patch(f"{waiting}/pods/held/status", change, "strategic-merge").status == 200
        assert api.patch(f"{waiting}/pods/held/status", OTHERS).status == 200

    def test_schedulers_bind(self, api, waiting):
        assert api.request("POST", f"{waiting}/pods/loose/binding", binding("loose")).status == 201

    @pytest.mark.parametrize("way", ["", "/status"])
    def test_what_a_pod_holds_waits(self, api, waiting, way):
        refused = api.patch(f"{waiting}/pods/held{way}", {"metadata": {"annotations": {"hami.io/vgpu-x": None}}})
        assert refused.refused
        assert "failed calling webhook" in refused.message

    def test_pods_that_are_being_deleted_lose_their_finalizers(self, api, waiting):
        api.delete(f"{waiting}/pods/held", gracePeriodSeconds=0)
        assert api.patch(f"{waiting}/pods/held", {"metadata": {"finalizers": None}}).status == 200
