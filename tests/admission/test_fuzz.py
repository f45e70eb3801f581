"""Mutated reviews against the decision: none makes it fail or hang, and every answer is one the API server can use.

``FUZZ_REVIEWS`` says how many there are in a run (3,000 unless told), ``FUZZ_SEED`` which.
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
from gpu_admission.admission import wording
from gpu_admission.admission.decision import Decider
from gpu_admission.files import policyfile

REVIEWS = int(os.environ.get("FUZZ_REVIEWS", "3000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
POLICIES = ("default", "strict", "hami", "kai", "mig", "volcano-vgpu", "dra", "time-slicing")
HANG = 60  # seconds: a hundred times what the slowest takes on a busy machine
IDS = {rule.id for rule in rules.ALL}


@contextlib.contextmanager
def watchdog(body):
    """Fail, instead of waiting for ever, when one review hangs."""

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
    policy = policyfile.load(name)
    return Decider(lambda asked: policy if asked in {None, name} else None)


def check(decide, endpoint, body):
    """Ask, and hold the answer against everything that is promised of answers; return its status."""
    with watchdog(body):
        answer = decide(body, endpoint)
        if answer.status != 200:
            check_error(answer)
            return answer.status
        repaired = check_review(endpoint, body, answer)
        for each in mutator.ENDPOINTS if repaired else ():  # law 2, and what ``/validate`` says of the result
            again = json.loads(decide(repaired, each).body)["response"]
            assert again["allowed"] is True
            assert "patch" not in again
    return answer.status


def check_error(answer):
    assert answer.status == 400
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"}\n")
    assert list(json.loads(answer.body)) == ["error"]
    assert len(answer.body) < 500


def check_review(endpoint, body, answer):
    """Return the review of the object as patched, if it was."""
    request = json.loads(body)["request"]
    said = json.loads(answer.body)
    response = said.pop("response")
    assert said == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
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
    return json.dumps(review).encode() if patch is not None else None


def check_words(response):
    assert ("status" in response) is not response["allowed"]
    if "status" in response:
        status = response["status"]
        assert (status["code"], status["reason"], set(status)) == (403, "Forbidden", {"code", "reason", "message"})
        assert all(line.isprintable() and line for line in status["message"].split("\n"))
        assert len(status["message"]) < 32_000
    warnings = response.get("warnings", ["GPU"])
    assert 0 < len(warnings) <= wording.MOST_WARNINGS
    assert all(warning.isprintable() and len(warning) <= wording.LONGEST_WARNING for warning in warnings)
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


def test_long_names_are_not_remembered():
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
    decide = decider(name)
    seen = {decide(deep(place, depth), endpoint).status for depth in range(380, 500) for endpoint in mutator.ENDPOINTS}
    assert 400 in seen
    assert seen <= {200, 400}
