"""GPUPolicy objects as sources of the store: their order, what goes, and what makes a replica unready."""

import json

import pytest
from policy_objects import policy
from reviews import pod, review

from gpu_admission.policyfile.object_files import ObjectWriter, content
from gpu_admission.webhook.policy_objects import ObjectSources
from gpu_admission.webhook.policy_store import RETRY, PolicyStore
from gpu_admission.webhook.review import handler
from gpu_admission.webhook.server.readiness import Drain, Readiness

BROKEN = {"rules": {"GPU999": "deny"}}


class Directory:
    """What a sidecar would leave, and a server that follows it."""

    def __init__(self, folder, mode="enforce"):
        self.failed, self.removed, self.loaded = [], [], []
        self._writer = ObjectWriter(str(folder))
        self.sources = ObjectSources(str(folder), mode)
        self.store = PolicyStore(
            self.sources,
            loaded=lambda name, _: self.loaded.append(name),
            failed=lambda source, message: self.failed.append((source, message)),
            removed=self.removed.append,
        )
        self._decide = handler.ENGINE.decider(self.store)
        self.readiness = Readiness(self.store, None, Drain(), (self.sources.unready,))

    def write(self, active=(), problem="", **specs):
        objects = {name: content(policy(spec, name)) for name, spec in specs.items()}
        self._writer.write(objects, active, problem)
        return self.store.refresh()

    def problem(self, text):
        self._writer.write_problem(text)
        self.store.refresh()

    def ask(self, namespace="team-a", name=None):
        """Whether a fractional GPU is allowed, and by which policy; the status where it is no answer."""
        body = json.dumps(review(pod({"limits": {"nvidia.com/gpu": "0.5"}}), namespace=namespace)).encode()
        answer = self._decide(body, "validate", name)
        if answer.status != 200:
            return answer.status
        return json.loads(answer.body)["response"]["allowed"], answer.record["policy"]


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


def test_before_the_objects_are_known_nothing_is_answered_and_nobody_is_ready(directory):
    directory.store.refresh()
    assert directory.ask() == 404
    assert directory.readiness.reasons(0) == ["GPUPolicy objects are not listed yet"]
    directory.problem("RBAC does not allow it")
    assert directory.readiness.reasons(0) == ["GPUPolicy objects are not listed yet: RBAC does not allow it"]


def test_without_an_object_nothing_is_judged(directory):
    directory.write()
    assert directory.ask() == (True, "")
    assert directory.ask(name="default") == 404
    assert directory.readiness.reasons(0) == []


def test_the_order_is_that_of_names(directory):
    directory.write(b={}, a={"match": {"namespaces": ["team-*"]}, "rules": {"GPU003": "off"}})
    assert list(directory.store.current) == ["a", "b"]
    assert directory.ask() == (True, "a")
    assert directory.ask("other") == (False, "b")
    assert directory.ask("other", "a") == (True, "a")  # named, but not for that namespace


def test_where_no_policy_is_for_a_namespace_nothing_is_judged(directory):
    directory.write(a={"match": {"namespaces": ["team-*"]}})
    assert directory.ask("other") == (True, "a")


def test_what_goes_is_forgotten(directory):
    directory.write(a={}, b={})
    assert directory.write(b={})
    assert directory.removed == ["a"]
    assert list(directory.store.current) == list(directory.store.times) == ["b"]
    assert directory.ask(name="a") == 404
    assert not directory.write(b={})
    directory.write(a={}, b={})
    assert directory.loaded == ["a", "b", "a"]


def test_a_renamed_one_judges_under_its_new_name(directory):
    directory.write(a={})
    directory.write(z={})
    assert directory.ask() == (False, "z")
    assert directory.removed == ["a"]


def test_a_bad_version_is_refused_and_the_old_one_stays(directory):
    directory.write(a={})
    assert not directory.write(a=BROKEN, active=["a"])
    assert directory.ask() == (False, "a")
    ((source, message),) = directory.failed
    assert source == "a"
    assert message.startswith("GPUPolicy a: spec.rules.GPU999: there is no rule 'GPU999'")
    assert directory.readiness.reasons(0) == []


def test_a_new_one_that_is_bad_harms_no_other(directory):
    directory.write(a=BROKEN, b={})
    assert directory.ask() == (False, "b")
    assert directory.readiness.reasons(0) == []
    directory.write(a=BROKEN)
    assert directory.ask() == (True, "")  # there is none that could judge
    assert directory.readiness.reasons(0) == []


def test_one_that_judges_elsewhere_and_is_not_known_here_makes_a_replica_unready(directory):
    directory.write(a=BROKEN, b={}, active=["a"])
    assert directory.readiness.reasons(0) == ["policy not loaded: a"]
    assert directory.ask() == 404  # b must not let pass what a refuses
    directory.write(a={}, b={}, active=["a"])
    assert directory.readiness.reasons(0) == []
    assert directory.ask() == (False, "a")


def test_an_api_server_that_is_away_takes_nothing(directory):
    directory.write(a={})
    directory.problem("no route")
    assert directory.ask() == (False, "a")
    assert directory.readiness.reasons(0) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b"5"])
def test_a_file_that_is_no_object(directory, tmp_path, text):
    directory.write(a={})
    (tmp_path / "a.json").write_bytes(text)
    for _ in range(RETRY):
        directory.store.refresh()
    assert directory.ask() == (False, "a")
    assert directory.failed[0][1].startswith("GPUPolicy a: ")


@pytest.mark.parametrize(("mode", "given", "wanted"), [
    ("enforce", "warn", "warn"), ("warn", "enforce", "warn"), ("audit", "warn", "audit"), ("warn", "audit", "audit"),
])  # fmt: skip
def test_a_ceiling_on_the_mode(tmp_path, mode, given, wanted):
    directory = Directory(tmp_path, mode)
    directory.write(a={"mode": given})
    assert directory.store.current["a"].mode == wanted
