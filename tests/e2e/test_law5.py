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
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import apiserver_resources
from gpu_admission.workloads.container import MISSING
from gpu_admission.workloads.resources import CLASS_PREFIX

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
        if finding.rule in JUDGES and finding.severity == "error" and not only_waits(obj, finding.pointer)
    }


def only_waits(obj, pointer):
    """Whether it is a device class's name in an amount that the API server takes, and the scheduler never meets."""
    name = pointer[-1]
    if not isinstance(name, str) or not name.startswith(CLASS_PREFIX):
        return False
    given = pointers.resolve(obj, pointer[:-2])
    limit, request = ((given.get(side) or {}).get(name, MISSING) for side in ("limits", "requests"))
    return not apiserver_resources.refused(name, limit, request)


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
    if reply.status == 504:  # an exponent that it expands, on a busy machine: no verdict
        return None
    assert reply.status in {201, 400, 422}, reply
    output = theirs(reply)
    if output is None:
        return None if found else f"it does not decode, and we find nothing: {reply.message}"
    if output == found:
        return None
    return f"the API server refuses {sorted(output)}, we refuse {sorted(found)}: {reply.message}"


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
    assert statuses[504] <= count / 1000
    assert min(statuses[status] for status in (201, 400, 422)) > count / 20


def resources(**fields):
    container = {"name": "c", "image": "example.com/c:1", "resources": fields}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}


def beside(**fields):
    pod = resources()
    pod["spec"] |= fields
    return pod


GPU = "nvidia.com/gpu"
MISPLACED = {
    "straight under resources": resources(**{GPU: 1}),
    "under a misspelt key": resources(request={GPU: 1}),
    "under limit": resources(limit={GPU: 1}),
    "a level too deep": resources(limits={"limits": {GPU: 1}}),
    "limits as a list": resources(limits=[{GPU: 1}]),
    "in the pod's spec": beside(**{GPU: 1}),
    "in the resources of the pod": beside(resources={"limits": {GPU: 1}}),
    "limits of the pod": beside(limits={GPU: 1}),
    "a number in the nodeSelector": beside(nodeSelector={GPU: 1}),
    "beside the container's name": beside(containers=[{"name": "c", "image": "example.com/c:1", GPU: 1}]),
    "limits beside the container's name": beside(
        containers=[{"name": "c", "image": "example.com/c:1", "limits": {GPU: 1}}]
    ),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_what_is_refused_for_its_place_is_found(api, name):
    pod = MISPLACED[name]
    reply = api.create(pod, dryRun="All", fieldValidation="Strict")
    assert reply.refused
    found = [finding for finding in ENGINE.validate(pod) if finding.rule.startswith("GPU0")]
    assert found, reply
    # A key that Kubernetes ignores without strict validation (GPU011) is a warning.
    assert {finding.severity for finding in found} & {"error", "warning"}


def test_files_are_read_as_kubectl_reads_them(cluster, tmp_path):
    """Amounts as YAML, through kubectl's own reader and ours."""
    written = [
        "1", "1.0", "0.5", "1e3", "1E3", "0x10", "0o7", "010", "08", "1_000", "+1", "-1", ".5", "1.", "yes", "on", "true",
        "null", "~", "", "'1'", '"1"', "'1K'", "1Ki", "1K", "1:30", "0b11", "1e16", "1e21", "1e22", "123456789012345678",
        "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e-7", "0.0001", "100000000000000000000000",
        "!!str 1", "!!int '1'", ".inf", ".nan", "2001-01-01", "1.5e3", "12e-1", "1e400", "'\\n1'", '"\\u00a01"', '"\\t1"',
    ]  # fmt: skip
    wrong = []
    taken = 0
    for number, text in enumerate(written):
        manifest = (
            f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{number}\nspec:\n  containers:\n    - name: c\n"
            f"      image: example.com/c:1\n      resources:\n        limits:\n          nvidia.com/gpu: {text}\n"
        )
        path = tmp_path / f"{number}.yaml"
        path.write_text(manifest)
        theirs = cluster.kubectl("create", "--dry-run=server", "-f", str(path), check=False)
        result = gpu_lint(path)
        taken += result == 0
        if (theirs.returncode == 0) is not (result == 0):
            wrong.append(f"{text!r}: kubectl {theirs.returncode} {theirs.stderr.strip()[:200]}, gpu-lint {result}")
    assert not wrong, "\n".join(wrong)
    assert 10 < taken < len(written) - 10


def gpu_lint(path):
    """The exit code of gpu-lint, with the rules that the API server has too."""
    from gpu_admission.commands.lint import main

    return main(["--select", "GPU001,GPU002,GPU003,GPU004", "--format", "concise", str(path)])
