"""Mutated reviews against the decision: none makes it fail or hang, and every answer is one the API server can use.

``FUZZ_REVIEWS`` says how many there are in a run (2,000 unless told), ``FUZZ_SEED`` which.
"""

import base64
import contextlib
import gc
import json
import os
import random
import signal
import sys

import jsonpatch
import mutator
import pytest

from gpu_admission import rules
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review import json_codec, messages
from gpu_admission.webhook.review.handler import Decider

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

REVIEWS = int(os.environ.get("FUZZ_REVIEWS", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
POLICIES = ("default", "strict", "hami", "kai", "mig", "volcano-vgpu", "dra", "time-slicing")
HANG = 60  # seconds: a hundred times what the slowest takes on a busy machine
IDS = {rule.id for rule in rules.ALL}


@contextlib.contextmanager
def watchdog(body):
    """Fail, instead of waiting forever, when one review hangs."""

    def bark(*_):
        raise AssertionError(f"no answer after {HANG} s to {body[:2000]!r}")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(HANG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def decider(name):
    policy = loader.load(name)
    return Decider(lambda requested: policy if requested in {None, name} else None)


def check(decide, endpoint, body):
    """Ask, and hold the answer against everything that is promised of answers; return its status."""
    with watchdog(body):
        answer = decide(body, endpoint)
        if answer.status != 200:
            check_error(answer)
            return answer.status
        repaired = check_review(endpoint, body, answer)
        for each in mutator.ENDPOINTS if repaired else ():  # invariant 2, and ``/validate`` of the result
            again = json.loads(decide(repaired, each).body)["response"]
            assert again["allowed"] is True
            assert "patch" not in again
    return answer.status


def check_error(answer):
    assert answer.status == 400
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"}\n")
    output = json.loads(answer.body)
    assert (list(output), output["status"]) == (["error", "status"], 400)
    assert len(answer.body) < 500


def check_review(endpoint, body, answer):
    """Return the review of the object as patched, if it was."""
    request = json_codec.read(body)["request"]  # which takes deeper ones than Python's reader does from here
    output = json.loads(answer.body)
    response = output.pop("response")
    assert output == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    assert response.pop("uid") == request["uid"]
    check_words(response)
    patch = response.pop("patch", None)
    if patch is not None:
        assert response.pop("patchType") == "JSONPatch"
        assert endpoint == "mutate"
        assert response["allowed"] is True
        operations = json.loads(base64.b64decode(patch, validate=True))
        assert operations
        jsonpatch.apply_patch(request["object"], operations, in_place=True)
    assert set(response) <= {"allowed", "status", "warnings", "auditAnnotations"}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json_codec.write(review) if patch is not None else None


def check_words(response):
    assert ("status" in response) is not response["allowed"]
    if "status" in response:
        status = response["status"]
        assert (status["code"], status["reason"], set(status)) == (403, "Forbidden", {"code", "reason", "message"})
        assert all(line.isprintable() and line for line in status["message"].split("\n"))
        assert len(status["message"]) < 32_000
    warnings = response.get("warnings", ["GPU"])
    assert 0 < len(warnings) <= messages.MOST_WARNINGS
    assert all(warning.isprintable() and len(warning) <= messages.LONGEST_WARNING for warning in warnings)
    for ids in response.get("auditAnnotations", {}).values():
        assert set(ids.split(",")) <= IDS


@pytest.mark.parametrize("name", POLICIES)
def test_mutated_reviews_are_answered(name):
    decide = decider(name)
    make = mutator.Mutator(random.Random(f"{SEED} {name}"))
    seen = {200: 0, 400: 0}
    for _ in range(REVIEWS // len(POLICIES)):
        seen[check(decide, *make())] += 1
    assert min(seen.values()) > 0, seen  # the mutator reaches the rules, and the refusals


def test_nothing_is_kept_of_reviews():
    decide = decider("default")
    make = mutator.Mutator(random.Random(SEED))
    bodies = [make() for _ in range(200)]

    def held():
        for endpoint, body in bodies:
            decide(body, endpoint)
        gc.collect()
        return sys.getallocatedblocks()

    held()
    assert abs(held() - held()) < 500


def test_long_names_are_not_kept():
    decide = decider("default")
    container = {"name": "c", "image": "i", "resources": {"limits": {}}}
    tolerations = []
    before = None
    for number in range(40):
        name = f"nvidia.com/{'x' * 200_000}{number}"
        container["resources"]["limits"] = {name: 1}
        tolerations[:] = [{"key": name, "operator": "Exists"}]
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container], "tolerations": tolerations}}
        request = {"uid": "u", "operation": "CREATE", "kind": {"version": "v1", "kind": "Pod"}, "object": pod}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        assert decide(json.dumps(review).encode(), "validate").status == 200
        before = before or resident()
    assert resident() - before < 4 * 2**20  # eight MiB of names went by


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ask(obj, endpoint, name="default", operation="CREATE"):
    """The answer to one review of an object, read."""
    group, _, version = obj["apiVersion"].rpartition("/")
    request = {"uid": "u", "operation": operation, "kind": {"group": group, "version": version, "kind": obj["kind"]}}
    request |= {"object": obj, "oldObject": None, "namespace": "research"}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    answer = decider(name)(json.dumps(review).encode(), endpoint)
    assert answer.status == 200
    return json.loads(answer.body)["response"]


def test_a_message_does_not_repeat_a_key_of_a_megabyte():
    worker = {"template": {"spec": {"containers": [{"name": "c", "image": "i", "resources": {}} for _ in range(30)]}}}
    for container in worker["template"]["spec"]["containers"]:
        container["resources"] = {"limits": {"nvidia.com/gpu": 1.5}}
    job = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "j"}}
    answer = ask({**job, "spec": {"pytorchReplicaSpecs": {"k" * 2**20: worker}}}, "validate")
    assert answer["allowed"] is False
    assert len(answer["status"]["message"]) < 32_000


def test_a_number_does_not_become_as_many_claims():
    spec = {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"gpu-admission.io/gpu-count": 1000}}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    assert ask(pod, "mutate", "dra")["allowed"] is False
    spec["containers"][0]["resources"]["limits"]["gpu-admission.io/gpu-count"] = 64
    assert ask(pod, "mutate", "dra")["allowed"] is True
    assert len(ask(pod, "validate", "dra")["status"]["message"]) < 1000


GPU = {"limits": {"nvidia.com/gpu": 1}, "requests": {"nvidia.com/gpu": 1}}
PORTABLE = {"limits": {"gpu-admission.io/gpu-mem": "4Gi"}}


def many(resources, **more):
    """A pod of so many containers, with what is given once for each number in lists around them."""

    def made(count):
        containers = [{"name": f"c{n}", "image": "i", "resources": dict(resources)} for n in range(count)]
        spec = {key: [value(n) for n in range(count)] for key, value in more.items()}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": containers, **spec},
        }

    return made


def with_terms(count):
    pod = many(PORTABLE)(count)
    terms = [{"matchExpressions": [{"key": "a", "operator": "Exists"}]} for _ in range(count)]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    pod["spec"]["affinity"] = {"nodeAffinity": required}
    return pod


def beside_one(count):
    """One container with a GPU, and so many that the policy wants to be shown none."""
    containers = [{"name": f"c{n}", "image": "i"} for n in range(count)]
    containers[0]["resources"] = GPU
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}


def within_one(key, value):
    """A pod with one container that has so many of something."""

    def made(count):
        container = {"name": "c", "image": "i", "resources": GPU, key: [value(n) for n in range(count)]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}

    return made


def resources_of(side, name):
    def made(count):
        resources = {side: {name(n): 1 for n in range(count)}}
        container = {"name": "c", "image": "i", "resources": resources}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}

    return made


def annotated(prefix):
    def made(count):
        pod = many(GPU)(1)
        pod["metadata"]["annotations"] = {f"{prefix}{n}": "nvidia.com/gpu=all" for n in range(count)}
        return pod

    return made


def job(count):
    specs = [{"template": {"spec": many({"requests": {"nvidia.com/gpu": 1}})(1)["spec"]}} for _ in range(count)]
    return {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"tasks": specs},
    }


MANY = {
    "containers": many(GPU),
    "containers to repair": many({"requests": {"nvidia.com/gpu": 1}}),
    "containers to refuse": many({"limits": {"nvidia.com/gpu": 1.5}}),
    "containers that mix": many({"limits": {"nvidia.com/gpu": 1, "aliyun.com/gpu-mem": 4}}),
    "containers beside one with a GPU": beside_one,
    "containers to translate": many(PORTABLE),
    "containers to translate and terms": with_terms,
    "claims": many(PORTABLE, resourceClaims=lambda n: {"name": f"gpu-{n}"}),
    "tolerations": many({}, tolerations=lambda n: {"key": f"nvidia.com/gpu{n}", "operator": "Exists"}),
    "volumes": many({}, volumes=lambda n: {"name": f"v{n}", "hostPath": {"path": "/dev/nvidia0"}}),
    "variables": within_one("env", lambda n: {"name": f"NVIDIA_{n}", "value": "all"}),
    "the same variable": within_one("env", lambda _: {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}),
    "sources of variables": within_one("envFrom", lambda n: {"prefix": "NV", "configMapRef": {"name": f"c{n}"}}),
    "mounts": within_one("volumeMounts", lambda n: {"name": f"v{n}", "mountPath": "/dev/nvidia0"}),
    "requested profiles": resources_of("requests", "nvidia.com/mig-{}g.5gb".format),
    "unknown names": resources_of("limits", "nvidia.com/gpu{}".format),
    "annotations": annotated("cdi.k8s.io/a"),
    "tasks": job,
}


def lines(obj, endpoint, name):
    """How many lines of Python a review of an object executes: what it costs, the same on every machine."""
    count = 0

    def each(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return each

    before = sys.gettrace()
    sys.settrace(each)
    try:
        ask(obj, endpoint, name)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", MANY)
@pytest.mark.parametrize("name", ["default", "kai", "dra"])
def test_the_cost_grows_no_faster_than_the_object(name, shape):
    for endpoint in mutator.ENDPOINTS:
        ask(MANY[shape](3), endpoint, name)  # what is imported and compiled only once
        few, more = (lines(MANY[shape](count), endpoint, name) for count in (50, 200))
        assert more < 4.6 * few, (endpoint, few, more)


def deep(place, depth):
    """A pod that wants repair, with something deep in a place."""
    container = {"name": "c", "image": "i", "resources": {"requests": {"nvidia.com/gpu": 1}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [container]}}
    request = {"uid": "u", "operation": "CREATE", "kind": {"version": "v1", "kind": "Pod"}, "object": pod}
    here = {"request": request, "pod": pod, "spec": pod["spec"], "container": container}
    here |= {"metadata": pod["metadata"], "resources": container["resources"]}
    around, _, key = place.partition(" ")
    here[around][key] = "@"
    text = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    return text.replace('"@"', '[{"a":' * depth + "1" + "}]" * depth).encode()


@pytest.mark.parametrize(
    "place",
    ["request x", "request namespace", "request kind", "request userInfo", "request uid", "request oldObject",
     "pod x", "metadata annotations", "metadata name", "spec x", "spec tolerations", "spec nodeSelector", "spec affinity",
     "spec volumes", "spec runtimeClassName", "spec schedulerName", "container env", "container x", "container name",
     "resources limits", "resources claims", "resources nvidia.com/gpu"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["strict", "volcano-vgpu"])
def test_whatever_is_deep_enough_to_be_read_is_judged(place, name):
    """Just below the depth at which Python stops reading, the rest must not run out of it."""
    decide, raised = decider(name), sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # a worker's: Hypothesis leaves a higher one behind
    try:
        seen = {decide(deep(place, depth), way).status for depth in range(380, 500) for way in mutator.ENDPOINTS}
    finally:
        sys.setrecursionlimit(raised)
    assert 400 in seen
    assert seen <= {200, 400}
