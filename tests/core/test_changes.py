"""The identity of a finding across an update: raw values and stable places, never the message."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values

from gpu_admission.core.finding import Finding, ObjectRef, Problem
from gpu_admission.engine import changes
from gpu_admission.engine.rule import Rule
from gpu_admission.policy.model import Policy

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

TYPED = (0, 0.0, False, 1, 1.0, True, "1", "", None, [], {}, [1], [[1]], {"a": 1}, {"a": [1]}, ["a", 1], 10**400)


def finding(pointer, *, message="wrong", evidence=None, action="deny", container=None):
    ref = ObjectRef("v1", "Pod", None, None)
    return Finding(
        rule="GPU307", name="x", severity="error", action=action, message=message, advice="", pointer=pointer,
        container=container, ref=ref, evidence=evidence,
    )  # fmt: skip


class TestFingerprint:
    @pytest.mark.parametrize("one", TYPED)
    @pytest.mark.parametrize("other", TYPED)
    def test_types_are_told_apart(self, one, other):
        is_same = type(one) is type(other) and repr(one) == repr(other)
        assert (changes.fingerprint(one) == changes.fingerprint(other)) is is_same

    @given(json_values, json_values)
    def test_it_tells_what_json_tells(self, one, other):
        texts = [json.dumps(each, sort_keys=True) for each in (one, other)]
        assert (changes.fingerprint(one) == changes.fingerprint(other)) is (texts[0] == texts[1])
        assert changes.fingerprint(one) == changes.fingerprint(copy.deepcopy(one))

    def test_the_order_of_keys_is_nothing(self):
        assert changes.fingerprint({"a": 1, "b": 2}) == changes.fingerprint({"b": 2, "a": 1})

    def test_depth_is_no_trouble(self):
        deep = [None]
        for _ in range(200_000):
            deep = [{"a": deep}]
        assert changes.fingerprint(deep) == changes.fingerprint(deep)
        while isinstance(deep, list) and deep[0]:  # dismantled step by step: Python's deallocation is recursive
            deep = deep.pop()["a"]


class TestDiffering:
    def test_of_either_side(self):
        old = {"same": "x", "changed": "x", "gone": "x", "nothing": None}
        new = {"same": "x", "changed": "y", "new": "x", "nothing": None}
        assert changes.differing(old, new) == ["changed", "gone", "new"]

    def test_nothing_there_and_null_are_two_things(self):
        assert changes.differing({}, {"a": None}) == ["a"]

    @given(st.text(min_size=1), st.integers(min_value=0))
    def test_any_one_letter(self, value, number):
        at = number % len(value)
        other = value[:at] + chr((ord(value[at]) + 1) % 0xD000) + value[at + 1 :]
        assert changes.differing({"a": value}, {"a": other}) == ["a"] * (value != other)


def pod(*containers, **metadata):
    return {"metadata": metadata, "spec": {"containers": list(containers)}}


class TestIdentity:
    def introduced(self, now, before, new, old):
        return changes.introduced(now, before, new, old)

    def test_words_play_no_part(self):
        obj = pod(annotations={"a": "x"})
        place = ("metadata", "annotations", "a")
        assert changes.introduced([finding(place, message="one")], [finding(place, message="two")], obj, obj) == []

    def test_the_value_does(self):
        place = ("metadata", "annotations", "a")
        new, old = pod(annotations={"a": "x" * 100 + "y"}), pod(annotations={"a": "x" * 100 + "z"})
        assert changes.introduced([finding(place)], [finding(place)], new, old) == [finding(place)]

    def test_what_a_rule_names_takes_its_place(self):
        place = ("spec",)
        new, old = pod({"name": "a"}), pod({"name": "b"})
        same = [finding(place, evidence=())], [finding(place, evidence=())]
        assert changes.introduced(*same, new, old) == []
        other = finding(place, evidence=({"limits": 1},))
        assert changes.introduced([other], [finding(place, evidence=({"limits": True},))], new, old) == [other]

    def test_a_worse_consequence_is_new(self):
        obj, place = pod(annotations={"a": "x"}), ("metadata", "annotations", "a")
        worse = finding(place)
        assert changes.introduced([worse], [finding(place, action="audit")], obj, obj) == [worse]

    def test_containers_keep_their_names_wherever_they_stand(self):
        old, new = pod({"name": "a", "x": 1}), pod({"name": "b", "x": 1}, {"name": "a", "x": 1})
        moved, added = finding(("spec", "containers", 1, "x")), finding(("spec", "containers", 0, "x"))
        assert changes.introduced([added, moved], [finding(("spec", "containers", 0, "x"))], new, old) == [added]

    def test_another_role_is_another_place(self):
        old = pod({"name": "a", "x": 1})
        new = {"spec": {"initContainers": [{"name": "a", "x": 1}]}}
        now = finding(("spec", "initContainers", 0, "x"))
        assert changes.introduced([now], [finding(("spec", "containers", 0, "x"))], new, old) == [now]

    def test_twice_is_once_more(self):
        old, new = {"spec": [{"x": 1}]}, {"spec": [{"x": 1}, {"x": 1}]}
        now = [finding(("spec", number, "x")) for number in (0, 1)]
        assert changes.introduced(now, now[:1], new, old) == now[1:]
        assert changes.introduced(now, now, new, new) == []

    def test_objects_in_a_list_go_by_their_metadata(self):
        items = [{"metadata": {"name": name}, "x": 1} for name in "ab"]
        now, before = finding(("items", 0, "x")), finding(("items", 1, "x"))
        assert changes.introduced([now], [before], {"items": items[1:]}, {"items": items}) == []

    def test_a_variable_is_worth_what_it_refers_to(self):
        place = ("spec", "containers", 0, "env", 1, "value")
        new, old = (
            pod({"name": "c", "env": [{"name": "A", "value": value}, {"name": "B", "value": "$(A)"}]})
            for value in ("all", "0")
        )
        assert changes.introduced([finding(place)], [finding(place)], new, old) == [finding(place)]
        assert changes.introduced([finding(place)], [finding(place)], new, new) == []

    @pytest.mark.parametrize("obj", [None, [], "x", {}, {"spec": None}, {"spec": []}, {"spec": {"containers": {}}}])
    def test_places_that_are_not_there(self, obj):
        place = ("spec", "containers", 0, "x")
        assert changes.introduced([finding(place)], [finding(place)], obj, obj) == []
        assert changes.introduced([finding(place)], [], obj, obj) == [finding(place)]


class TestTerminal:
    @pytest.mark.parametrize(
        ("status", "terminal"),
        [
            ({"phase": "Succeeded"}, True),
            ({"phase": "Failed"}, True),
            ({"phase": "Running"}, False),
            ({"phase": "Unknown"}, False),
            ({"phase": ["Failed"]}, False),
            ({"phase": "failed"}, False),
            ({}, False),
            (None, False),
            ("Failed", False),
        ],
    )
    def test_phase(self, status, terminal):
        assert changes.is_terminal({"status": status}) is terminal
        assert changes.is_terminal({"metadata": {"deletionTimestamp": "x"}, "status": status}) is terminal

    @pytest.mark.parametrize("obj", [None, [], "Failed", 1])
    def test_odd_objects(self, obj):
        assert not changes.is_terminal(obj)


def test_a_rule_that_compares_is_not_asked_for_more():
    """On updates of Pods ``compare`` replaces ``check``; on templates and files nothing changes."""
    from gpu_admission.engine.engine import Engine

    def check(workload, _policy):
        yield Problem(("metadata",), "checked", "")

    def compare(new, old, _policy):
        yield Problem(("metadata",), f"{new.object['metadata']['name']} was {old.object['metadata']['name']}", "")

    one = Rule(
        id="GPU399", name="made-up", severity="error", since="0.1.0", summary="s", rationale="r", references=("x",),
        bad="b", good="g", check=check, compare=compare,
    )  # fmt: skip
    engine = Engine([one], Policy("p"))
    spec = {"containers": [{"name": "c", "image": "i"}]}
    new, old = ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec} for name in "ab")
    assert [each.message for each in engine.introduced(new, old)] == ["a was b"]
    assert [each.message for each in engine.introduced(new, None)] == ["checked"]
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"template": {"spec": spec}}}
    assert engine.introduced(made, made) == []
    assert [each.message for each in engine.introduced(made, {})] == ["checked"]
    assert [each.message for each in engine.validate(new, "admission")] == ["checked"]
