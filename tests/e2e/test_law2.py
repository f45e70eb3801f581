"""Law 2 with Kubernetes' own defaulting in between: what we made of a pod, we leave alone when it comes again."""

import copy
import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import disorder
import manifests
import pytest

from gpu_admission import rules
from gpu_admission.core import patch
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader

pytestmark = pytest.mark.e2e

ENGINES = {name: Engine(rules.ALL, loader.load(name)) for name in loader.shipped()}
VALID_TOLERATIONS = disorder.TOLERATIONS[:6]
VALID_ENV = disorder.ENV[:7]


def pods(rng):
    """A pod that the API server could take, with some of what we would set already there."""
    spec = manifests.pod_spec(rng, clean=rng.choice((0.9, 1)))
    if rng.random() < 0.5:
        spec["tolerations"] = disorder.some(rng, VALID_TOLERATIONS, 3)
    for one in (*spec.get("initContainers", ()), *spec["containers"]):
        if rng.random() < 0.3:
            one["env"] = disorder.some(rng, VALID_ENV)
    if rng.random() < 0.2:
        spec["schedulerName"] = rng.choice(("default-scheduler", "volcano"))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": disorder.metadata(rng) | {"name": "p"}, "spec": spec}


def defaulted(api, pod):
    """The pod as the API server makes it, or None where it refuses it."""
    reply = api.create(pod, dryRun="All")
    return None if reply.refused else reply.object


def judged(api, seed):
    rng = random.Random(seed)
    pod, name = pods(rng), rng.choice(list(ENGINES))
    engine = ENGINES[name]
    wrong = []
    reached = 0
    # As a file that is fixed and then applied, and as the webhook sees it: defaulted first.
    for origin, given in (("file", pod), ("admission", pod), ("admission", defaulted(api, pod))):
        if given is None:
            continue
        before = copy.deepcopy(given)
        once = engine.mutate(given, origin)
        assert given == before
        stored = defaulted(api, once.object)
        if stored is None:
            continue
        reached += 1
        again = engine.mutate(stored, "admission")
        # A file that was not meant for admission is repaired there a last time.
        if origin == "admission" and again.patch:
            wrong.append(
                f"seed {seed}, {name}: {patch.to_json(once.patch)}, and then {patch.to_json(again.patch)}\n{pod}"
            )
        third = engine.mutate(again.object, "admission")
        if third.patch:
            wrong.append(f"seed {seed}, {name}, a third time: {patch.to_json(third.patch)}\n{pod}")
    return reached, wrong


def refusals(api, seed):
    """What the API server refuses of a pod that we made and have nothing against."""
    rng = random.Random(seed)
    pod, name = pods(rng), rng.choice(list(ENGINES))
    engine = ENGINES[name]
    mutation = engine.mutate(pod, "admission")
    if any(finding.action == "deny" for finding in engine.validate(mutation.object, "admission")):
        return None
    reply = api.create(mutation.object, dryRun="All")
    return f"seed {seed}, {name}: {reply}\n{patch.to_json(mutation.patch)}\n{pod}" if reply.refused else ""


def seeds():
    count = int(os.environ.get("E2E_PODS", "1500")) // 5
    start = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(10**9))
    print(f"E2E_SEED={start}")
    return [*range(count // 3), *range(start, start + count - count // 3)]


def test_what_we_made_we_leave_alone(api):
    tried = seeds()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: judged(api, seed), tried))
    wrong = [one for _, some in results for one in some]
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n".join(wrong[:10])
    reached = Counter(count for count, _ in results)
    assert reached[3] > len(tried) / 4, reached


def test_what_we_made_and_allow_is_taken(api):
    tried = seeds()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: refusals(api, seed), tried))
    wrong = [one for one in results if one]
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n".join(wrong[:10])
    assert sum(one == "" for one in results) > len(tried) / 10
