"""In-tree policies: which rules they enforce, and their form."""

import functools
import random
import re

import pytest
import touching

import policies as known_policies
from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.registration.in_tree import checks, coverage, formulas, policies, repairs, versions
from gpu_admission.workloads.resources import PORTABLE_COUNT, PORTABLE_MEMORY

ALL = [*known_policies.ALL, touching.EVERY_RULE]
NEWEST = versions.NEWEST
POLICIES = {policy.name: policy for policy in ALL}
CLASS = Policy("class", {"runtimeClassName": "nvidia"})


@functools.cache
def made(policy, version=NEWEST, **more):
    return policies.objects([policy], "gpu-admission", version, **more)


@functools.cache
def exported():
    return {rule for policy in ALL for rule in coverage.exported(policy)}


def kinds(objects):
    return {obj["kind"] for obj in objects}


def expressions(obj):
    spec = obj["spec"]
    found = [each["expression"] for field in ("matchConditions", "variables") for each in spec.get(field, ())]
    found += [each[key] for each in spec.get("validations", ()) for key in ("expression", "messageExpression")]
    return found + [each["jsonPatch"]["expression"] for each in spec.get("mutations", ())]


class TestCoverage:
    @pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
    def test_every_rule_is_exported_or_has_a_reason(self, rule):
        extent = coverage.of(rule).extent
        assert (rule in exported()) == (extent in {"in-tree", "partly"})
        assert bool(coverage.of(rule).lost) == (extent != "in-tree")

    def test_no_rule_is_described_that_there_is_not(self):
        assert set(coverage.RULES) == set(rules.BY_ID)

    def test_the_notes_name_every_rule_in_force_once(self):
        policy = POLICIES["strict"]
        lines = [line.strip() for line in coverage.notes([policy], NEWEST)]
        named = [line.partition(" ")[0] for line in lines if line.startswith("GPU")]
        assert named == [rule.id for rule in rules.ALL if policy.is_enabled(rule)]

    def test_what_a_policy_gives_nothing_for_is_said(self):
        lines = list(coverage.notes([POLICIES["default"]], NEWEST))
        assert any("GPU202" in line and "nothing of it is enforced" in line for line in lines)

    def test_an_older_version_is_said(self):
        assert "nothing is repaired" in next(iter(coverage.notes([POLICIES["default"]], (1, 30))))


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
class TestEveryPolicy:
    def test_each_policy_has_a_binding_of_its_name(self, policy):
        objects = made(policy)
        names = {obj["kind"]: set() for obj in objects}
        for obj in objects:
            names[obj["kind"]].add(obj["metadata"]["name"])
        for kind in ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"):
            assert names.get(kind) == names.get(f"{kind}Binding")

    def test_every_variable_that_is_used_is_defined_before(self, policy):
        for obj in made(policy):
            known = []
            for each in obj["spec"].get("variables", ()):
                used = set(re.findall(r"variables\.(\w+)", each["expression"])) & set(VARIABLES)
                assert used <= set(known), (obj["metadata"]["name"], each["name"])
                known.append(each["name"])

    def test_nothing_is_left_to_be_filled_in(self, policy):
        for obj in made(policy):
            for expression in expressions(obj):
                for hole in ("{at}", "{base}", "{who}", "{what}", "{names}", "{one}"):
                    assert hole not in expression

    def test_the_api_server_takes_it(self, policy):
        for obj in made(policy):
            assert max(map(len, expressions(obj)), default=0) < 100_000  # the limit of CEL's parser
            assert len(str(obj)) < 256 * 1024

    def test_a_message_of_one_finding_is_never_cut(self, policy):
        for check in checks.of(policy):
            longest = len(check.sentence("v")) + 2 * 100
            assert longest < policies.LONGEST_MESSAGE

    def test_messages_say_what_to_write(self, policy):
        for check in checks.of(policy):
            assert ";" in check.message
            assert not check.message.endswith(".")


VARIABLES = (
    "all",
    "judged",
    "shares",
    "share",
    "wants",
    "nvidia",
    "served",
    *repairs.variables_of(POLICIES["default"]),
)


class TestActions:
    def test_they_follow_the_policy(self):
        objects = made(Policy("p", {"rules": {"GPU301": "audit", "GPU303": "deny", "GPU006": "off"}}))
        by_action = {
            binding["spec"]["validationActions"][0]: binding["spec"]["policyName"]
            for binding in objects
            if binding["kind"] == "ValidatingAdmissionPolicyBinding"
        }
        names = {
            obj["metadata"]["name"]: [each["name"] for each in obj["spec"]["variables"]]
            for obj in objects
            if obj["kind"] == "ValidatingAdmissionPolicy"
        }
        assert "GPU301a" in names[by_action["Audit"]]
        assert "GPU303a" in names[by_action["Deny"]]
        assert not any("GPU006" in str(each) for each in names.values())

    @pytest.mark.parametrize(("mode", "action"), [("warn", "Deny"), ("audit", "Deny"), ("audit", "Warn")])
    def test_the_mode_is_a_ceiling(self, mode, action):
        for binding in made(Policy("p", {"mode": mode})):
            assert action not in binding["spec"].get("validationActions", ())

    def test_a_policy_that_forbids_fixes_repairs_nothing(self):
        off = {rule.id: {"fix": False} for rule in rules.ALL if rule.fix == "safe"}
        assert "MutatingAdmissionPolicy" not in kinds(made(Policy("p", {"rules": off})))

    def test_denials_fail_closed_and_the_rest_open(self):
        objects = [obj for obj in made(POLICIES["default"]) if "failurePolicy" in obj["spec"]]
        failing = {obj["metadata"]["name"]: obj["spec"]["failurePolicy"] for obj in objects}
        assert failing["gpu-admission-default-deny"] == "Fail"
        assert {failing[f"gpu-admission-default-{what}"] for what in ("repair", "warn")} == {"Ignore"}
        opened = made(POLICIES["default"], fail_open=True)
        assert {obj["spec"]["failurePolicy"] for obj in opened if "failurePolicy" in obj["spec"]} == {"Ignore"}


class TestSeveralPolicies:
    def test_the_first_that_is_for_a_namespace_judges(self):
        team = Policy("team", {"match": {"namespaces": ["team-*"]}})
        rest, never = Policy("rest"), Policy("never")
        objects = policies.objects([team, rest, never], "g", NEWEST)
        names = {obj["metadata"]["name"].split("-")[1] for obj in objects}
        assert names == {"team", "rest"}
        (denying,) = [
            obj for obj in objects if obj["metadata"]["name"] == "g-rest-deny" and "validations" in obj["spec"]
        ]
        (first,) = [each for each in denying["spec"]["matchConditions"] if each["name"] == "judged-by-this-policy"]
        assert first["expression"].startswith("!(")
        assert "team-" in first["expression"]

    def test_too_many_exemptions_are_refused(self):
        users = [f"system:serviceaccount:n{number}:{'x' * 60}" for number in range(2000)]
        with pytest.raises(ValueError, match=r"spec.exempt has 2000 entries"):
            made(Policy("p", {"exempt": {"users": users}}))


class TestVersions:
    @pytest.mark.parametrize(
        ("written", "version"),
        [("1.30", (1, 30)), ("v1.36.3", (1, 36)), ("1.29.4-gke.100", (1, 29)), ("v1.33.1+k3s1", (1, 33))],
    )
    def test_are_read(self, written, version):
        assert versions.parse(written) == version

    @pytest.mark.parametrize(
        "written", ["", "1", "x", "1.x", "1.30.1.2", " 1.30", "1.30\n", "١.٣٠", "1." + "9" * 50, "-1.30", "1.30-", "🙂"]
    )
    def test_others_are_refused(self, written):
        with pytest.raises(ValueError, match="is not a version of Kubernetes"):
            versions.parse(written)

    def test_before_1_36_nothing_mutates(self):
        assert kinds(made(POLICIES["default"], (1, 35))) == {
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        }

    def test_before_1_36_what_would_be_repaired_is_warned_of(self):
        def warned(version):
            (found,) = [
                obj
                for obj in made(CLASS, version)
                if obj["metadata"]["name"].endswith("-warn") and "variables" in obj["spec"]
            ]
            return "GPUs of this cluster need" in str(found["spec"]["validations"])

        assert warned((1, 30))
        assert not warned(NEWEST)

    @pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
    def test_validations_use_what_1_30_knows(self, policy):
        newer = ("transformList", "transformMap", "lists.range", ".flatten()", ".distinct()", ".sort()", "jsonpatch.")
        for obj in made(policy, (1, 30)):
            for expression in expressions(obj):
                assert not [each for each in newer if each in expression]


GIB = 1 << 30
DEVICES = {"counts": "nvidia.com/gpu", "devices": 8}
SEVERAL = {"several": True, "init": True}
MIG_STEPS = (
    (9728 << 20, {"nvidia.com/mig-1g.10gb": "1"}),
    (19968 << 20, {"nvidia.com/mig-1g.20gb": "1"}),
    (40192 << 20, {"nvidia.com/mig-3g.40gb": "1"}),
    (78 * GIB, {"nvidia.com/mig-7g.80gb": "1"}),
)
FORMULAS = {
    "default": {**DEVICES, **SEVERAL},
    "gpushare": {"most": 512 * GIB, "memory": "aliyun.com/gpu-mem", "unit": GIB},
    "hami": {"most": 512 * GIB, "memory": "nvidia.com/gpumem", "unit": 1 << 20, "count": "nvidia.com/gpu", "counted": True, "cards": 8, "cores": "nvidia.com/gpucores", **DEVICES, **SEVERAL},
    "kai": {"most": 512 * GIB, "memory": "gpu-memory", "unit": 1 << 20, "count": "gpu-fraction-num-devices", "cards": 8, "annotated": True, "container": "gpu-fraction-container-name", **DEVICES, "init": True},
    "koordinator": {"most": 512 * GIB, "memory": "koordinator.sh/gpu-memory", "total": True, "count": "koordinator.sh/gpu.shared", "counted": True, "cards": 8, "cores": "koordinator.sh/gpu-core", **DEVICES, **SEVERAL},
    "mig": {"most": 78 * GIB, "steps": MIG_STEPS, **DEVICES, **SEVERAL},
    "mps": {"most": 20 * GIB, "steps": ((20 * GIB, {"nvidia.com/gpu": "1"}),), **SEVERAL},
    "time-slicing": {"most": 512 * GIB, "steps": ((512 * GIB, {"nvidia.com/gpu": "1"}),), **SEVERAL},
    "volcano": {"most": 512 * GIB, "memory": "volcano.sh/gpu-memory", "unit": 1 << 20},
    "volcano-vgpu": {"most": 512 * GIB, "memory": "volcano.sh/vgpu-memory", "unit": 1 << 20, "count": "volcano.sh/vgpu-number", "counted": True, "cards": 8, "cores": "volcano.sh/vgpu-cores", "counts": "volcano.sh/vgpu-number", "whole": "volcano.sh/vgpu-number", "devices": 8, "several": True},
}  # fmt: skip


class TestFormulas:
    @pytest.mark.parametrize("name", FORMULAS)
    def test_they_are_what_the_backends_make_of_requests(self, name):
        assert formulas.of(POLICIES[name]) == formulas.Formula(**FORMULAS[name])

    @pytest.mark.parametrize("name", ["any", "dra"])
    def test_there_is_none_for_what_one_container_does_not_tell(self, name):
        assert formulas.of(POLICIES[name]) is None

    def test_parameters_of_the_backend_count(self):
        found = formulas.of(Policy("p", {"backend": {"name": "volcano-vgpu", "memoryFactor": 10}}))
        assert found.unit == 10 << 20
        assert formulas.of(Policy("p", {"backend": {"name": "gpushare", "unit": "MiB"}})).unit == 1 << 20

    def test_a_queue_is_a_label_of_every_pod(self):
        found = formulas.of(Policy("p", {"backend": {"name": "kai", "queue": "research"}}))
        assert found.label == ("kai.scheduler/queue", "research")

    @pytest.mark.parametrize(
        ("name", "most"), [("gpushare", 80), ("hami", 80), ("koordinator", 80), ("mig", 78), ("kai", 79)]
    )
    def test_what_no_card_holds_is_beyond_it(self, name, most):
        """KAI allocates a whole card for 80Gi, which is another formula."""
        policy = Policy("p", {"backend": {"name": name}, "cluster": {"cards": [{"model": "A100-80", "perNode": 4}]}})
        assert formulas.of(policy).most == most * GIB

    @pytest.mark.parametrize(
        "spec", [{"rules": {"GPU101": {"fix": False}}}, {"rules": {"GPU101": "off"}}, {"translateFrom": ["hami"]}]
    )
    def test_there_is_none_where_nothing_is_translated(self, spec):
        assert formulas.of(Policy("p", {"backend": {"name": "hami"}, **spec})) is None

    @pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
    def test_every_amount_between_follows_it(self, policy):
        """The formula is derived from a few amounts; for others CEL has the same results."""
        found, rng = formulas.of(policy), random.Random(5)
        if found is None or not found.of_memory:
            return
        engine = Engine(rules.ALL, policy)
        for _ in range(60):
            memory = rng.randrange(formulas.LEAST, found.most + 1)
            count = rng.randrange(1, found.cards + 1)
            request = {PORTABLE_MEMORY: memory, **({PORTABLE_COUNT: count} if count > 1 else {})}
            assert made_of(engine, request) == computed(found, memory, count), request


def made_of(engine, request):
    """Return the amounts and annotations of a request after mutation."""
    amounts = {name: str(amount) for name, amount in request.items()}
    container = {"name": "c", "image": "i", "resources": {"limits": amounts, "requests": dict(amounts)}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    after = engine.mutate(pod, "admission").object
    limits = after["spec"]["containers"][0].get("resources", {}).get("limits", {})
    return {**{name: str(amount) for name, amount in limits.items()}, **after["metadata"].get("annotations", {})}


def computed(found, memory, count):
    """Return the result of a formula for a request, computed as in CEL."""
    if found.steps:
        return next(amounts for most, amounts in found.steps if memory <= most)
    amount = memory * count if found.total else memory
    of_cards = {found.count: str(count)} if found.count and (found.counted or count > 1) else {}
    return {found.memory: formulas.written(amount, found.unit), **of_cards}
