"""Conditions and rules on a real API server, both ways: exactly the pods with findings are sent.

``CONDITIONS_PODS`` and ``CONDITIONS_SEEDS`` request more pods, and others; ``CONDITIONS_FOLDER`` names a folder of
manifests whose pods are compared too.
"""

import concurrent.futures
import json
import os
import random

import hostile_pods
import pytest
import touching
from e2e import folder_pods
from e2e.conditions import EvaluatedConditions

from gpu_admission.rules import gpu_markers

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("CONDITIONS_PODS", "600"))
SEEDS = [int(seed) for seed in os.environ.get("CONDITIONS_SEEDS", "1").split(",")]
PARALLEL = 4


@pytest.fixture(scope="module")
def conditions(api):
    for name in (*sorted(gpu_markers.NVIDIA_RUNTIME_CLASSES), "gvisor"):
        made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}
        assert api.create(made, None).status in {201, 409}
    with EvaluatedConditions(api, touching.POLICIES) as running:
        yield running


@pytest.fixture(scope="module")
def judges():
    return {name: touching.Judge(policy) for name, policy in touching.POLICIES.items()}


def disagreements(obj, old, called, judges, subresource=""):
    """Where the policies' conditions and rules differ about a pod as the API server has it, as a text for each."""
    by_difference = {}
    for name, *difference in _differences(obj, old, called, judges, subresource):
        by_difference.setdefault(str(difference), []).append(name)
    pods = " was ".join(json.dumps({key: each[key] for key in ("metadata", "spec")}) for each in (obj, old) if each)
    return [f"{names}: {difference}: {pods}" for difference, names in by_difference.items()]


def _differences(obj, old, called, judges, subresource):
    for name, judge in judges.items():
        anything, must = judge.says(obj, old, subresource)
        if must and name not in called:
            yield name, "held back from", sorted(must)
        received = anything or judge.names_a_gpu(obj) or touching.wider(obj)
        if name in called and not (received or (old and _had_a_mark(old, judge))):
            yield name, "sent for nothing"


def _had_a_mark(old, judge):
    """An update shows what a rule found before: it may have become worse."""
    return bool(judge.names_a_gpu(old) or judge.says(old)[0] or touching.wider(old))


def compared(api, conditions, judges, pods):
    """Where conditions and rules differ on new pods, how many were judged, and for how many a webhook was called."""
    found, judged, called_for = [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        answers = pool.map(lambda obj: api.create(obj, dryRun="All"), pods)
        for answer in answers:
            if answer.status != 201:  # the API server refuses it by itself, in its own words
                continue
            judged += 1
            called = set(conditions.of(answer))
            called_for += "every-rule" in called
            found += disagreements(answer.object, None, called, judges)
    return found, judged, called_for


@pytest.mark.parametrize("seed", SEEDS)
def test_new_pods(api, conditions, judges, seed):
    rng = random.Random(seed)
    pods = [hostile_pods.named(hostile_pods.pod(rng)) for _ in range(COUNT)]
    found, judged, called_for = compared(api, conditions, judges, pods)
    assert not found, "\n".join(found)
    assert judged > COUNT / 2
    assert judged / 10 < called_for < judged


@pytest.mark.skipif("CONDITIONS_FOLDER" not in os.environ, reason="CONDITIONS_FOLDER names no folder of manifests")
def test_pods_of_a_folder(api, conditions, judges):
    pods = [hostile_pods.named(pod) for _, pod in folder_pods.pods(os.environ["CONDITIONS_FOLDER"])]
    found, judged, _ = compared(api, conditions, judges, pods)
    assert not found, "\n".join(found)
    assert judged > 0


def changes(rng):
    """What may be changed of a pod that exists: metadata, and ephemeral containers."""
    if rng.random() < 0.5:
        made = hostile_pods.metadata(rng, 0.7)
        return "", {"metadata": {field: made[field] for field in made}}
    added = hostile_pods.container(rng, f"e{rng.randrange(10**6)}", [], 0.4)
    added.pop("resources", None)
    return "ephemeralcontainers", {"spec": {"ephemeralContainers": [added]}}


@pytest.mark.parametrize("seed", SEEDS)
def test_updates(api, conditions, judges, namespace, seed):
    rng = random.Random(seed)
    found, judged = [], 0
    while judged < COUNT / 4:
        made = hostile_pods.named(hostile_pods.pod(rng))
        made["metadata"]["namespace"] = namespace
        answer = api.create(made, namespace)
        if answer.status != 201:
            continue
        path = f"/api/v1/namespaces/{namespace}/pods/{made['metadata']['name']}"
        for _ in range(8):
            subresource, change = changes(rng)
            removed = rng.choice(list(made["metadata"].get("annotations") or ["x"]))
            if not subresource and rng.random() < 0.3:
                change = {"metadata": {"annotations": {removed: None}}}
            where = f"{path}/{subresource}" if subresource else path
            updated = api.patch(where, change, kind="strategic-merge", dryRun="All")
            if updated.status != 200:
                continue
            judged += 1
            called = set(conditions.of(updated))
            found += disagreements(updated.object, answer.object, called, judges, subresource)
        api.delete(path, gracePeriodSeconds=0)
    assert not found, "\n".join(found)
