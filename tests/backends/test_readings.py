"""Cached requests equal what reading them again returns."""

import pytest

from gpu_admission import rules
from gpu_admission.backends import plan
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy

AMOUNTS = ["1", "2", "8", "8192", "1k", "100", "0", "-1", "1.5", "x", "8Gi"]


def pod(name, amount):
    resources = {"limits": {"nvidia.com/gpu": "1", name: amount}}
    spec = {"containers": [{"name": "c", "image": "i", "resources": resources}], "schedulerName": "hami-scheduler"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


@pytest.mark.parametrize("backend", ["hami", "volcano-vgpu", "exclusive"])
@pytest.mark.parametrize("name", ["nvidia.com/gpumem", "nvidia.com/gpucores", "nvidia.com/gpumem-percentage"])
def test_a_second_reading_finds_what_the_first_found(backend, name):
    warm = Engine(rules.ALL, Policy("warm", {"backend": {"name": backend}}))
    for amount in AMOUNTS * 2:
        cold = Engine(rules.ALL, Policy("cold", {"backend": {"name": backend}}))  # a new policy has an empty cache
        assert warm.validate(pod(name, amount)) == cold.validate(pod(name, amount))
        assert warm.mutate(pod(name, amount), "admission").patch == cold.mutate(pod(name, amount), "admission").patch


def test_only_so_many_are_remembered_and_none_that_are_long():
    policy = Policy("hami", {"backend": {"name": "hami"}})
    engine = Engine(rules.ALL, policy)
    for amount in range(1000, 2100):
        engine.validate(pod("nvidia.com/gpumem", str(amount)))
    engine.validate(pod("nvidia.com/gpumem", "0" * 100 + "8"))
    known = plan.chosen(policy, "hami")[2]._known
    assert len(known) == 1024
    assert max(len(str(word)) for key in known for word in key) < 40
