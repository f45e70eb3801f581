"""Operations: what they do to an object, without changing the original."""

import copy

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.core import patch, pointer
from gpu_admission.core.patch import APPEND, Operation, PatchError

DOCUMENT = {"a": {"b": [1, 2, {"c": 3}]}, "n": None, "x/y": {"~": 1}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (patch.replace("R", ("a", "b", 0), 9), {"a": {"b": [9, 2, {"c": 3}]}}),
        (patch.remove("R", ("a", "b", 1)), {"a": {"b": [1, {"c": 3}]}}),
        (patch.remove("R", ("x/y", "~")), {"x/y": {}}),
        (Operation("R", "add", ("a", "b", APPEND), 4), {"a": {"b": [1, 2, {"c": 3}, 4]}}),
        (Operation("R", "add", ("a", "b", 0), 4), {"a": {"b": [4, 1, 2, {"c": 3}]}}),
        (patch.add("R", DOCUMENT, ("a", "b", 2, "d", "e"), 5), {"a": {"b": [1, 2, {"c": 3, "d": {"e": 5}}]}}),
        (patch.add("R", DOCUMENT, ("n", "m"), 5), {"n": {"m": 5}}),
        (patch.add("R", DOCUMENT, ("new", APPEND), 5), {"new": [5]}),
        (patch.add("R", DOCUMENT, ("a", "b"), 5), {"a": {"b": 5}}),
    ],
)
def test_an_operation_does_what_rfc_6902_says(operation, expected):
    before = copy.deepcopy(DOCUMENT)
    assert patch.apply(DOCUMENT, [operation]) == DOCUMENT | expected
    assert before == DOCUMENT
    assert jsonpatch.apply_patch(DOCUMENT, [operation.to_json()]) == DOCUMENT | expected


@pytest.mark.parametrize(
    "operation",
    [
        patch.remove("R", ("missing",)),
        patch.remove("R", ("a", "b", 9)),
        patch.replace("R", ("missing", "deeper"), 1),
        Operation("R", "add", ("a", "b", 0, "x"), 1),
        Operation("R", "add", ("a", "b", 9), 1),
        Operation("R", "add", ("a", "b", "01"), 1),
        patch.remove("R", ("a", "b", patch.APPEND)),
        patch.replace("R", (), {}),
    ],
)
def test_what_does_not_apply_raises(operation):
    with pytest.raises(PatchError):
        patch.apply(DOCUMENT, [operation])


def test_a_value_added_first_and_written_to_later_does_not_change_the_first_operation():
    value = {"a": "1"}
    first = patch.add("R", {}, ("limits",), value)
    document = patch.apply({}, [first, Operation("R", "add", ("limits", "b"), "2")])
    assert document == {"limits": {"a": "1", "b": "2"}}
    assert first.value == {"a": "1"}


def test_nothing_to_do_returns_the_object_itself():
    assert patch.apply(DOCUMENT, []) is DOCUMENT


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("a",), ("b",), False),
        (("a",), ("a", "b"), True),
        (("a", "b"), ("a",), True),
        (("a", "b"), ("a", "c"), False),
        (("l", APPEND), ("l", APPEND), False),
        (("l", 0), ("l", 1), True),
        (("l", 0), ("m", 0), False),
    ],
)
def test_which_fixes_get_in_one_anothers_way(one, other, expected):
    first, second = patch.remove("R", one), patch.remove("R", other)
    if APPEND in one:
        first, second = Operation("R", "add", one, 1), Operation("R", "add", other, 2)
    assert conflict(first, second) is expected


def test_replacing_list_items_moves_no_index():
    assert not conflict(patch.replace("R", ("l", 0), 1), patch.replace("R", ("l", 1), 1))


def test_the_same_item_is_appended_once():
    assert conflict(Operation("R", "add", ("l", APPEND), {"a": 1}), Operation("S", "add", ("l", APPEND), {"a": 1}))


def conflict(first, second):
    claims = patch.ClaimedPlaces()
    claims.take([first])
    return claims.conflict([second])


@given(st.data())
def test_claims_agree_with_comparing_each_pair(data):
    paths = st.lists(st.sampled_from(("a", "b", 0, 1, APPEND)), max_size=3).map(tuple)
    made = st.builds(Operation, st.just("R"), st.sampled_from(("add", "remove", "replace")), paths, st.integers(0, 1))
    taken, asked = data.draw(st.lists(made, max_size=4)), data.draw(made)
    claims = patch.ClaimedPlaces()
    claims.take(taken)
    assert claims.conflict([asked]) is any(overlap(asked, each) for each in taken)


def reach(operation):
    moves = operation.op != "replace" and operation.path and isinstance(operation.path[-1], int)
    return operation.path[:-1] if moves else operation.path


def overlap(asked, taken):
    one, other = reach(asked), reach(taken)
    if one == other and one[-1:] == (APPEND,):
        return asked.value == taken.value
    return one[: len(other)] == other or other[: len(one)] == one


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.data())
def test_apply_agrees_with_the_library_and_keeps_the_input(document, data):
    places = [place for place, _ in walk(document) if place]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    operation = data.draw(
        st.sampled_from([patch.remove("R", place), patch.replace("R", place, 7), Operation("R", "add", place, 7)])
    )
    before = copy.deepcopy(document)
    assert patch.apply(document, [operation]) == jsonpatch.apply_patch(before, [operation.to_json()])
    assert document == before


@given(st.lists(st.text(max_size=3).filter(lambda token: token != APPEND), min_size=1, max_size=5))
def test_add_makes_the_parents_that_are_missing(path):
    document = patch.apply({}, [patch.add("R", {}, tuple(path), 1)])
    assert pointer.resolve(document, tuple(path)) == 1


def walk(value, place=()):
    yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from walk(item, (*place, key))
