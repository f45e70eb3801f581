"""In-tree policies on a real API server say and make of pods what the engine does with the same rules, both ways.

``IN_TREE_PODS`` and ``IN_TREE_SEEDS`` request more random pods, and others.
"""

import copy
import os
import random

import gpu_pods
import hostile_pods
import pytest
import touching
import yaml
from e2e.in_tree import (
    PLURAL,
    ROOT,
    Expected,
    InTree,
    amounts,
    as_sent,
    disagreement,
    exceptions,
    is_for_the_backend,
    rules_in,
)
from e2e.webhooks import settled

import policies as known_policies
from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration.in_tree import policies, translation
from gpu_admission.rules import gpu_markers

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("IN_TREE_PODS", "60"))
SEEDS = [int(seed) for seed in os.environ.get("IN_TREE_SEEDS", "1").split(",")]
ALL = [*known_policies.ALL, touching.EVERY_RULE]
EXAMPLES = [
    (rule.id, made)
    for rule in rules.ALL
    for example in (rule.bad, rule.good)
    for made in yaml.safe_load_all(example)
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

    def test_translations(self, in_force):
        """What is translated in-tree becomes what the engine makes of it; what is not is refused."""
        expected, rng = Expected(in_force.api, in_force.policy, sharing=True), random.Random(7)
        found, translated = [], 0
        for _ in range(COUNT):
            made = hostile_pods.named(gpu_pods.portable(rng))
            made["metadata"].pop("namespace", None)
            answer, wanted = in_force.create(made), expected.of(made)
            if answer.status == 403 and "GPU101" in rules_in([answer.message]):
                continue
            translated += "GPU101" in wanted.applied
            if answer.status == 201 and wanted.status != 422 and not wanted.refused:
                found += [f"{disagreement(answer, wanted)}: {made}"] * (disagreement(answer, wanted) is not None)
        assert not found, "\n".join(found)
        assert (translated > 0) == (translation.formula(in_force.policy) is not None)

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


def container(name="c", **fields):
    return {"name": name, "image": "i", **fields}


def pod(*containers, metadata=None, **spec):
    every = list(containers) or [container()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", **(metadata or {})},
        "spec": {"containers": every, **spec},
    }


GPU = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
BARE = {"requests": {"nvidia.com/gpu": "1", "amd.com/gpu": "1"}}
SHOWN = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
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


@pytest.fixture
def default(api):
    with InTree(api, loader.load("default")) as running:
        yield running


class TestDefault:
    def test_a_request_without_a_limit_is_repaired(self, default):
        answer = default.create(
            pod(container(resources={"requests": {"nvidia.com/gpu": 2, "example.com/gpu": 1, "cpu": 1}}))
        )
        (made,) = answer.object["spec"]["containers"]
        assert made["resources"]["limits"] == {"nvidia.com/gpu": "2", "example.com/gpu": "1"}

    def test_the_message_names_the_rule_the_container_and_what_to_write(self, default):
        answer = default.create(pod(container("train", env=[SHOWN])))
        assert 'GPU301 visible-devices: container "train" sets NVIDIA_VISIBLE_DEVICES' in answer.message
        assert "request GPUs under resources.limits" in answer.message

    def test_a_long_message_still_names_every_rule(self, default):
        long = "x" * 63
        every = [
            container(f"{long[:60]}{n:03}", env=[SHOWN, {"name": "NVIDIA_NVSWITCH", "value": "enabled"}], resources=GPU)
            for n in range(3)
        ]
        paths = [{"name": f"{long[:60]}{n:03}", "hostPath": {"path": f"/dev/nvidia{n}/" + "ü" * 200}} for n in range(2)]
        answer = default.create(pod(*every, volumes=paths, nodeName="n", hostPID=True))
        assert {"GPU203", "GPU301", "GPU304"} <= rules_in([answer.message])

    def test_ephemeral_containers_are_judged_when_they_join(self, default, namespace):
        assert default.api.create(pod(), namespace).status == 201
        path = f"/api/v1/namespaces/{namespace}/pods/p/ephemeralcontainers"
        first = {"spec": {"ephemeralContainers": [container("debug", targetContainerName="c", env=[SHOWN])]}}
        refused = default.api.patch(path, first, kind="strategic-merge")
        assert refused.status == 403
        assert rules_in([refused.message]) == {"GPU301"}
        plain = {"spec": {"ephemeralContainers": [container("shell", targetContainerName="c")]}}
        assert default.api.patch(path, plain, kind="strategic-merge").status == 200

    def test_what_stands_in_a_pod_since_before_does_not_keep_debuggers_out(self, api, namespace):
        assert api.create(pod(container(env=[SHOWN])), namespace).status == 201
        with InTree(api, loader.load("default")):
            plain = {"spec": {"ephemeralContainers": [container("shell", targetContainerName="c")]}}
            answer = api.patch(
                f"/api/v1/namespaces/{namespace}/pods/p/ephemeralcontainers", plain, kind="strategic-merge"
            )
        assert answer.status == 200, answer

    def test_exempt_namespaces_are_left_alone(self, default):
        assert default.api.create(pod(container(env=[SHOWN])), "kube-system", dryRun="All").status == 201


class TestPolicies:
    def test_exempt_users_are_left_alone(self, api, cluster):
        with InTree(api, Policy("u", {"exempt": {"users": ["admin"]}}), probe=False):
            settled(lambda: cluster.client("admin").create(pod(container(env=[SHOWN])), dryRun="All").status == 201)

    @pytest.mark.parametrize(("mode", "status", "warned"), [("warn", 201, {"GPU301"}), ("audit", 201, set())])
    def test_a_milder_mode_admits(self, api, mode, status, warned):
        with InTree(api, Policy(mode, {"mode": mode}), probe=mode == "warn") as running:
            answer = running.create(pod(container(env=[SHOWN])))
        assert (answer.status, rules_in(answer.warnings)) == (status, warned)

    def test_each_policy_judges_its_namespaces(self, api, namespace):
        team = Policy("team", {"match": {"namespaces": [namespace]}, "rules": {"GPU301": "off"}})
        with InTree(api, Policy("rest"), before=[team]) as running:
            assert running.create(pod(container(env=[SHOWN]))).status == 403
            assert api.create(pod(container(env=[SHOWN])), namespace, dryRun="All").status == 201

    def test_an_older_version_gets_what_it_serves(self, api):
        for obj in policies.objects([loader.load("strict")], "old", (1, 30)):
            path = f"{ROOT}/{PLURAL[obj['kind']]}"
            answer = api.request("POST", path, obj, dryRun="All")
            assert answer.status == 201, answer

    def test_no_expression_has_a_type_that_warns(self, api):
        """The API server checks the expressions against the types of a Pod, and notes what it finds in the status."""
        with InTree(api, loader.load("default")) as running:
            for obj in running.objects:
                if obj["kind"] == "ValidatingAdmissionPolicy":
                    found = api.get(f"{ROOT}/{PLURAL[obj['kind']]}/{obj['metadata']['name']}").object
                    assert not found.get("status", {}).get("typeChecking", {}).get("expressionWarnings"), found[
                        "status"
                    ]
