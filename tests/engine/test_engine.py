"""The engine on rules for these tests: order, conflicting fixes, consequences, and the laws of a mutation."""

import copy

import pytest

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.engine.engine import Engine
from gpu_admission.engine.rule import Rule, RuleError
from gpu_admission.policy.model import Policy


def rule(id_, check, **fields):
    given = {
        "name": "made-up",
        "severity": "error",
        "since": "0.1.0",
        "summary": "made up",
        "rationale": "for a test",
        "references": ("none",),
        "bad": "a: 1",
        "good": "a: 1",
    }
    return Rule(id=id_, check=check, **(given | fields))


def pod(*containers, **spec):
    items = [{"name": name, "image": "i"} for name in containers]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": items, **spec}}


def wants_label(label):
    """Return a check that requires a label on every container, in a mapping that may be missing."""

    def check(workload, _policy):
        for _, container in workload.containers():
            if label not in (container.spec.get("labels") or {}):
                where = (*container.pointer, "labels", label)
                fix = (patch.add("GPU001", workload.document, where, "x"),)
                yield Problem(container.pointer, f"no {label}", "add it", fix=fix, safety="safe")

    return check


def wants_both(workload, policy):
    """Yield two problems for each container, whose fixes both add the same missing mapping."""
    yield from wants_label("one")(workload, policy)
    yield from wants_label("two")(workload, policy)


def drops_items(workload, _policy):
    """Yield a removal for every odd container: each shifts the indices of the next."""
    for _, container in workload.containers():
        if container.name.startswith("odd"):
            yield Problem(
                container.pointer,
                container.name,
                "drop",
                fix=(patch.remove("GPU002", container.pointer),),
                safety="safe",
            )


class TestMutate:
    def test_fixes_that_make_the_same_parent_do_not_undo_one_another(self):
        engine = Engine([rule("GPU001", wants_both, fix="safe")], Policy("p"))
        mutation = engine.mutate(pod("a", "b"))
        assert [c["labels"] for c in mutation.object["spec"]["containers"]] == [{"one": "x", "two": "x"}] * 2
        assert mutation.applied == ("GPU001",)

    def test_removals_from_one_list_hit_the_items_they_meant(self):
        engine = Engine([rule("GPU002", drops_items, fix="safe")], Policy("p"))
        mutation = engine.mutate(pod("odd1", "a", "odd2", "odd3", "b"))
        assert [c["name"] for c in mutation.object["spec"]["containers"]] == ["a", "b"]

    @pytest.mark.parametrize("check", [wants_both, drops_items])
    def test_laws_one_and_two(self, check):
        engine = Engine([rule("GPU001", check, fix="safe")], Policy("p"))
        document = pod("odd1", "a", "odd2")
        before = copy.deepcopy(document)
        mutation = engine.mutate(document)
        assert document == before
        assert patch.apply(document, mutation.patch) == mutation.object
        assert engine.mutate(mutation.object).patch == ()

    def test_later_rules_see_what_earlier_ones_made(self):
        seen = []

        def look(workload, _policy):
            seen.append(copy.deepcopy(workload.object))
            return iter(())

        engine = Engine([rule("GPU001", wants_label("one"), fix="safe"), rule("GPU002", look, fix="safe")], Policy("p"))
        engine.mutate(pod("a"))
        assert seen[-1]["spec"]["containers"][0]["labels"] == {"one": "x"}

    def test_unsafe_fixes_only_on_demand(self):
        def check(workload, policy):
            for problem in wants_label("one")(workload, policy):
                yield Problem(problem.pointer, problem.message, problem.advice, fix=problem.fix, safety="unsafe")

        engine = Engine([rule("GPU001", check, fix="unsafe")], Policy("p"))
        assert engine.mutate(pod("a")).patch == ()
        assert engine.mutate(pod("a"), unsafe=True).patch

    def test_a_policy_keeps_a_rule_from_mutating_unless_somebody_consents(self):
        engine = Engine(
            [rule("GPU001", wants_label("one"), fix="safe")], Policy("p", {"rules": {"GPU001": {"fix": False}}})
        )
        assert engine.mutate(pod("a")).patch == ()
        assert engine.mutate(pod("a"), consent=True).patch


class TestValidate:
    def test_findings_are_stamped_by_the_policy_and_sorted(self):
        engine = Engine(
            [rule("GPU001", wants_label("one")), rule("GPU002", drops_items)],
            Policy("p", {"rules": {"GPU002": "warn"}}),
        )
        found = engine.validate(pod("a", "odd1"))
        assert [(f.rule, f.container, f.severity, f.action) for f in found] == [
            ("GPU001", "a", "error", "deny"),
            ("GPU001", "odd1", "error", "deny"),
            ("GPU002", "odd1", "warning", "warn"),
        ]

    @pytest.mark.parametrize(
        ("mode", "said", "severity", "action"),
        [
            ("enforce", None, "error", "deny"),
            ("warn", None, "error", "warn"),
            ("audit", None, "error", "audit"),
            ("audit", "warn", "warning", "audit"),
            ("warn", "audit", "info", "audit"),
        ],
    )
    def test_a_mode_limits_the_action_and_not_the_level(self, mode, said, severity, action):
        policy = Policy("p", {"mode": mode, "rules": {"GPU001": said} if said else {}})
        [found] = Engine([rule("GPU001", wants_label("one"))], policy).validate(pod("a"))
        assert (found.severity, found.action) == (severity, action)

    @pytest.mark.parametrize(
        ("own", "found", "said", "action"),
        [
            ("error", "error", "warn", "warn"),
            ("error", "info", "deny", "audit"),
            ("error", "warning", "deny", "warn"),
            ("error", "warning", "audit", "audit"),
            ("error", "info", None, "audit"),
            ("warning", "error", "warn", "warn"),
            ("warning", "error", None, "deny"),
            ("error", "info", "off", None),
        ],
    )
    def test_what_a_policy_says_of_a_rule_is_a_ceiling_for_its_milder_findings(self, own, found, said, action):
        def check(workload, _policy):
            yield Problem(workload.pointer, "message", "advice", severity=found)

        policy = Policy("p", {"rules": {"GPU001": said} if said else {}})
        actions = [f.action for f in Engine([rule("GPU001", check, severity=own)], policy).validate(pod("a"))]
        assert actions == ([action] if action else [])

    def test_off_is_silent_until_it_is_selected(self):
        policy = Policy("p", {"rules": {"GPU001": "off"}})
        rules = [rule("GPU001", wants_label("one"), severity="warning")]
        assert Engine(rules, policy).validate(pod("a")) == []
        [found] = Engine(rules, policy.selecting(frozenset({"GPU001"}))).validate(pod("a"))
        assert found.severity == "warning"
        assert Engine(rules, policy.selecting(frozenset({"GPU002"}))).validate(pod("a")) == []

    def test_off_by_default_counts_as_off(self):
        rules = [rule("GPU001", wants_label("one"), default="off")]
        assert Engine(rules, Policy("p")).validate(pod("a")) == []
        assert Engine(rules, Policy("p", {"rules": {"GPU001": "warn"}})).validate(pod("a"))

    def test_a_rule_for_templates_does_not_judge_pods_at_admission(self):
        rules = [rule("GPU001", wants_label("one"), admission_kinds=frozenset({"template"}))]
        engine = Engine(rules, Policy("p"))
        assert engine.validate(pod("a"), "file")
        assert engine.validate(pod("a"), "admission") == []
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod("a")["spec"]}}}
        assert engine.validate(deployment, "admission")


class TestReview:
    def test_what_admission_repairs_is_marked(self):
        engine = Engine([rule("GPU001", wants_label("one"), fix="safe"), rule("GPU002", drops_items)], Policy("p"))
        found = engine.review(pod("odd1")).findings
        assert [(f.rule, f.repaired) for f in found] == [("GPU001", True), ("GPU002", False)]


class TestIntroduced:
    def test_only_what_is_new_counts(self):
        engine = Engine([rule("GPU001", wants_label("one"))], Policy("p"))
        assert [f.container for f in engine.introduced(pod("new", "a"), pod("a"))] == ["new"]


@pytest.mark.parametrize(
    "field",
    [
        {"id_": "GPU1"},
        {"name": "Made Up"},
        {"severity": "bad"},
        {"since": "1"},
        {"summary": "a\nb"},
        {"summary": "a."},
        {"rationale": ""},
        {"references": ()},
        {"bad": ""},
        {"good": ""},
        {"fix": "maybe"},
        {"admission_kinds": frozenset()},
    ],
)
def test_an_incomplete_rule_fails_when_it_is_made(field):
    with pytest.raises(RuleError):
        rule(**({"id_": "GPU001", "check": drops_items} | field))
