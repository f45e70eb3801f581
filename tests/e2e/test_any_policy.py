"""The conditions for policies that are not known yet, on a real API server: they bring whatever any policy's bring."""

import concurrent.futures
import random

import hostile_pods
import pytest
import touching
from e2e.conditions import EvaluatedConditions
from e2e.test_matchconditions import ORDINARY, TOUCHING
from e2e.webhooks import pod

from gpu_admission.policy.model import Policy
from gpu_admission.registration import any_policy

pytestmark = pytest.mark.e2e

COUNT, PARALLEL = 300, 4
OWN = Policy("own", {**touching.EVERY_RULE.spec, "resources": {"extra": ["example.com/foo", "acme.io/card"]}})
CLAIMS = Policy("claims", {"cluster": {"claims": {"templates": ["nic"], "claims": ["c*"]}}})
DEVICES = Policy("devices", {**touching.EVERY_RULE.spec, "visibleDevices": {"gpuLess": "none", "served": "all"}})
EXTRA = (OWN, CLAIMS, DEVICES, any_policy.known(), any_policy.widest())
POLICIES = {**touching.POLICIES, **{each.name: each for each in EXTRA}}
NEVER = {  # pods that do not even come, whatever the policy
    "plain", "no resources", "cpu and memory", "ordinary variables", "500 labels",
    "5,000 variables", "null everywhere", "null resources", "another runtime", "a large value",
}  # fmt: skip


@pytest.fixture(scope="module")
def conditions(api):
    for name in ("nvidia", "gvisor"):
        made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}
        assert api.create(made, None).status in {201, 409}
    with EvaluatedConditions(api, POLICIES) as running:
        yield running


def brings(api, conditions, obj):
    """The policies whose conditions hold for a pod; None where the API server refuses it by itself."""
    answer = api.create(obj, dryRun="All")
    return set(conditions.of(answer)) if answer.status == 201 else None


@pytest.mark.parametrize("case", [*ORDINARY, *TOUCHING])
def test_known_pods(api, conditions, case):
    obj = {**ORDINARY, **TOUCHING}[case]
    held = brings(api, conditions, {**obj, "metadata": {**obj["metadata"], "name": "p"}})
    if held is None:
        return
    assert not held or any_policy.NAME in held
    assert ("known" in held) == ("default" in held)  # so no ordinary pod is blocked while no replica answers
    if case in NEVER:
        assert any_policy.NAME not in held


@pytest.mark.parametrize(
    "obj",
    [pod(resources={"acme.io/card": "1"}), pod(resourceClaims=[{"name": "n", "resourceClaimTemplateName": "nic"}])],
    ids=["an extra resource", "a claim"],
)
def test_what_only_some_policy_takes_for_a_gpu(api, conditions, obj):
    held = brings(api, conditions, obj)
    assert {"own", "claims"} & held
    assert any_policy.NAME in held


def test_hostile_pods(api, conditions):
    rng = random.Random(7)
    pods = [hostile_pods.named(hostile_pods.pod(rng)) for _ in range(COUNT)]
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        found = [held for held in pool.map(lambda obj: brings(api, conditions, obj), pods) if held is not None]
    assert len(found) > COUNT / 2
    assert [sorted(held) for held in found if held and any_policy.NAME not in held] == []
    assert any(held == {any_policy.NAME} for held in found) or all(found)
    assert any(any_policy.NAME not in held for held in found)
