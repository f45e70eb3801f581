"""In-tree policies: what of the rules they hold, and how they are written."""

import functools
import re

import pytest
import touching

import policies as known_policies
from gpu_admission import rules
from gpu_admission.policy.model import Policy
from gpu_admission.registration.in_tree import checks, coverage, policies, repairs, translation, versions

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


class TestFormulas:
    def test_they_are_what_the_backends_make_of_requests(self):
        found = {name: translation.formula(policy) for name, policy in POLICIES.items()}
        known = {
            name: (each.memory, each.unit, each.count, each.cores, each.whole) for name, each in found.items() if each
        }
        assert known == {
            "gpushare": ("aliyun.com/gpu-mem", 1 << 30, None, None, None),
            "hami": ("nvidia.com/gpumem", 1 << 20, "nvidia.com/gpu", "nvidia.com/gpucores", None),
            "volcano": ("volcano.sh/gpu-memory", 1 << 20, None, None, None),
            "volcano-vgpu": (
                "volcano.sh/vgpu-memory", 1 << 20, "volcano.sh/vgpu-number", "volcano.sh/vgpu-cores", "volcano.sh/vgpu-number",
            ),
        }  # fmt: skip

    def test_parameters_of_the_backend_count(self):
        found = translation.formula(Policy("p", {"backend": {"name": "volcano-vgpu", "memoryFactor": 10}}))
        assert found.unit == 10 << 20
        assert translation.formula(Policy("p", {"backend": {"name": "gpushare", "unit": "MiB"}})).unit == 1 << 20

    @pytest.mark.parametrize(
        "spec",
        [
            {"cluster": {"cards": [{"model": "A100-80"}]}},
            {"rules": {"GPU101": {"fix": False}}},
            {"rules": {"GPU101": "off"}},
            {"translateFrom": ["hami"]},
        ],
    )
    def test_none_is_exported_where_more_than_the_amount_counts(self, spec):
        assert translation.formula(Policy("p", {"backend": {"name": "hami"}, **spec})) is None

    def test_what_is_translated_stays_so(self):
        """The bounds are amounts that every backend translates, and so is what lies between."""
        for policy in ALL:
            found = translation.formula(policy)
            if found is not None:
                assert translation.LEAST % found.unit == 0 or found.unit > translation.LEAST
                assert translation.MOST // found.unit < 2**31  # HAMi drops more
