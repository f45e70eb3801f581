"""Leader election: one holder at a time, despite clock skew, and a new one when it disappears."""

import datetime as dt

import pytest
from api_standin import ApiStandin, Reply, kubeconfig, standin, status

from gpu_admission.cluster import lease
from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.lease import Elector

pytest.importorskip("kubernetes")
COLLECTION = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
PATH = f"{COLLECTION}/p"


class LeaseApi(ApiStandin):
    """Keeps Leases as an API server does: an update must name the version that is there."""

    def __init__(self, *, exists=True):
        super().__init__()
        self._version = 0
        if exists:
            self._store({"metadata": {"name": "p"}})

    @property
    def spec(self):
        return self.single[PATH].get("spec", {})

    def _store(self, obj):
        self._version += 1
        self.single[PATH] = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}
        return Reply(200, self.single[PATH])

    def _write(self, method, path, query, body):
        self.written.append((method, path, query, body))
        if method == "POST":
            return self._store(body)
        if body["metadata"]["resourceVersion"] != self.single[PATH]["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified")
        return self._store(body)


class Replica:
    """An elector with a clock of its own, which begins anywhere."""

    def __init__(self, connection, identity, began=0.0, wall=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        self.time, self.problems = began, []
        self.elector = Elector(
            connection, "ns", "p", identity, problem=self.problems.append, clock=lambda: self.time, now=lambda: wall
        )

    def after(self, seconds):
        self.time += seconds
        return self.elector.tick()


@pytest.fixture
def api():
    return LeaseApi()


@pytest.fixture
def connection(api, tmp_path):
    with standin(api) as url:
        made = connect(ConnectOptions(kubeconfig=kubeconfig(tmp_path, url), tries=1))
        yield made
        made.close()


@pytest.fixture
def two(connection):
    """Two whose clocks are years apart: neither compares its own with the other's."""
    past = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    return Replica(connection, "a", 5.0), Replica(connection, "b", 90_000.0, past)


def test_the_first_holds_it_and_the_fields_are_kubernetes(two, api):
    a, b = two
    assert a.after(0)
    assert not b.after(0)
    assert api.spec == {
        "holderIdentity": "a", "leaseDurationSeconds": 15, "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z", "leaseTransitions": 1,
    }  # fmt: skip


def test_it_is_kept_by_renewing_it_and_written_no_more_often_than_that(two, api):
    a, b = two
    for _ in range(100):
        assert a.after(0.5)
        assert not b.after(0.5)
    assert len(api.written) == 13  # 50 s, every 4
    assert api.spec["leaseTransitions"] == 1


def test_one_that_is_gone_is_followed_when_nobody_saw_it_renewed(two, api):
    a, b = two
    assert a.after(0)
    assert not b.after(0)
    assert not b.after(14)
    assert b.after(5)
    assert api.spec["holderIdentity"] == "b"
    assert api.spec["leaseTransitions"] == 2
    assert api.spec["acquireTime"].startswith("1999")
    assert not a.after(30)  # and is no longer the holder
    assert api.spec["holderIdentity"] == "b"


def test_a_holder_that_cannot_renew_stops_before_another_begins(two, api):
    a, b = two
    assert a.after(0)
    assert not b.after(0)
    api.always = [lambda *_: status(500, "etcd")]
    held = [a.after(1) for _ in range(14)]
    assert held.index(False) < 11
    assert not any(held[10:])
    assert "500" in a.problems[-1]
    api.always = []
    assert b.after(20)
    assert not a.after(5)


def test_a_blink_of_the_api_server_costs_nothing(two, api):
    a, _ = two
    assert a.after(0)
    api.faults = [lambda *_: status(500)]
    assert a.after(4)
    assert a.after(4)
    assert a.problems[-1] == ""


def test_of_two_at_once_one_holds_it(connection, api):
    a, b = Replica(connection, "a"), Replica(connection, "b")
    read = connection.read

    def read_and_be_overtaken(path):
        found = read(path)
        connection.read = read
        assert b.after(0)
        return found

    connection.read = read_and_be_overtaken
    assert not a.after(0)  # b wrote between the two requests of a
    assert b.elector.is_leader
    assert api.spec["holderIdentity"] == "b"


def test_giving_it_up_has_the_next_one_hold_it_at_once(two, api):
    a, b = two
    a.after(0)
    b.after(0)
    a.elector.release()
    assert api.spec["holderIdentity"] == ""
    assert not a.elector.is_leader
    assert b.after(4)
    a.elector.release()  # which is not its own
    assert api.spec["holderIdentity"] == "b"


@pytest.mark.parametrize(
    "spec",
    [
        {"holderIdentity": "x", "leaseDurationSeconds": 10**9},
        {"holderIdentity": "x", "leaseDurationSeconds": -5},
        {"holderIdentity": "x", "leaseDurationSeconds": "15"},
        {"holderIdentity": "x", "renewTime": "9999-12-31T00:00:00Z", "leaseTransitions": 2**31 - 1},
        {"holderIdentity": "x", "leaseTransitions": "many"},
    ],
)
def test_whatever_stands_in_it_it_is_ours_after_a_while(connection, api, spec):
    api._store({"metadata": {"name": "p"}, "spec": spec})
    a = Replica(connection, "a")
    assert not a.after(0)
    assert a.after(lease.LONGEST)
    assert api.spec["leaseTransitions"] >= 1


@pytest.mark.parametrize("spec", [None, [], {}, {"holderIdentity": None}, {"holderIdentity": ""}])
def test_an_empty_one_is_free(connection, api, spec):
    api._store({"metadata": {"name": "p"}, "spec": spec})
    assert Replica(connection, "a").after(0)


class TestWhereThereIsNone:
    @pytest.fixture
    def api(self):
        return LeaseApi(exists=False)

    def test_it_is_made_where_we_may(self, connection, api):
        assert Replica(connection, "a").after(0)
        assert api.written[0][:2] == ("POST", COLLECTION)

    def test_and_else_it_is_said_who_must_make_it(self, connection, api):
        api.always = [lambda path, _: status(403, "no") if path == COLLECTION else None]
        a = Replica(connection, "a")
        assert not a.after(0)
        assert "RBAC must grant get and update on Lease ns/p, which must exist" in a.problems[0]

    def test_a_namespace_that_is_not_there(self, connection, api):
        api.always = [lambda path, _: status(404) if path == COLLECTION else None]
        a = Replica(connection, "a")
        assert not a.after(0)
        assert a.problems == ["Lease ns/p cannot be created: is there a namespace ns?"]
