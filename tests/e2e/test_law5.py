"""Law 5: what the API server refuses for its GPU requests, we find; what we do not find, it takes.

``E2E_PODS`` says how many objects are tried, ``E2E_SEED`` repeats a run.
"""

import os
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import manifests
import pytest

from gpu_admission import rules
from gpu_admission.core import pointer as pointers
from gpu_admission.core.engine import Engine
from gpu_admission.core.policy import Policy

pytestmark = pytest.mark.e2e

ENGINE = Engine(rules.ALL, Policy("plain"))
MOST_SHOWN = 50
JUDGES = {"GPU001", "GPU002", "GPU003", "GPU004", "GPU007"}

_CONTAINER = re.compile(r".*?(?:initContainers|containers)\[\d+\]")


def ours(obj, origin):
    """The containers in which we find something that the API server would refuse, in its own notation."""
    return {
        as_field(finding.pointer)
        for finding in ENGINE.validate(obj, origin)
        if finding.rule in JUDGES and finding.severity == "error"
    }


def as_field(pointer):
    text = re.sub(r"/(\d+)(?=/|$)", r"[\1]", pointers.to_text(pointer))
    return _CONTAINER.match(text.lstrip("/").replace("/", "."))[0]


def theirs(reply):
    """The containers whose resources the API server refuses; None where the object did not even decode."""
    if not reply.refused:
        return set()
    if reply.status == 400:
        assert re.search(r"quantit|unable to parse|ParseQuantity|cannot unmarshal", reply.message), reply
        return None
    assert reply.causes, reply
    for field, message in reply.causes:
        assert ".resources." in field, (field, message)
    return {_CONTAINER.match(field)[0] for field, _ in reply.causes}


def disagreement(obj, reply, found):
    """What the two say differently, or None."""
    if reply.status not in {201, 400, 422}:
        return f"no verdict: {reply}"
    said = theirs(reply)
    if said is None:
        return None if found else f"it does not decode, and we find nothing: {reply.message}"
    if said == found:
        return None
    return f"the API server refuses {sorted(said)}, we refuse {sorted(found)}: {reply.message}"


def judged(api, seed):
    rng = random.Random(seed)
    obj = manifests.wrapped(rng, manifests.pod_spec(rng, clean=rng.choice((0.3, 0.8, 0.95))))
    reply = api.create(obj, dryRun="All", fieldValidation="Strict")
    origins = ("file", "admission") if manifests.filled_in(obj) else ("admission",)
    wrong = [disagreement(obj, reply, ours(obj, origin)) for origin in origins]
    return obj, reply.status, next(filter(None, wrong), None)


def test_our_verdict_is_the_api_servers(api, capsys):
    count = int(os.environ.get("E2E_PODS", "1500"))
    start = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(10**9))
    seeds = [*range(count // 3), *range(start, start + count - count // 3)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: judged(api, seed), seeds))
    statuses = Counter(status for _, status, _ in results)
    kinds = Counter(obj["kind"] for obj, _, _ in results)
    with capsys.disabled():
        print(f"\nE2E_SEED={start}: {count} objects, {dict(kinds)}, HTTP {dict(statuses)}")
    wrong = [f"seed {seed}: {why}\n{obj}" for seed, (obj, _, why) in zip(seeds, results, strict=True) if why]
    assert not wrong, f"{len(wrong)} disagreements:\n" + "\n".join(wrong[:MOST_SHOWN])
    assert min(statuses[status] for status in (201, 400, 422)) > count / 20
