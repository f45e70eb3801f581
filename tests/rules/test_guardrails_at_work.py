"""The guardrails together: on anything, at the webhook, on updates, in the shipped policy, and in policy files."""

import base64
import copy
import json

import jsonpatch
import pytest
from reviews import review

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations
from gpu_admission.webhook.review.handler import Decider
from rules.strange import variants, verify
from rules.table import container, pod, template

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

GUARDRAILS = frozenset({f"GPU50{number}" for number in range(1, 7)})
SETTINGS = {
    "sharedMemory": {"gpus": 1, "size": "1Gi"},
    "jobs": {"longestSeconds": 1, "deadlineSeconds": 1},
    "nodes": {"labels": ["pool"], "add": [{"key": "pool", "value": "gpu"}]},
    "runtimeClasses": [],
    "namespaces": ["gpus"],
}
ALL = Policy("all", {"rules": dict.fromkeys(sorted(GUARDRAILS), "deny"), "guardrails": SETTINGS})

TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}], "matchFields": []}
REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}
RESOURCES = {
    "limits": {"nvidia.com/gpu": 2, "memory": "2Gi"},
    "requests": {"nvidia.com/gpu": 2, "memory": "1Gi", "cpu": 0},
}
MOUNTS = [{"name": "shm", "mountPath": "/dev/shm"}]
POD = pod(
    {"name": "c", "image": "c", "resources": RESOURCES, "volumeMounts": MOUNTS},
    {"name": "d", "image": "d", "resources": RESOURCES},
    runtimeClassName="runc",
    nodeSelector={"zone": "a"},
    affinity={"nodeAffinity": REQUIRED},
    volumes=[{"name": "shm", "emptyDir": {}}],
    activeDeadlineSeconds=9,
)
POD["metadata"] |= {
    "namespace": "default",
    "ownerReferences": [{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}],
}
WHOLE = {**POD, "spec": {**POD["spec"], "resources": {"limits": {"memory": 2}, "requests": {"memory": 1}}}}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "j", "namespace": "default"},
    "spec": {"activeDeadlineSeconds": 9, "template": {"metadata": {}, "spec": POD["spec"]}},
}
TORCH = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "PyTorchJob",
    "metadata": {"name": "t"},
    "spec": {"runPolicy": {"ttlSecondsAfterFinished": 9}, "pytorchReplicaSpecs": {"Worker": JOB["spec"]}},
}
SET = {
    "apiVersion": "jobset.x-k8s.io/v1alpha2",
    "kind": "JobSet",
    "metadata": {"name": "s"},
    "spec": {"replicatedJobs": [{"name": "a", "template": {"spec": JOB["spec"]}}]},
}
OBJECTS = json.loads(json.dumps([POD, WHOLE, JOB, TORCH, SET]))  # nothing stands in two places


@pytest.mark.parametrize("obj", OBJECTS, ids=["pod", "pod resources", "job", "pytorchjob", "jobset"])
@pytest.mark.parametrize("origin", ["file", "admission"])
def test_strange_parts_are_passed_over(obj, origin):
    engine = Engine(rules.ALL, ALL.selecting(GUARDRAILS))
    for made in variants(obj, range(3)):
        verify(engine, made, origin, unsafe=True, consent=True)


def test_the_objects_trip_every_guardrail():
    engine = Engine(rules.ALL, ALL.selecting(GUARDRAILS))
    assert {found.rule for obj in OBJECTS for found in engine.validate(obj)} == GUARDRAILS


def decide(new, policy=ALL, endpoint="validate", **request):
    body = json.dumps(review(new, **request)).encode()
    return json.loads(Decider(lambda _: policy)(body, endpoint).body)["response"]


def whole(requests="1Gi", namespace="gpus"):
    resources = {
        "limits": {"nvidia.com/gpu": 1, "memory": "2Gi"},
        "requests": {"nvidia.com/gpu": 1, "memory": requests, "cpu": 1},
    }
    made = pod({"name": "c", "image": "c", "resources": resources}, nodeSelector={"pool": "gpu"})
    made["metadata"]["namespace"] = namespace
    return made


RESIZED = Policy("resized", {"rules": {"GPU501": "deny"}})


class TestAtTheWebhook:
    def test_a_resize_is_judged_for_what_it_brings(self):
        good, bad = whole("2Gi"), whole("1Gi")
        by = {"operation": "UPDATE", "subresource": "resize"}
        assert decide(good, RESIZED, old=bad, **by)["allowed"]
        assert decide(bad, RESIZED, old=bad, **by)["allowed"]
        refused = decide(bad, RESIZED, old=good, **by)
        assert not refused["allowed"]
        assert "GPU501 " in refused["status"]["message"]
        assert not decide(whole("512Mi"), RESIZED, old=bad, **by)["allowed"]

    def test_safe_repairs_are_made_by_mutation(self):
        policy = loader.load("guardrails")
        made = pod(container(gpu=2))
        operations = json.loads(base64.b64decode(decide(made, policy, "mutate")["patch"]))
        arrived = jsonpatch.apply_patch(made, operations)
        assert arrived["spec"]["volumes"] == [{"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}]
        assert decide(arrived, policy)["allowed"]

    def test_a_job_that_loses_its_deadline_is_denied(self):
        policy = Policy("p", {"rules": {"GPU503": "deny"}})
        old = template("Job", container(gpu=1), api_version="batch/v1")
        new = copy.deepcopy(old)
        old["spec"]["activeDeadlineSeconds"] = 60
        assert not decide(new, policy, operation="UPDATE", old=old)["allowed"]
        assert decide(old, policy, operation="UPDATE", old=new)["allowed"]
        assert decide(new, policy, operation="UPDATE", old=new)["allowed"]

    @pytest.mark.parametrize("endpoint", ["mutate", "validate"])
    @pytest.mark.parametrize("named", [True, False])
    def test_the_namespace_is_the_requests(self, endpoint, named):
        policy = Policy("p", {"rules": {"GPU506": "deny"}, "guardrails": {"namespaces": ["ml-*"]}})
        for namespace, allowed in (("ml-a", True), ("default", False)):
            made = pod(container(gpu=1))
            if named:
                made["metadata"]["namespace"] = namespace
            assert decide(made, policy, endpoint, namespace=namespace)["allowed"] is allowed


def hooks(spec):
    found = webhook_configurations.configurations(Policy("p", spec), webhook_configurations.RegistrationOptions())
    return {hook["name"].partition(".")[0]: hook for obj in found for hook in obj["webhooks"]}


def resources(hook):
    return {name for rule in hook["rules"] for name in rule["resources"]}


class TestWhatIsRegistered:
    @pytest.mark.parametrize(("spec", "is_registered"), [({}, False), ({"rules": {"GPU501": "warn"}}, True)])
    def test_resizes_where_a_rule_reads_them(self, spec, is_registered):
        assert ("pods/resize" in resources(hooks(spec)["pods"])) is is_registered

    @pytest.mark.parametrize(("name", "field"), [("templates", "spec"), ("cronjobs", "spec.?jobTemplate.?spec")])
    def test_time_limits_of_jobs_where_a_rule_reads_them(self, name, field):
        def changed(spec):
            return next(c["expression"] for c in hooks(spec)[name]["matchConditions"] if c["name"] == "changed")

        wanted = f"object.?{field}.?ttlSecondsAfterFinished != oldObject.?{field}.?ttlSecondsAfterFinished"
        assert wanted in changed({"rules": {"GPU503": "deny"}})
        assert wanted not in changed({})


def test_the_shipped_policy_switches_all_of_them_on_and_no_other_any():
    for name in loader.shipped():
        policy = loader.load(name)
        on = {rule.id for rule in rules.ALL if rule.id >= "GPU501" and policy.is_enabled(rule)}
        assert on == ({*GUARDRAILS, "GPU507"} if name == "guardrails" else set()), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{runtimeclasses: [x]}", "unknown key 'runtimeclasses'; did you mean 'runtimeClasses'?"),
        ("{jobs: {longest: 5}}", "spec.guardrails.jobs.longest: unknown key 'longest'"),
        ("{jobs: {require: deadlines}}", "did you mean 'deadline'?"),
        ("{jobs: {deadlineSeconds: 0}}", "greater than or equal to 1"),
        ("{jobs: {deadlineSeconds: 9, longestSeconds: 8}}", "deadlineSeconds must not be greater than longestSeconds"),
        ("{sharedMemory: {size: 16GB}}", "spec.guardrails.sharedMemory.size"),
        ("{sharedMemory: {size: 0}}", "is not a valid amount of memory"),
        ("{sharedMemory: {size: 0.5}}", "is not a valid amount of memory"),
        ("{sharedMemory: {gpus: many}}", "spec.guardrails.sharedMemory.gpus"),
        ("{nodes: {labels: []}}", "spec.guardrails.nodes.labels"),
        ("{nodes: {add: [{key: a}]}}", "'value' is missing"),
        ("{nodes: {add: [{key: a b, value: x}]}}", "spec.guardrails.nodes.add.0.key"),
        ("{nodes: {add: [{key: a, value: true}]}}", "expected a string, got true"),
        ("{namespaces: []}", "spec.guardrails.namespaces"),
        ("{namespaces: ml}", "expected a list"),
        ("[]", "expected a mapping"),
    ],
)
def test_mistakes_in_a_policy_file_are_told(settings, message):
    text = f"apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {{name: p}}\nspec:\n  guardrails: {settings}\n"
    with pytest.raises(loader.PolicyError) as caught:
        loader.parse(text.encode(), "p.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("p.yaml:5:")
