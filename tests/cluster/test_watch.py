"""List and watch: the copy stays equal to the API server's objects, however watches end and whatever they contain."""

import itertools
import json

import pytest
from api_standin import CUT, ApiStandin, Reply, Stream, event, kubeconfig, standin, status

from gpu_admission.cluster import streams, watch
from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.errors import ServerError
from gpu_admission.cluster.watch import Reflector

pytest.importorskip("kubernetes")
PATH = "/apis/gpu-admission.io/v1alpha1/gpupolicies"


def policy(name, version, **spec):
    return {"metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": str(version)}, "spec": spec}


class Run:
    """A reflector, and its reports: ``problems``, ``changes`` and the ``pauses`` that it made."""

    def __init__(self, connection, api):
        self.problems, self.pauses, self.changes, self.now = [], [], 0, 0.0
        connection._sleep = self.pauses.append
        self._api = api
        self.reflector = Reflector(
            connection, PATH, problem=self.problems.append, changed=self._changed, sleep=self.pauses.append,
            clock=lambda: self.now,
        )  # fmt: skip

    def _changed(self):
        self.changes += 1

    def steps(self, count):
        counted = itertools.count()
        self.reflector.run(lambda: next(counted) >= count)
        return self

    @property
    def names(self):
        return sorted(self.reflector.objects or ())

    def spec(self, name):
        return json.loads(self.reflector.objects[name].data)["spec"]

    @property
    def queries(self):
        """Of each request: the version watched from, or None where it is a list."""
        return [query.get("resourceVersion") for path, query in self._api.requests if path == PATH]


@pytest.fixture
def api():
    api = ApiStandin()
    api.serve("gpu-admission.io", "v1alpha1", "gpupolicies", "GPUPolicy", namespaced=False)
    api.lists[PATH] += [policy("a", 1), policy("b", 1)]
    return api


@pytest.fixture
def run(api, tmp_path):
    with standin(api) as url:
        connection = connect(ConnectOptions(kubeconfig=kubeconfig(tmp_path, url)))
        yield Run(connection, api)
        connection.close()


def test_nothing_is_known_before_the_first_list(run):
    assert run.reflector.objects is None


def test_events_are_applied_to_what_was_listed(run, api):
    events = [event("ADDED", policy("c", 2)), event("MODIFIED", policy("a", 3, mode="warn"))]
    api.watches = [Stream([*events, event("DELETED", policy("b", 4))])]
    run.steps(2)
    assert run.names == ["a", "c"]
    assert run.spec("a") == {"mode": "warn"}
    assert run.changes == 4
    assert set(run.problems) == {""}


def test_a_watch_that_ends_goes_on_from_the_last_version(run, api):
    bookmark = {"kind": "GPUPolicy", "metadata": {"resourceVersion": "77"}}
    api.watches = [Stream([event("ADDED", policy("c", 2))]), Stream([event("BOOKMARK", bookmark)]), Stream([])]
    run.steps(4)
    assert run.queries == [None, "1", "2", "77"]
    watched = [query for path, query in api.requests if query.get("watch")]
    assert all(query["allowWatchBookmarks"] == "true" and int(query["timeoutSeconds"]) >= 300 for query in watched)


def test_an_empty_list_is_a_list(run, api):
    api.lists[PATH].clear()
    api.watches = [Stream([event("ADDED", policy("c", 2))])]
    run.steps(1)
    assert run.reflector.objects == {}
    run.steps(1)
    assert run.names == ["c"]


def test_events_in_pieces_and_several_in_one(run, api):
    whole = event("ADDED", policy("c", 2)) + b"\n\n" + event("ADDED", policy("d", 3)) + event("ADDED", policy("e", 4))
    api.watches = [Stream([whole[index : index + 7] for index in range(0, len(whole), 7)]), Stream([whole])]
    run.steps(2)
    assert run.names == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Stream([event("ADDED", policy("c", 2)), b'{"type": "ADDED", "obj'], cut=True), id="cut in a line"),
        pytest.param(Stream([event("ADDED", policy("c", 2))], cut=True), id="cut between lines"),
        pytest.param(Stream([event("ADDED", policy("c", 2)), b'{"type": "ADDED", "obj']), id="ends in a line"),
        pytest.param(Stream([b"garbage\n"]), id="not JSON"),
        pytest.param(Stream([b"\xff\xfe\n"]), id="not UTF-8"),
        pytest.param(Stream([b"5\n"]), id="a number"),
        pytest.param(Stream([b'{"type": "ADDED"}\n']), id="no object"),
        pytest.param(Stream([b'{"type": 5, "object": {}}\n']), id="no type"),
        pytest.param(Stream([event("ADDED", "x")]), id="an object that is a text"),
        pytest.param(Stream([event("ADDED", {"metadata": {"name": "x"}})]), id="no version"),
        pytest.param(Stream([event("ADDED", {"metadata": {"name": 5, "resourceVersion": "1"}})]), id="no name"),
        pytest.param(Stream([event("BOOKMARK", {})]), id="a bookmark without a version"),
        pytest.param(Stream([event("REPLACED", policy("c", 2))]), id="an unknown type"),
        pytest.param(Stream([b"[" * 100_000 + b"\n"]), id="nested deeply"),
        pytest.param(Stream([event("ERROR", {"code": 500, "message": "etcd"})]), id="an error"),
        pytest.param(status(500, "etcd"), id="500"),
        pytest.param(status(403, "no"), id="403"),
        pytest.param(status(404, "gone"), id="404"),
        pytest.param(Reply(200, {"kind": "List"}), id="a list instead of a watch"),
    ],
)
def test_what_breaks_a_watch_is_told_and_answered_by_a_list(run, api, broken):
    api.watches = [broken]
    run.steps(1)
    api.lists[PATH].append(policy("z", 9))
    run.steps(3)
    assert run.queries == [None, "1", None, "1"]
    problems = [problem for problem in run.problems if problem]
    assert len(problems) == 1
    assert problems[0].startswith(PATH), run.problems
    assert run.problems[-1] == ""
    assert "z" in run.names
    assert {"a", "b"} <= set(run.names)  # nothing was lost on the way
    assert len([pause for pause in run.pauses if pause]) >= 1


@pytest.mark.parametrize(
    "expired", [status(410, "too old"), Stream([event("ERROR", {"code": 410, "reason": "Expired"})])]
)
def test_a_version_that_is_too_old_is_no_problem(run, api, expired):
    api.watches = [expired]
    run.steps(3)
    assert run.queries == [None, "1", None]
    assert set(run.problems) == {""}


def test_a_line_that_never_ends(run, api, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST_LINE", 1 << 20)
    api.watches = [Stream([b"x" * (1 << 16)] * 20)]
    run.steps(2)
    assert "longer than 1 MiB" in run.problems[-1]


def test_a_watch_that_says_nothing_is_broken(run, api, monkeypatch):
    monkeypatch.setattr(watch, "SILENCE", 0.1)
    api.watches = [Stream([event("ADDED", policy("c", 2))], seconds=1.0)]
    run.steps(2)
    assert "the stream broke (ReadTimeoutError)" in run.problems[-1]
    assert run.names == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(401), "the credentials are not accepted"),
        (status(403, "gpupolicies is forbidden"), "RBAC does not allow to read it: gpupolicies is forbidden"),
        (status(404), "does not exist"),
        (Reply(200, b"<html>"), "the answer is not a list of objects"),
        (Reply(200, {"items": []}), "has no resourceVersion"),
        (Reply(200, {"metadata": {"resourceVersion": "1"}, "items": [5]}), "not an object"),
        (Reply(200, {"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "a"}}]}), "not an object"),
        (CUT, "the connection to the API server broke"),
        (Reply(302, None, {"Location": "http://example.invalid"}), "redirect"),
    ],
)
def test_a_list_that_fails_takes_nothing_away(run, api, fault, words):
    run.steps(1)
    run.now = watch.RESYNC + 1
    api.always = [lambda path, query: None if query.get("watch") else fault]
    run.steps(1)
    assert words in run.problems[-1]
    assert run.names == ["a", "b"]
    api.always = []
    run.steps(1)
    assert run.problems[-1] == ""


def test_pauses_grow_and_are_bounded_and_begin_anew(run, api):
    api.always = [lambda *_: status(403)]
    run.steps(12)
    assert all(0.4 <= pause <= watch.LONGEST_PAUSE * 1.5 for pause in run.pauses)
    assert run.pauses[0] < 1.3
    assert min(run.pauses[6:]) >= watch.LONGEST_PAUSE / 2
    api.always = []
    api.watches = [Stream([event("ADDED", policy("c", 2))]), status(403)]
    run.pauses.clear()
    run.steps(3)
    assert run.pauses[-1] < 1.3


def test_watches_that_end_at_once_are_not_asked_for_without_a_pause(run):
    run.steps(6)
    assert len(run.pauses) == 5
    assert run.pauses[4] > run.pauses[0]


def test_being_throttled_is_waiting_as_long_as_is_said(run, api):
    api.faults = [lambda *_: Reply(429, None, {"Retry-After": "7"})]
    run.steps(1)
    assert run.pauses == [7.0]
    assert "trying again in 7 s" in run.problems[0]
    assert run.problems[-1] == ""
    assert run.names == ["a", "b"]


def test_a_watch_that_is_never_allowed_is_one_problem_though_lists_succeed(run, api):
    api.always = [lambda _, query: status(403, "watch") if query.get("watch") else None]
    run.steps(9)
    assert [problem for problem in run.problems if not problem] == [""]  # of the first list
    assert len(set(run.problems)) == 2
    api.always = []
    run.steps(3)
    assert run.problems[-1] == ""


def test_a_list_comes_again_whatever_was_watched(run, api):
    run.steps(1)
    run.now = watch.RESYNC + 1
    api.lists[PATH].pop()
    run.steps(1)
    assert run.queries == [None, None]
    assert run.names == ["a"]
    assert run.changes == 2
    run.now *= 3
    run.steps(1)
    assert run.changes == 2  # nothing had changed


def test_five_thousand_objects_and_large_ones(run, api):
    api.lists[PATH] += [policy(f"p{number:04}", 1) for number in range(5000)]
    api.lists[PATH] += [policy(f"q{number}", 1, filler="x" * (1 << 20)) for number in range(3)]
    api.watches = [Stream([event("MODIFIED", policy("q0", 2, filler="y" * (1 << 20)))])]
    run.steps(2)
    assert len(run.names) == 5005
    assert run.spec("q0")["filler"][:1] == "y"
    assert run.changes == 2


def test_a_stream_of_another_status_is_closed_and_raised(run, api):
    api.watches = [status(503, "busy")]
    with pytest.raises(ServerError, match="503"):
        list(run.reflector._connection.stream(PATH, {"watch": "true"}, silence=5.0))
