"""Ways to cards that were not requested, through the front door: each is denied, or blinded by a repair.

``fixtures/attack`` holds reviews as the API server sends them. Each is tried as it stands and in every role, in an
ephemeral container, in a template, and with every vendor's variables.
"""

import base64
import copy
import json
from pathlib import Path

import jsonpatch
import pytest
from reviews import pod, review

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import gpu_markers
from gpu_admission.webhook.review.handler import Decider

FILES = Path(__file__).parent.parent / "fixtures" / "attack"
NAME = "NVIDIA_VISIBLE_DEVICES"
EVERY_POD = Policy("every", {"visibleDevices": {"everyPod": True}})
GPU310 = {action: Policy("env-from", {"rules": {"GPU310": action}}) for action in ("deny", "audit")}
KAI = Policy("kai", {"backend": {"name": "kai", "queue": "q"}})
SHIPPED = [loader.load(name) for name in loader.shipped()]
SHARED = [policy for policy in SHIPPED if policy.name != "kai"]
ROLES = ("containers", "initContainers", "sidecars")
FAMILIES = [name for name, each in gpu_markers.DEVICE_LISTS.items() if each.family]


def attack(name):
    (found,) = FILES.glob(f"{name}-*.json")
    return json.loads(found.read_text())["request"]["object"]


def ask(obj, endpoint, policy, **request):
    body = json.dumps(review(obj, **request)).encode()
    answer = Decider({None: policy}.get)(body, endpoint)
    assert answer.status == 200
    return json.loads(answer.body)["response"]


def admitted(obj, policy):
    """Return the Pod that would run, None where either endpoint denies it."""
    output = ask(obj, "mutate", policy)
    if not output["allowed"]:
        return None
    patched = jsonpatch.apply_patch(obj, json.loads(base64.b64decode(output.get("patch", "W10="))))
    return patched if ask(patched, "validate", policy)["allowed"] else None


def values(made, role, index=0):
    entries = made["spec"][{"sidecars": "initContainers"}.get(role, role)][index].get("env") or []
    return {each["name"]: each.get("value", "") for each in entries}


def moved(obj, role):
    """Put the one container of an attack in a role, beside a container without visible cards."""
    made = copy.deepcopy(obj)
    (bad,) = made["spec"]["containers"]
    if role == "containers":
        return made
    bad = {**bad, "restartPolicy": "Always"} if role == "sidecars" else bad
    quiet = {"name": "quiet", "image": "i", "env": [{"name": NAME, "value": "void"}]}
    made["spec"] = {"containers": [quiet], "initContainers": [bad]}
    return made


def templated(obj):
    template = {"metadata": obj["metadata"], "spec": obj["spec"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}


def debugged(obj, policy):
    """Add the attack's container as an ephemeral one to a Pod that runs already."""
    old = pod()
    old["metadata"] = {**old["metadata"], **obj["metadata"], "name": "p"}
    old["spec"]["containers"][0]["env"] = [{"name": NAME, "value": "void"}]
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = [{**obj["spec"]["containers"][0], "name": "debug"}]
    return ask(new, "validate", policy, operation="UPDATE", old=old, subresource="ephemeralcontainers")


@pytest.mark.parametrize(
    ("name", "policy", "rule"),
    [("a4", "koordinator", "GPU307"), ("a5", "default", "GPU304"), ("a6", "default", "GPU305")],
)
def test_a_review_as_it_stands_is_denied(name, policy, rule):
    (found,) = FILES.glob(f"{name}-*.json")
    answer = Decider({None: loader.load(policy)}.get)(found.read_bytes(), "validate")
    response = json.loads(answer.body)["response"]
    assert not response["allowed"]
    assert rule in response["auditAnnotations"]["rules"]


class TestAConfigMapOfTheUsersOwn:
    @pytest.mark.parametrize("policy", SHIPPED, ids=lambda policy: policy.name)
    @pytest.mark.parametrize("role", ROLES)
    def test_it_is_denied_under_every_policy(self, policy, role):
        assert admitted(moved(attack("a1"), role), policy) is None

    @pytest.mark.parametrize("policy", SHARED, ids=lambda policy: policy.name)
    def test_a_request_that_kai_would_read_opens_nothing_elsewhere(self, policy):
        made = attack("a1")
        made["metadata"]["annotations"]["gpu-memory"] = "2000"
        made["spec"]["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"]["key"] = NAME
        assert admitted(made, policy) is None

    @pytest.mark.parametrize("policy", [KAI, SHARED[0]], ids=lambda policy: policy.name)
    def test_it_is_denied_in_templates_and_ephemeral_containers(self, policy):
        assert not ask(templated(attack("a1")), "validate", policy)["allowed"]
        assert not debugged(attack("a1"), policy)["allowed"]

    def test_what_kai_writes_is_admitted_under_its_policy(self):
        made = attack("a1")
        made["metadata"]["annotations"]["gpu-memory"] = "2000"
        made["spec"]["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"]["key"] = NAME
        assert admitted(made, KAI) is not None


class TestEnvFrom:
    @pytest.mark.parametrize("policy", [loader.load("strict"), *GPU310.values()], ids=lambda policy: policy.name)
    @pytest.mark.parametrize("role", ROLES)
    def test_every_list_and_switch_is_set_to_nothing(self, policy, role):
        given = values(admitted(moved(attack("a2"), role), policy), role)
        for name, known in gpu_markers.DEVICE_LISTS.items():
            assert name == "DOCKER_RESOURCE_" or known.shows_none(given[name])
        assert given["NVIDIA_IMEX_CHANNELS"] == "void"
        assert given["NVIDIA_NVSWITCH"] != "enabled"

    @pytest.mark.parametrize("policy", [loader.load("strict"), GPU310["deny"]], ids=lambda policy: policy.name)
    def test_it_is_denied_where_nobody_repaired_it(self, policy):
        made = attack("a2")
        assert not ask(made, "validate", policy)["allowed"]
        made["spec"]["containers"][0]["env"] = [{"name": NAME, "value": "void"}]
        assert not ask(made, "validate", policy)["allowed"]
        assert not debugged(attack("a2"), policy)["allowed"]

    @pytest.mark.parametrize("gpu", ["nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi"])
    def test_on_a_container_with_a_gpu_it_is_denied(self, gpu):
        made = attack("a2")
        made["spec"]["containers"][0]["resources"] = {"limits": {gpu: "1"}, "requests": {gpu: "1"}}
        assert admitted(made, GPU310["deny"]) is None

    @pytest.mark.parametrize("name", [*gpu_markers.DEVICE_LISTS, "NVIDIA_IMEX_CHANNELS", "CUDA_VERSION"])
    @pytest.mark.parametrize("role", ROLES)
    def test_a_prefix_is_completed(self, name, role):
        made = attack("a2")
        made["spec"]["containers"][0]["envFrom"][0]["prefix"] = prefix = name[:-2]
        patched = admitted(moved(made, role), Policy("plain"))
        if name in FAMILIES:
            assert patched is None
            return
        wanted = NAME if name == "CUDA_VERSION" else name
        assert values(patched, role)[wanted] in {"void", "none", ""}, prefix
        assert not ask(made, "validate", Policy("plain"))["allowed"]
        assert not debugged(made, Policy("plain"))["allowed"]


class TestOldImages:
    @pytest.mark.parametrize("policy", SHIPPED, ids=lambda policy: policy.name)
    @pytest.mark.parametrize("role", ROLES)
    def test_a_version_of_cuda_alone_is_blinded(self, policy, role):
        assert values(admitted(moved(attack("a3"), role), policy), role)[NAME] == "void"

    def test_it_is_denied_where_nobody_repaired_it(self):
        policy = loader.load("default")
        output = ask(attack("a3"), "validate", policy)
        assert not output["allowed"]
        assert "mutating webhook did not run" in output["status"]["message"]
        assert not debugged(attack("a3"), policy)["allowed"]

    def test_a_template_is_warned_of_since_its_pods_are_repaired(self):
        output = ask(templated(attack("a3")), "validate", loader.load("default"))
        assert output["allowed"]
        assert output["warnings"][0].startswith("GPU301 ")

    def test_beside_a_gpu_it_is_blinded_too(self):
        made = attack("a3")
        gpu = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
        made["spec"]["containers"].append({"name": "train", "image": "i", "env": [], "resources": gpu})
        patched = admitted(made, loader.load("default"))
        assert values(patched, "containers")[NAME] == "void"
        assert NAME not in values(patched, "containers", 1)


class TestOtherVendorsLists:
    @pytest.mark.parametrize("name", [*gpu_markers.DEVICE_LISTS, *(f"{family}X" for family in FAMILIES)])
    @pytest.mark.parametrize("value", ["all", "0", "void,0,1", "none,0"])
    def test_a_value_that_may_show_a_card_is_denied(self, name, value):
        made = attack("a7")
        made["spec"]["containers"][0]["env"] = [{"name": name, "value": value}]
        known = gpu_markers.DEVICE_LISTS.get(name)
        shows = known is None or not known.shows_none(value)
        policy = loader.load("default")
        for role in ROLES:
            assert (admitted(moved(made, role), policy) is None) is shows
        assert ask(templated(made), "validate", policy)["allowed"] is not shows
        assert debugged(made, policy)["allowed"] is not shows

    def test_the_file_itself(self):
        assert admitted(attack("a7"), loader.load("default")) is None


class TestEveryPod:
    @pytest.mark.parametrize("role", ROLES)
    def test_an_annotation_does_not_count_as_a_card(self, role):
        made = moved(attack("a8"), role)
        assert values(admitted(made, EVERY_POD), role)[NAME] == "void"
        assert not ask(made, "validate", EVERY_POD)["allowed"]

    @pytest.mark.parametrize("gpu", ["amd.com/gpu", "habana.ai/gaudi", "google.com/tpu", "gpu.intel.com/i915"])
    def test_another_vendors_card_does_not_count_either(self, gpu):
        made = pod({"limits": {gpu: "1"}, "requests": {gpu: "1"}})
        assert values(admitted(made, EVERY_POD), "containers")[NAME] == "void"
        assert not ask(made, "validate", EVERY_POD)["allowed"]

    def test_an_ephemeral_container_is_denied_and_told_how_to_ask(self):
        output = debugged(attack("a8"), EVERY_POD)
        assert not output["allowed"]
        assert f"kubectl debug --env={NAME}=void" in output["status"]["message"]
        events = attack("a8")
        events["spec"]["containers"][0]["env"] = [{"name": NAME, "value": "void"}]
        assert debugged(events, EVERY_POD)["allowed"]

    def test_a_pod_of_before_can_still_be_changed(self):
        old = pod()
        new = copy.deepcopy(old)
        new["metadata"]["labels"] = {"a": "b"}
        assert ask(new, "validate", EVERY_POD, operation="UPDATE", old=old)["allowed"]

    def test_a_repair_that_the_policy_forbids_is_a_denial(self):
        policy = Policy("p", {"visibleDevices": {"everyPod": True}, "rules": {"GPU302": {"fix": False}}})
        assert not ask(pod(), "mutate", policy)["allowed"]

    @pytest.mark.parametrize("action", ["warn", "audit"])
    def test_the_administrators_own_word_counts(self, action):
        policy = Policy("p", {"visibleDevices": {"everyPod": True}, "rules": {"GPU302": action}})
        assert ask(pod(), "validate", policy)["allowed"]

    def test_a_template_is_not_troubled(self):
        output = ask(templated(attack("a8")), "validate", EVERY_POD)
        assert output["allowed"]
        assert not any(each.startswith("GPU302") for each in output.get("warnings", ()))
