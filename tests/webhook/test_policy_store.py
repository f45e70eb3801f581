import json
import os

import webhook_standin
from webhook_server import replace

from gpu_admission.webhook.policy_store import RETRY, FileSources, PolicyStore
from gpu_admission.webhook.review.types import PolicyError


class Recorder:
    def __init__(self):
        self.loaded = []
        self.failed = []


def make(*sources, load=webhook_standin.load, clock=lambda: 7.0):
    events = Recorder()
    policies = PolicyStore(
        FileSources([str(source) for source in sources], load),
        loaded=lambda name, when: events.loaded.append((name, when)),
        failed=lambda source, message: events.failed.append((source, message)),
        clock=clock,
    )
    policies.refresh()
    return policies, events


def write(path, name="research", **more):
    replace(path, json.dumps({"name": name, **more}).encode())


def test_the_first_is_the_default(tmp_path):
    write(tmp_path / "a.json", "a")
    policies, events = make("strict", tmp_path / "a.json")
    assert list(policies.current) == ["strict", "a"]
    assert policies.get(None) is policies.current["strict"]
    assert policies.get("nope") is None
    assert events.loaded == [("strict", 7.0), ("a", 7.0)]
    assert policies.times == {"strict": 7.0, "a": 7.0}


def test_an_unchanged_file_is_not_read_again(tmp_path):
    write(tmp_path / "a.json")
    calls = []

    def load(source):
        calls.append(source)
        return webhook_standin.load(source)

    policies, _ = make(tmp_path / "a.json", load=load)
    assert not policies.refresh()
    assert len(calls) == 1


def test_a_change_replaces_the_mapping_and_leaves_the_old_one_alone(tmp_path):
    path = tmp_path / "a.json"
    write(path, version=1)
    policies, _ = make(path)
    before = policies.current
    write(path, version=2)
    assert policies.refresh()
    assert (before["research"].version, policies.current["research"].version) == ("1", "2")


def test_a_bad_version_is_told_once_and_the_old_stays(tmp_path):
    path = tmp_path / "a.json"
    write(path)
    policies, events = make(path)
    replace(path, b"{")
    assert not policies.refresh()
    assert not policies.refresh()
    assert len(events.failed) == 1
    assert policies.get(None).name == "research"


def test_a_file_that_vanishes_and_comes_back(tmp_path):
    path = tmp_path / "a.json"
    write(path)
    policies, events = make(path)
    path.unlink()
    policies.refresh()
    assert len(events.failed) == 1
    assert policies.get(None) is not None
    write(path, version=2)
    assert policies.refresh()
    assert policies.get(None).version == "2"


def test_a_policy_that_is_renamed_leaves_no_ghost(tmp_path):
    path = tmp_path / "a.json"
    write(path, "old")
    policies, _ = make(path)
    write(path, "new")
    policies.refresh()
    assert list(policies.current) == list(policies.times) == ["new"]


def test_two_of_one_name(tmp_path):
    write(tmp_path / "a.json")
    write(tmp_path / "b.json")
    policies, events = make(tmp_path / "a.json", tmp_path / "b.json")
    assert policies.missing == (str(tmp_path / "b.json"),)
    assert "already has a policy named" in events.failed[0][1]


def test_what_could_not_be_read_is_tried_again_and_told_once(tmp_path):
    path = tmp_path / "a.json"
    write(path)
    why = ["cannot be read: Too many open files", "cannot be read: Permission denied"]

    def load(source):
        if why:
            raise PolicyError(why[0])
        return webhook_standin.load(source)

    policies, events = make(path, load=load)
    for message in tuple(why):
        for _ in range(3 * RETRY):
            assert not policies.refresh()
        assert events.failed[-1] == (str(path), message)
        why.pop(0)
    assert len(events.failed) == 2
    assert [policies.refresh() for _ in range(RETRY)].count(True) == 1
    assert policies.get(None).name == "research"
    calls = len(events.loaded)
    assert not any(policies.refresh() for _ in range(2 * RETRY))
    assert len(events.loaded) == calls == 1


def test_a_name_that_another_policy_gives_up_meanwhile(tmp_path):
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    write(one, "a")
    write(two, "b")
    policies, events = make(one, two)
    write(one, "b")
    write(two, "c")
    for _ in range(RETRY):
        policies.refresh()
    assert list(policies.current) == ["b", "c"]
    assert [source for source, _ in events.failed] == [str(one)]


def test_a_loader_with_a_bug_takes_nothing_down(tmp_path):
    def load(source):
        if len(policies.current if policies else ()) == 0:
            return webhook_standin.load(source)
        raise ZeroDivisionError("SECRET")

    policies = None
    path = tmp_path / "a.json"
    write(path)
    policies, events = make(path)
    policies._origin.load = load
    os.utime(path, ns=(1, 1))
    policies.refresh()
    assert events.failed == [(str(path), "the loader failed: ZeroDivisionError")]
    assert policies.get(None) is not None


def test_the_first_may_be_missing(tmp_path):
    policies, events = make(tmp_path / "nope.json", "strict")
    assert policies.default is None
    assert list(policies.current) == ["strict"]
    assert policies.missing
    assert len(events.failed) == 1
