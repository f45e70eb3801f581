"""The memory of rulings: what it may take for one another, what it forgets, and that nobody notices it."""

import copy
import json
import threading

import pytest
from reviews import pod, review

from gpu_admission.admission import envelope, jsontext, rulings, verdict
from gpu_admission.admission.decision import Decider
from gpu_admission.admission.rulings import LONGEST, MOST, Ruling, Rulings
from gpu_admission.core.policy import Policy
from gpu_admission.files import policyfile

POLICY = policyfile.load("default")
WRONG = {"limits": {"nvidia.com/gpu": "0.5"}, "requests": {"nvidia.com/gpu": "0.5"}}
ONE = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}


def sent(obj, number=0, **more):
    said = review(obj, **more)
    said["request"]["uid"] = f"uid-{number}"
    said["request"]["name"] = f"name-{number}"
    return json.dumps(said).encode()


def counted(monkeypatch):
    """Count how often a verdict is worked out."""
    calls = []
    judge = verdict.judge

    def counting(*given):
        calls.append(given)
        return judge(*given)

    monkeypatch.setattr(verdict, "judge", counting)
    return calls


@pytest.mark.parametrize("endpoint", ["mutate", "validate"])
@pytest.mark.parametrize("resources", [None, ONE, WRONG])
def test_replicas_are_ruled_on_once_and_answered_each(monkeypatch, endpoint, resources):
    calls = counted(monkeypatch)
    decider = Decider(lambda _: POLICY)
    answers = []
    for number in range(3):
        obj = pod(resources)
        obj["metadata"]["name"] = f"name-{number}"
        answers.append(decider(sent(obj, number), endpoint))
    assert len(calls) == (1 if jsontext.packed({}) else 3)
    bodies = [json.loads(each.body)["response"] for each in answers]
    assert [each.pop("uid") for each in bodies] == ["uid-0", "uid-1", "uid-2"]
    assert bodies[0] == bodies[1] == bodies[2]
    assert [(each.record["uid"], each.record["name"]) for each in answers] == [
        (f"uid-{number}", f"name-{number}") for number in range(3)
    ]
    assert [each.remembered for each in answers] == [False, *([bool(jsontext.packed({}))] * 2)]
    records = [{**each.record, "uid": "", "name": ""} for each in answers]
    assert records[0] == records[1] == records[2]


def test_the_endpoints_do_not_answer_for_one_another():
    decider = Decider(lambda _: POLICY)
    body = sent(pod({"requests": {"nvidia.com/gpu": "1"}}))
    mutated, validated = (json.loads(decider(body, each).body)["response"] for each in ("mutate", "validate"))
    assert (mutated["allowed"], validated["allowed"]) == (True, False)


def test_nor_do_policies_nor_their_versions():
    in_force = {None: POLICY, "audit": Policy("audit", {"mode": "audit"})}
    decider = Decider(in_force.get)
    said = [decider(sent(pod(WRONG)), "validate", name).record["decision"] for name in (None, "audit", None)]
    in_force[None] = Policy(POLICY.name, {"mode": "warn"})
    said.append(decider(sent(pod(WRONG)), "validate").record["decision"])
    assert said == ["denied", "allowed", "denied", "allowed"]


def test_nor_users_and_namespaces_that_are_exempt():
    policy = Policy("p", {"exempt": {"namespaces": ["free-*"], "users": ["root"]}})
    decider = Decider(lambda _: policy)
    said = [
        decider(sent(pod(WRONG), **who), "validate").record["decision"]
        for who in ({}, {"namespace": "free-1"}, {}, {"user": "root"}, {})
    ]
    assert said == ["denied", "allowed", "denied", "allowed", "denied"]


ALIKE = [1, 1.0, True, "1"]  # to Python's ==, the first three are one


def test_amounts_of_different_types_are_kept_apart():
    decider = Decider(lambda _: POLICY)
    said = []
    for amount in ALIKE:
        both = {"nvidia.com/gpu": amount}
        body = sent(pod({"limits": both, "requests": both}))
        said.append(decider(body, "validate").body)
        assert said[-1] == Decider(lambda _: POLICY)(body, "validate").body
    assert len(set(said)) > 1


HOSTILE = {
    "an infinite number": '{"nvidia.com/gpu": 1e999}',
    "a very long number": '{"nvidia.com/gpu": %s}' % ("9" * 400),
    "null": '{"nvidia.com/gpu": null}',
    "half a character": '{"nvidia.com/gpu": "\\ud800"}',
    "deep nesting": '{"nvidia.com/gpu": %s}' % ("[" * 300 + "]" * 300),
}


@pytest.mark.parametrize("first", HOSTILE)
@pytest.mark.parametrize("then", HOSTILE)
def test_odd_values_are_kept_apart(first, then):
    decider = Decider(lambda _: POLICY)
    for what in (first, then, first):
        body = sent(pod({"limits": "HERE"})).replace(b'"HERE"', HOSTILE[what].encode())
        assert decider(body, "validate").body == Decider(lambda _: POLICY)(body, "validate").body


def test_without_msgspec_everything_is_ruled_on(monkeypatch):
    monkeypatch.setattr(jsontext, "_packer", None)
    calls = counted(monkeypatch)
    decider = Decider(lambda _: POLICY)
    assert decider(sent(pod(ONE)), "mutate").body == decider(sent(pod(ONE)), "mutate").body
    assert len(calls) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "UPDATE", "old": pod(ONE)},
        {"subresource": "ephemeralcontainers", "operation": "UPDATE", "old": pod(ONE)},
    ],
    ids=["an update", "a subresource"],
)
def test_updates_are_always_ruled_on(monkeypatch, change):
    calls = counted(monkeypatch)
    decider = Decider(lambda _: POLICY)
    for _ in range(2):
        decider(sent(pod(WRONG), **change), "validate")
    assert len(calls) == 2


def test_the_object_given_is_only_read():
    obj = pod(ONE)
    request = envelope.read(sent(obj))
    before = copy.deepcopy(request.raw)
    Decider(lambda _: POLICY)(sent(obj), "mutate")
    assert request.raw == before


def essence_of(number, size=100):
    return b"%0*d" % (size, number)


def ruling(number):
    return Ruling(f"rest {number:08}", "allowed")


def test_the_memory_stays_small():
    memory = Rulings()
    for number in range(20_000):
        memory.keep(essence_of(number), ruling(number))
        if number % 1000 == 0:
            generations = (memory._younger, memory._older)
            assert sum(len(key) + len(kept.rest) for each in generations for key, kept in each.items()) <= 2 * MOST
    assert memory.get(essence_of(19_999)) == ruling(19_999)
    assert memory.get(essence_of(0)) is None


def test_what_is_in_use_is_not_forgotten():
    memory = Rulings()
    memory.keep(b"in use", ruling(0))
    for number in range(20_000):
        memory.keep(essence_of(number), ruling(number))
        if number % 500 == 0:
            assert memory.get(b"in use") == ruling(0)


def test_a_large_ruling_is_not_remembered():
    memory = Rulings()
    memory.keep(essence_of(1, LONGEST), ruling(1))
    assert memory.get(essence_of(1, LONGEST)) is None


def test_threads_do_not_disturb_one_another():
    memory = Rulings()
    wrong = []

    def work(seed):
        for step in range(3000):
            number = (step * seed) % 4000
            known = memory.get(essence_of(number))
            if known is None:
                memory.keep(essence_of(number), ruling(number))
            elif known != ruling(number):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_verdict_that_says_nothing_is_one_object():
    assert rulings.rule(verdict.Verdict(), POLICY) is rulings.NOTHING_TO_SAY
