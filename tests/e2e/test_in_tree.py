"""In-tree policies on a real API server say and make of pods what the engine does with the same rules, both ways.

``IN_TREE_PODS`` and ``IN_TREE_SEEDS`` request more random pods, and others; ``IN_TREE_FOLDER`` names a folder of
manifests whose pods are compared too.
"""

import copy
import os
import random

import fast_yaml
import gpu_pods
import hostile_pods
import pytest
import touching
from e2e import folder_pods
from e2e.in_tree import (
    GPU,
    SHOWN,
    Expected,
    InTree,
    amounts,
    as_sent,
    container,
    disagreement,
    exceptions,
    is_for_the_backend,
    pod,
    rules_in,
)

import policies as known_policies
from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.registration.in_tree import formulas
from gpu_admission.rules import gpu_markers
from gpu_admission.workloads.resources import PORTABLE_COUNT, PORTABLE_MEMORY

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("IN_TREE_PODS", "60"))
SEEDS = [int(seed) for seed in os.environ.get("IN_TREE_SEEDS", "1").split(",")]
ALL = [*known_policies.ALL, touching.EVERY_RULE]
EXAMPLES = [
    (rule.id, made)
    for rule in rules.ALL
    for example in (rule.bad, rule.good)
    for made in fast_yaml.load_all(example)
    if made["kind"] == "Pod"
]


@pytest.fixture(scope="module", autouse=True)
def runtime_classes(api):
    """Pods that name one which does not exist are refused before any policy is evaluated."""
    for name in (*sorted(gpu_markers.NVIDIA_RUNTIME_CLASSES), "gvisor", "amd"):
        made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}
        assert api.create(made, None).status in {201, 409}


@pytest.fixture(scope="module", params=ALL, ids=lambda policy: policy.name)
def in_force(request, api):
    with InTree(api, request.param) as running:
        yield running


def random_pods(seed):
    rng = random.Random(seed)
    for _ in range(COUNT):
        yield f"seed {seed}", hostile_pods.named((gpu_pods if rng.random() < 0.75 else hostile_pods).pod(rng))


def compared(in_force, pods):
    """Where the two differ, as a text for each, and how many pods were compared."""
    expected, found, count = Expected(in_force.api, in_force.policy), [], 0
    for label, made in pods:
        made["metadata"].pop("namespace", None)
        if is_for_the_backend(made, in_force.policy) or exceptions(made, in_force.policy):
            continue
        count += 1
        difference = disagreement(in_force.create(made), expected.of(made))
        found += [f"{label}: {difference}: {made}"] * (difference is not None)
    return found, count


PLAIN = [  # whatever the seed
    pod(container(resources={"limits": {name: amount}}))
    for name, amount in ((PORTABLE_MEMORY, "8Gi"), (PORTABLE_COUNT, "2"))
]


def check_translations(in_force):
    """What is translated in-tree becomes what the engine makes of it; what is not is refused."""
    expected, rng = Expected(in_force.api, in_force.policy, sharing=True), random.Random(7)
    found, translated = [], 0
    for requested in [*PLAIN, *(gpu_pods.portable(rng) for _ in range(COUNT))]:
        made = hostile_pods.named(requested)
        made["metadata"].pop("namespace", None)
        answer, wanted = in_force.create(made), expected.of(made)
        if answer.status == 403 and "GPU101" in rules_in([answer.message]):
            continue
        translated += "GPU101" in wanted.applied and answer.status in {201, 403}
        if answer.status == 201 and wanted.status != 422 and not wanted.refused:
            found += [f"{disagreement(answer, wanted)}: {made}"] * (disagreement(answer, wanted) is not None)
    assert not found, "\n".join(found)
    assert (translated > 0) == (formulas.of(in_force.policy) is not None)


CARDS = {"cards": [{"model": "A100-80", "perNode": 4}]}
WITH_CARDS = [
    Policy(f"{name}-cards", {"backend": {"name": name}, "cluster": CARDS})
    for name in ("gpushare", "hami", "kai", "koordinator", "mig", "volcano-vgpu")
]
WITH_A_QUEUE = Policy("kai-queue", {"backend": {"name": "kai", "queue": "research"}})


class TestParametersOfBackends:
    @pytest.mark.parametrize("policy", [*WITH_CARDS, WITH_A_QUEUE], ids=lambda policy: policy.name)
    def test_translations(self, api, policy):
        with InTree(api, policy) as running:
            check_translations(running)


class TestParity:
    def test_examples_of_all_rules(self, in_force):
        found, count = compared(in_force, copy.deepcopy(EXAMPLES))
        assert not found, "\n".join(found)
        assert count > 10

    @pytest.mark.parametrize("seed", SEEDS)
    def test_random_pods(self, in_force, seed):
        found, count = compared(in_force, random_pods(seed))
        assert not found, "\n".join(found)
        assert count > COUNT / 4

    @pytest.mark.skipif("IN_TREE_FOLDER" not in os.environ, reason="IN_TREE_FOLDER names no folder of manifests")
    def test_pods_of_a_folder(self, in_force):
        found, count = compared(in_force, folder_pods.pods(os.environ["IN_TREE_FOLDER"]))
        assert not found, "\n".join(found)
        assert count > 0

    def test_translations(self, in_force):
        check_translations(in_force)

    def test_nothing_that_would_be_translated_is_admitted_as_it_is(self, in_force):
        engine = Engine(rules.ALL, in_force.policy)
        for _, made in [*EXAMPLES, *random_pods(99)]:
            mutation = engine.mutate(as_sent(made), "admission")
            removed = [each for each in mutation.patch if each.rule == "GPU101" and each.op == "remove"]
            foreign = {each.path[-1] for each in removed if "resources" in each.path}
            answer = in_force.create(made)
            if answer.status == 201:
                assert foreign.isdisjoint({name for c in touching.containers(answer.object) for name in amounts(c)}), (
                    made
                )


BARE = {"requests": {"nvidia.com/gpu": "1", "amd.com/gpu": "1"}}
LISTS = sorted(gpu_markers.DEVICE_LISTS)


def variables(count, first=SHOWN):
    return [first, *({"name": f"V{number}", "value": "x"} for number in range(count - 1))]


def lists(count):
    """As many variables that all matter, none of which is harmless."""
    return [{"name": LISTS[number % len(LISTS)], "value": "all"} for number in range(count)]


MOST_CONTAINERS, MOST_VARIABLES = 512, 1500
HOSTILE = {
    "512 containers": pod(*(container(f"c{n}") for n in range(MOST_CONTAINERS))),
    "512 containers with a GPU": pod(*(container(f"c{n}", resources=GPU) for n in range(MOST_CONTAINERS))),
    "512 containers without a limit": pod(*(container(f"c{n}", resources=BARE) for n in range(MOST_CONTAINERS))),
    "512 containers with variables": pod(*(container(f"c{n}", env=variables(3)) for n in range(MOST_CONTAINERS))),
    "512 containers with a GPU and variables": pod(*(container(f"c{n}", resources=GPU, env=variables(3, {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"})) for n in range(MOST_CONTAINERS))),
    "512 containers, one with a GPU": pod(container("g", resources=GPU), *(container(f"c{n}") for n in range(MOST_CONTAINERS - 1))),
    "512 containers with an envFrom": pod(*(container(f"c{n}", envFrom=[{"prefix": "NV", "configMapRef": {"name": "m"}}]) for n in range(MOST_CONTAINERS))),
    "512 containers with unknown resources": pod(*(container(f"c{n}", resources={"limits": {f"nvidia.com/gpus-{n}": "1"}, "requests": {f"nvidia.com/gpus-{n}": "1"}}) for n in range(MOST_CONTAINERS))),
    "512 containers to be translated": pod(*(container(f"c{n}", resources={"limits": {"gpu-admission.io/gpu-mem": "8Gi", "gpu-admission.io/gpu-core": "30"}}) for n in range(MOST_CONTAINERS))),
    "512 init containers": pod(container(resources=GPU), initContainers=[container(f"i{n}") for n in range(MOST_CONTAINERS)]),
    "512 privileged containers": pod(*(container(f"c{n}", resources=GPU, securityContext={"privileged": True}) for n in range(MOST_CONTAINERS))),
    "1,500 variables": pod(container(env=variables(MOST_VARIABLES))),
    "1,500 variables and a GPU": pod(container(env=variables(MOST_VARIABLES), resources=GPU)),
    "1,500 lists": pod(container(env=lists(MOST_VARIABLES))),
    "1,500 lists and a GPU": pod(container(env=lists(MOST_VARIABLES), resources=GPU)),
    "1,500 times the same list": pod(container(env=[SHOWN] * MOST_VARIABLES)),
    "1,500 times the same switch beside a share": pod(container(env=[{"name": "CUDA_DISABLE_CONTROL", "value": "1"}] * MOST_VARIABLES, resources={"limits": {"nvidia.com/gpu.shared": "1"}})),
    "1,500 variables of a family": pod(container(env=[{"name": f"HABANA_VISIBLE_DEVICES_{n}", "value": "all"} for n in range(MOST_VARIABLES)])),
    "a value of 900,000 characters": pod(container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "x," * 450_000}], resources=GPU)),
    "a name of 100,000 characters": pod(container(env=[{"name": "HABANA_VISIBLE_DEVICES" + "X" * 100_000, "value": "1"}])),
    "1,000 volumes": pod(container(resources=GPU), volumes=[{"name": f"v{n}", "hostPath": {"path": f"/dev/nvidia{n}"}} for n in range(1000)]),
    "1,000 volumes elsewhere": pod(container(resources=GPU), volumes=[{"name": f"v{n}", "hostPath": {"path": f"/var/lib/data/{n}"}} for n in range(1000)]),
    "1,000 tolerations": pod(container(resources=GPU), tolerations=[{"key": f"k{n}", "operator": "Exists"} for n in range(1000)]),
    "1,000 annotations": pod(container(resources=GPU), metadata={"annotations": {f"example.com/k{n}": "x" for n in range(1000)}}),
    "1,000 annotations of a scheduler's": pod(metadata={"annotations": {f"hami.io/vgpu-{n}": "x" for n in range(1000)}}),
    "1,000 prefixes": pod(container(envFrom=[{"prefix": "NV", "configMapRef": {"name": "m"}}] * 1000)),
}  # fmt: skip


class TestHostilePods:
    @pytest.mark.parametrize("case", HOSTILE)
    def test_expressions_stay_within_the_budget(self, in_force, case):
        answer = in_force.create(HOSTILE[case])
        assert answer.status in {201, 403, 422}, answer
        assert "cost" not in answer.message, answer
        assert "resulted in error" not in answer.message, answer
        assert answer.status != 403 or rules_in([answer.message]), answer
