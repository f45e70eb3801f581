"""A claim that is known to be a GPU's is a GPU request to every rule; any other, or an unknown one, is not."""

import pytest

from gpu_admission.policyfile import loader
from gpu_admission.registration import touches_gpu
from gpu_admission.workloads.claim_index import NO_CLAIMS
from rules.claim_objects import claim, configured, container, engine, entry, exactly, pod, template, workload

GPU, NIC = template(exactly()), template(exactly(device_class="dra.net"))
TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
POLICY = {"tolerations": TOLERATIONS, "visibleDevices": {"gpuLess": "void"}, "runtimeClassName": "nvidia"}
EVERY = {**POLICY, "rules": dict.fromkeys(("GPU206", "GPU207", "GPU501", "GPU506", "GPU507"), "warn"),
         "guardrails": {"namespaces": ["gpu-*"]}}  # fmt: skip


def rules_on(made, *documents, policy=None):
    return {finding.rule for finding in engine(*documents, made, policy=policy or POLICY).validate(made)}


def made(*others, **spec):
    return pod([entry()], container("gpu"), *others, **spec)


OTHER = container(name="other")
CASES = {
    "GPU201": made(),
    "GPU203": made(nodeName="node-1"),
    "GPU302": made(OTHER, tolerations=TOLERATIONS),
    "GPU303": made({**OTHER, "securityContext": {"privileged": True}}),
    "GPU501": made(),
    "GPU506": {**made(), "metadata": {"name": "p", "namespace": "web"}},
}


@pytest.mark.parametrize("rule", CASES)
def test_a_gpus_claim_counts(rule):
    assert rule in rules_on(CASES[rule], GPU, policy=EVERY)
    assert rule not in rules_on(CASES[rule], NIC, policy=EVERY)
    assert rule not in rules_on(CASES[rule], policy=EVERY)


@pytest.mark.parametrize("rule", CASES)
def test_at_admission_the_policy_says_whose_it_is(rule):
    stated = {**EVERY, "cluster": {"claims": {"templates": ["o*"]}}}
    for policy, speaks in ((stated, True), (EVERY, False)):
        judged = engine(policy=policy)
        judged.claim_index = NO_CLAIMS
        assert (rule in {each.rule for each in judged.validate(CASES[rule], "admission")}) is speaks


def test_what_is_repaired():
    judged = engine(GPU, policy=POLICY)
    left = judged.mutate(made(OTHER)).object["spec"]
    assert left["tolerations"] == TOLERATIONS
    assert "env" not in left["containers"][0]
    assert left["containers"][1]["env"] == [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]
    assert "runtimeClassName" not in left  # its devices come by CDI, whatever the runtime


def test_a_container_of_which_nobody_knows_is_not_blinded():
    both = pod([entry(), entry("other", "x")], container("gpu"), container("other", name="b"))
    left = engine(GPU, policy=POLICY).mutate(both).object["spec"]
    assert "env" not in left["containers"][1]


def test_a_container_with_a_network_card_is_blinded():
    both = pod([entry(), entry("nic", "nic")], container("gpu"), container("nic", name="b"))
    nic = {**NIC, "metadata": {"name": "nic"}}
    left = engine(GPU, nic, policy=POLICY).mutate(both).object["spec"]
    assert left["containers"][1]["env"] == [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]


def test_a_toleration_is_earned():
    idle = made(tolerations=TOLERATIONS)
    assert "GPU206" not in rules_on(idle, GPU, policy=EVERY)
    assert "GPU206" not in rules_on(idle, policy=EVERY)
    assert "GPU206" in rules_on(idle, NIC, policy=EVERY)


def test_a_rollout_needs_a_claim_more():
    rolls = workload("Deployment", [entry()], container("gpu"), replicas=1)
    assert "GPU207" in rules_on(rolls, GPU, policy=EVERY)
    shared = workload("Deployment", [{"name": "gpu", "resourceClaimName": "c"}], container("gpu"), replicas=1)
    assert "GPU207" not in rules_on(shared, claim(exactly()), policy=EVERY)


def test_the_sharers_switches():
    switched = made()
    switched["spec"]["containers"][0]["env"] = [{"name": "CUDA_DISABLE_CONTROL", "value": "true"}]
    hami = template(exactly(device_class="hami-core-gpu.project-hami.io"))
    assert "GPU308" in rules_on(switched, hami)
    assert "GPU308" not in rules_on(switched, GPU)


def test_mps_and_the_nodes_processes():
    parameters = {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": {"strategy": "MPS"}}
    shared = {**configured(parameters), "metadata": {"name": "one"}}
    mps = {**shared, "kind": "ResourceClaimTemplate", "spec": {"spec": shared["spec"]}}
    assert "GPU309" in rules_on(made(hostPID=True), mps)
    assert "GPU309" not in rules_on(made(hostPID=True), GPU)


LIMITS = {**POLICY, "limits": {"perContainer": 2, "perPod": 3, "counts": [1, 2, 4]}}


class TestTooMany:
    @pytest.mark.parametrize(("count", "speaks"), [(1, False), (2, False), (3, True), (8, True)])
    def test_of_a_container(self, count, speaks):
        assert ("GPU009" in rules_on(made(), template(exactly(count=count)), policy=LIMITS)) is speaks

    def test_of_a_pod(self):
        two = template(exactly(count=2))
        both = pod([entry(), entry("b")], container("gpu"), container("b", name="b"))
        assert "GPU009" in rules_on(both, two, policy=LIMITS)
        shared = pod([entry()], container("gpu"), container("gpu", name="b"))
        assert "GPU009" not in rules_on(shared, two, policy=LIMITS)

    def test_of_the_largest_node(self):
        policy = {**POLICY, "cluster": {"cards": [{"model": "A100-80", "perNode": 4}]}}
        assert "GPU009" in rules_on(made(), template(exactly(count=8)), policy=policy)
        assert "GPU009" not in rules_on(
            made(), template(exactly(device_class="mig.nvidia.com", count=8)), policy=policy
        )


def test_conditions_call_for_what_the_policy_states():
    plain, stated = loader.load("default"), loader.load("default")
    stated = type(stated)("stated", {**stated.spec, "cluster": {"claims": {"templates": ["gpu-*"], "claims": ["one"]}}})
    spec, metadata = "object.?spec", "object.?metadata"
    for made_of in (touches_gpu.pod, touches_gpu.at_mutation):
        assert "resourceClaimTemplateName" not in made_of(plain, spec, metadata)
        assert "resourceClaimTemplateName" in made_of(stated, spec, metadata)
        assert "resourceClaimName" in made_of(stated, spec, metadata)
