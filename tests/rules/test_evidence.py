"""What every rule reports on an update: exactly the problems that the update introduced."""

import copy
import functools
import random

import disorder
import fast_yaml
import pytest

import policies
from gpu_admission import rules
from gpu_admission.core import pointer
from gpu_admission.engine import changes
from gpu_admission.engine.engine import Engine

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

POLICIES = {policy.name: policy for policy in policies.ALL}
SEEDS = (1, 2, 3)


def objects():
    for rule in rules.ALL:
        for text in (rule.bad, rule.good):
            yield from (each for each in fast_yaml.load_all(text) if isinstance(each, dict))
    rng = random.Random(7)
    for _ in range(30):
        yield disorder.pod(rng, 0.4)
    for _ in range(20):
        yield disorder.workload(rng)


OBJECTS = list(objects())


def is_value(place):
    """An entry of ``env`` or ``envFrom`` is a value of its own, and so is any amount."""
    return not {"env", "envFrom", "limits", "requests"}.isdisjoint(place)


@functools.cache
def judged(policy):
    engine = Engine(rules.ALL, POLICIES[policy])
    return [(obj, engine.validate(obj, "admission")) for obj in OBJECTS]


@pytest.mark.parametrize("policy", POLICIES)
class TestEveryRule:
    def test_where_it_points_to_a_mapping_it_names_its_evidence(self, policy):
        """Otherwise anything else in the mapping would make an old problem new."""
        for obj, findings in judged(policy):
            for found in findings:
                there = pointer.resolve(obj, found.pointer) if exists(obj, found.pointer) else None
                if isinstance(there, dict | list) and not is_value(found.pointer):
                    assert found.evidence is not None, found

    def test_an_update_of_something_else_brings_nothing(self, policy):
        engine = Engine(rules.ALL, POLICIES[policy])
        for old in OBJECTS:
            assert engine.introduced(old, old) == []
            assert engine.introduced(elsewhere(old), old) == [], old

    def test_two_values_that_read_alike_are_two(self, policy):
        """Wherever a finding is about a text, another tail of it is another finding."""
        for obj, findings in judged(policy):
            for found in findings:
                if found.evidence is None and exists(obj, found.pointer):
                    there = pointer.resolve(obj, found.pointer)
                    if isinstance(there, str):
                        one, other = (replaced(obj, found.pointer, there + "x" * 9_999 + tail) for tail in "yz")
                        assert changes.identity(found, one) != changes.identity(found, other)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_it_tells_apart_whatever_the_words_tell_apart(policy, seed):
    """Findings of one rule at one place that read differently are two: evidence leaves nothing out that counts."""
    engine = Engine(rules.ALL, POLICIES[policy])
    rng = random.Random(seed)
    for _ in range(30):
        old = disorder.pod(rng, 0.6)
        new = altered(rng, old)
        known = {}
        for found in engine.validate(old, "admission"):
            known.setdefault(changes.identity(found, old), set()).add(found.message)
        for found in engine.validate(new, "admission"):
            messages = known.get(changes.identity(found, new))
            assert messages is None or found.message in messages or found.rule in SAME_AMOUNT, (found, messages)


# A backend's reasons may lie elsewhere in the pod (another container's request, a privileged container). The spec of a
# Pod does not change, and at a template these only warn: the amounts are evidence enough.
SAME_AMOUNT = {"GPU101", "GPU102", "GPU103", "GPU107", "GPU202"}


def altered(rng, obj):
    """The same object with a few of its scalars exchanged."""
    new = copy.deepcopy(obj)
    leaves = list(scalars(new, ()))
    for place in rng.sample(leaves, min(3, len(leaves))):
        holder = pointer.resolve(new, place[:-1])
        if exists(new, place) and place[-1] not in {"name", "kind", "apiVersion", "restartPolicy"}:
            holder[place[-1]] = rng.choice(
                ("0", "1", "2", 1, 3, "4Gi", "all", "void", True, "x", f"{holder[place[-1]]}1")
            )
    return new


def scalars(value, place):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from scalars(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from scalars(item, (*place, index))
    else:
        yield place


def exists(obj, place):
    for token in place:
        try:
            obj = obj[token]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def replaced(obj, place, value):
    new = copy.deepcopy(obj)
    pointer.resolve(new, place[:-1])[place[-1]] = value
    return new


def elsewhere(obj):
    """The same object with other images, arguments, labels and finalizers, one more variable in each container."""
    new = copy.deepcopy(obj)
    metadata = new.get("metadata")
    if isinstance(metadata, dict):
        metadata["finalizers"] = ["example.com/x"]
        for field in ("labels", "annotations"):
            if isinstance(metadata.get(field), dict):
                metadata[field]["example.com/touched"] = "yes"
    for each in containers(new):
        each["args"] = ["other"]
        if isinstance(each.get("image"), str) and each["image"]:
            each["image"] += "-2"
        if isinstance(each.get("env"), list):
            each["env"].append({"name": "TOUCHED", "value": "yes"})
    return new


def containers(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"containers", "initContainers", "ephemeralContainers"} and isinstance(item, list):
                yield from (each for each in item if isinstance(each, dict))
            yield from containers(item)
    elif isinstance(value, list):
        for item in value:
            yield from containers(item)
