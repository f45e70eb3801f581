"""What rules declare that they read of pods without a GPU: exactly what they do read."""

import random

import fast_yaml
import hostile_pods
import pytest
import touching

from gpu_admission import rules
from gpu_admission.engine.reads import NOTHING, Reads, union
from gpu_admission.engine.rule import POD
from gpu_admission.policy.model import Policy
from gpu_admission.rules.declared_reads import by_rules
from gpu_admission.rules.runtime_variables import SWITCHES

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

# They judge such pods only in company: by what the backend or the policy wants of pods with a GPU, or in files; or
# they judge other objects than pods.
SILENT = {"GPU010", "GPU011", "GPU012", "GPU110", "GPU205", "GPU302"}
SILENT |= {"GPU406", "GPU407", "GPU408", "GPU409", "GPU410", "GPU411", "GPU414", "GPU416", "GPU417"}


def declared(rule, policy=touching.EVERY_RULE):
    return rule.reads(policy) if callable(rule.reads) else rule.reads


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_who_judges_pods_without_a_gpu_says_by_what(rule):
    assert bool(declared(rule)) == (rule.scope != "request" and rule.id not in SILENT)


@pytest.mark.parametrize("rule", [rule for rule in rules.ALL if declared(rule)], ids=lambda rule: rule.id)
def test_a_rule_that_a_policy_switches_on_is_among_what_is_read(rule):
    on, off = (Policy("p", {"rules": {rule.id: action}}) for action in ("deny", "off"))
    sight = next(iter(sorted(rule.admission_kinds)))
    with_it, without = (_fields(by_rules(policy, sight)) for policy in (on, off))
    assert without < with_it


def _fields(found):
    return {
        (reads.beside, field, str(item))
        for reads in found
        for field in reads.__slots__
        if field != "beside"
        for item in ([field] if getattr(reads, field) is True else getattr(reads, field) or ())
    }


class TestUnion:
    def test_nothing_is_always_first(self):
        (first, *rest) = union([NOTHING, Reads(variables={"A": ()}, beside=("hostIPC",))])
        assert not first
        assert [reads.beside for reads in rest] == [("hostIPC",)]

    def test_fields_are_joined(self):
        (both,) = union([Reads(annotations=["a"], resources=True), Reads(annotations=["b"], labels=["c"])])
        assert (both.annotations, both.labels, both.resources) == ({"a", "b"}, {"c"}, True)

    def test_a_value_is_harmless_if_all_say_so(self):
        (both,) = union([Reads(variables={"A": ["", "x"], "B": [""]}), Reads(variables={"A": [""]})])
        assert both.variables == {"A": {""}, "B": {""}}


def test_the_random_pods_try_every_rule():
    """The comparison of rules and conditions depends on its pods: every declaration is met by some."""
    rng = random.Random(7)
    judge = touching.Judge(touching.EVERY_RULE)
    found = set()
    for _ in range(6000):
        obj = hostile_pods.named(hostile_pods.pod(rng))
        if not judge.names_a_gpu(obj):
            found |= judge.says(obj)[0]
    # No random pod requests what it does not limit: the API server refuses those, and none would be compared.
    assert found >= {rule.id for rule in rules.ALL if declared(rule) and POD in rule.admission_kinds} - {"GPU001"}


def test_the_examples_of_rules_are_met():
    for rule in rules.ALL:
        if declared(rule) and POD in rule.admission_kinds:
            assert any(obj["kind"] == "Pod" for obj in fast_yaml.load_all(rule.bad)), rule.id


@pytest.mark.parametrize("prefix", ["CUDA_", "HABANA_VISIBLE_DEVICES", "HABANA_VISIBLE_DEVICES_X", "DOCKER_RESOURCE_"])
def test_what_an_env_from_completes_is_declared(prefix):
    """A rule that denies an envFrom for its prefix has the webhook called for it."""
    made = {"name": "c", "image": "i", "envFrom": [{"prefix": prefix, "configMapRef": {"name": "m"}}]}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [made]}}
    assert "GPU301" in touching.Judge(Policy("p", {})).says(obj)[1]
    (read,) = (each for each in by_rules(Policy("p", {}), POD) if not each.beside)
    exact = {name for name in read.completed if not name.endswith("*")}
    begun = tuple(name.rstrip("*") for name in read.completed if name.endswith("*"))
    assert prefix.startswith(begun) or any(name.startswith(prefix) and name != prefix for name in exact)


@pytest.mark.parametrize("name", [name for name, switch in SWITCHES.items() if switch.severity != "info"])
def test_a_switch_that_is_off_calls_for_nobody(name):
    (read,) = (each for each in by_rules(Policy("p", {}), POD) if not each.beside)
    assert read.variables[name] == {"", SWITCHES[name].off}
    for value in ("", SWITCHES[name].off):
        made = {"name": "c", "image": "i", "env": [{"name": name, "value": value}]}
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [made]}}
        assert touching.Judge(touching.EVERY_RULE).says(obj) == (set(), set())
