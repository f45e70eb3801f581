"""Webhooks for policies that are not known in advance send what those of any policy send."""

import pytest

from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import POD, TEMPLATE
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader, schema
from gpu_admission.registration import any_policy, gpu_names, policy_access, webhook_configurations
from gpu_admission.registration.webhook_configurations import RegistrationOptions
from gpu_admission.rules import ALL, declared_reads
from gpu_admission.workloads import resources

WIDEST = any_policy.widest()
ALL_RULES = Policy("p", {"rules": {rule.id: "deny" for rule in ALL}})


OWN_KEYS = {"tolerations", "near_tolerations"}  # of taints that only a policy names: `beyond` reports them
EXCUSES = {"variables", "unless", "mounts"}  # markers with exceptions that make them harmless


def covered(policy, read):
    """The markers of the widest policy include those of every policy."""
    wide = {tuple(reads.beside): reads for reads in read(WIDEST)}
    for own in read(policy):
        other = wide[tuple(own.beside)]
        for name in set(Reads.__slots__) - OWN_KEYS - {"beside"}:
            mine, its = getattr(own, name), getattr(other, name)
            if isinstance(mine, bool):
                assert its or not mine, name
            elif name in EXCUSES:
                assert set(mine) <= set(its) or name == "unless", name
                for key in set(mine) & set(its):
                    assert set(its[key]) <= set(mine[key]), (name, key)
            elif isinstance(mine, dict):
                assert mine.items() <= its.items(), name
            else:
                assert set(mine) <= set(its), name
        for key in set(other.unless) & set(own.variables):  # an excuse must be one under the policy, too
            assert set(other.unless[key]) <= set(own.unless.get(key, ())), key


@pytest.mark.parametrize("name", loader.shipped())
@pytest.mark.parametrize("sight", [POD, TEMPLATE])
def test_what_a_shipped_policy_reads_is_read(name, sight):
    covered(loader.load(name), lambda policy: declared_reads.by_rules(policy, sight))
    covered(loader.load(name), declared_reads.at_mutation)


@pytest.mark.parametrize("backend", schema.BACKENDS)
def test_what_any_backend_reads_under_all_rules_is_read(backend):
    policy = Policy("p", {**ALL_RULES.spec, "backend": {"name": backend}})
    covered(policy, lambda each: declared_reads.by_rules(each, POD))
    covered(policy, declared_reads.at_mutation)


@pytest.mark.parametrize(
    "devices",
    [
        {"gpuLess": "none"}, {"gpuLess": "leave"}, {"served": "none"}, {"gpuLess": "void", "served": "all"},
        {"gpuLess": "a literal"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("setting", ["deny", "audit", {"action": "warn", "fix": False}])
def test_whatever_is_done_about_visible_devices(devices, setting):
    policy = Policy("p", {"rules": {rule.id: setting for rule in ALL}, "visibleDevices": devices})
    for sight in (POD, TEMPLATE):
        covered(policy, lambda each, sight=sight: declared_reads.by_rules(each, sight))
    covered(policy, declared_reads.at_mutation)


def names(configurations):
    return [[hook["name"] for hook in one["webhooks"]] for one in configurations]


def test_it_has_the_webhooks_and_kinds_of_every_policy():
    made = any_policy.configurations(RegistrationOptions())
    for name in loader.shipped():
        own = webhook_configurations.configurations(loader.load(name), RegistrationOptions())
        for wide, narrow in zip(made, own, strict=True):
            rules = {hook["name"]: hook["rules"] for hook in wide["webhooks"]}
            assert set(names([narrow])[0]) <= set(rules)
            for hook in narrow["webhooks"]:
                for rule, other in zip(hook["rules"], rules[hook["name"]], strict=True):
                    assert set(rule["resources"]) <= set(other["resources"])


def test_nobody_is_exempt_but_the_system_and_ourselves():
    for one in any_policy.configurations(RegistrationOptions(namespace="gpus")):
        for hook in one["webhooks"]:
            (expression,) = hook["namespaceSelector"]["matchExpressions"]
            assert expression["values"] == ["gpus", "kube-system"]
            assert "not-exempt" not in [condition["name"] for condition in hook["matchConditions"]]


def named(configurations, hook):
    (found,) = [
        each for one in configurations for each in one["webhooks"] if each["name"] == f"{hook}.gpu-admission.io"
    ]
    return found


def conditions(configurations, hook):
    return {each["name"]: each["expression"] for each in named(configurations, hook)["matchConditions"]}


MADE = any_policy.configurations(RegistrationOptions())
EVERY = any_policy.configurations(RegistrationOptions(), every_pod=True)


@pytest.mark.parametrize("hook", ["mutate", "ordinary", "templates", "cronjobs"])
def test_a_pod_without_gpus_stays_with_the_api_server_unless_every_pod_is_wanted(hook):
    assert "touches-a-gpu" in conditions(MADE, hook)
    assert "touches-a-gpu" not in conditions(EVERY, hook)


@pytest.mark.parametrize("made", [MADE, EVERY], ids=["usual", "every pod"])
def test_only_what_touches_a_known_gpu_waits_while_nobody_answers(made):
    closed = {hook["name"] for one in made for hook in one["webhooks"] if hook["failurePolicy"] == "Fail"}
    assert closed == {"pods.gpu-admission.io", "marks.gpu-admission.io"}
    own = webhook_configurations.configurations(any_policy.known(), RegistrationOptions())
    assert conditions(made, "pods") == conditions(own, "pods")
    ordinary, pods = named(made, "ordinary"), named(made, "pods")
    assert ordinary["rules"] == pods["rules"]
    without = conditions(made, "ordinary")["not-touching-a-known-gpu"]
    assert without == f"!(\n{conditions(made, 'pods')['touches-a-gpu']}\n)"


def test_what_the_default_policy_sends_waits():
    covered(any_policy.known(), lambda policy: declared_reads.by_rules(policy, POD))
    default = conditions(webhook_configurations.configurations(loader.load("default"), RegistrationOptions()), "pods")
    assert conditions(MADE, "pods")["touches-a-gpu"] == default["touches-a-gpu"]


def test_any_extended_resource_counts_and_no_policy_file_can_say_so():
    any_name = "k.contains('/') && !k.contains('kubernetes.io/')"
    assert any_name in conditions(MADE, "ordinary")["touches-a-gpu"]
    own = webhook_configurations.configurations(ALL_RULES, RegistrationOptions())
    assert any_name not in conditions(own, "pods")["touches-a-gpu"]
    assert not resources.is_extended(gpu_names.ANY_EXTENDED)


@pytest.mark.parametrize("name", loader.shipped())
def test_nothing_reaches_beyond_in_the_shipped_policies(name):
    assert any_policy.beyond(loader.load(name).spec) == ()


@pytest.mark.parametrize(
    ("spec", "start"),
    [
        ({"visibleDevices": {"everyPod": True}}, "visibleDevices.everyPod: "),
        ({"tolerations": [{"key": "nvidia.com/gpu"}, {"key": "own"}]}, "tolerations: pods without a GPU that tolerate own"),
        ({"workloads": [{"apiVersion": "a/v1", "kind": "B"}]}, "workloads: B is judged by its pods only"),
        ({"resources": {"extra": ["a/b"]}}, "resources.extra: "),
        ({"cluster": {"claims": {"extendedResources": {"a/b": "c"}}}}, "cluster.claims.extendedResources: "),
    ],
)  # fmt: skip
def test_what_reaches_beyond_is_named(spec, start):
    (found,) = any_policy.beyond(spec)
    assert found.startswith(start)


def test_kinds_that_are_registered_anyway_are_not_named():
    assert any_policy.beyond({"workloads": [{"apiVersion": "kubeflow.org/v9", "kind": "PyTorchJob"}]}) == ()


def test_rights_are_to_read_policies_and_to_write_their_status_and_one_lease():
    made = policy_access.access(RegistrationOptions(name="n", service="s", namespace="ns"))
    rules = [rule for obj in made for rule in obj.get("rules", ())]
    assert rules == [
        {"apiGroups": ["gpu-admission.io"], "resources": ["gpupolicies"], "verbs": ["list", "watch"]},
        {"apiGroups": ["gpu-admission.io"], "resources": ["gpupolicies/status"], "verbs": ["patch"]},
        {
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["s-policies"],
            "verbs": ["get", "update"],
        },
    ]  # fmt: skip
    (lease,) = [obj for obj in made if obj["kind"] == "Lease"]
    assert lease["metadata"]["name"] == policy_access.lease_name("s")
    assert {subject["name"] for obj in made for subject in obj.get("subjects", ())} == {"s"}
