"""Lists and discovery: every object once, even if the list expires."""

import pytest
from api_standin import CUT, ApiStandin, Reply, kubeconfig, standin, status, token_after

from gpu_admission.cluster import lists
from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.discovery import ServedKind, discover
from gpu_admission.cluster.errors import ForbiddenError, NotServedError, ServerError

pytest.importorskip("kubernetes")
POD = ServedKind("", "v1", "pods", "Pod", namespaced=True)


def pod(number, namespace="a", **metadata):
    return {"metadata": {"name": f"p{number:04}", "namespace": namespace, **metadata}, "spec": {}}


@pytest.fixture
def api():
    api = ApiStandin()
    api.lists[POD.path()] += [pod(number, namespace) for number in range(50) for namespace in "cab"]
    return api


@pytest.fixture
def connection(api, tmp_path):
    with standin(api) as url:
        found = connect(ConnectOptions(kubeconfig=kubeconfig(tmp_path, url)))
        found._sleep = lambda _: None
        yield found
        found.close()


def names(connection, limit=20):
    found = [
        lists.decode(item, POD) for page in lists.pages(connection, POD.path(), limit=limit) for item in page.items
    ]
    return [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]


EVERYTHING = [(namespace, f"p{number:04}") for namespace in "abc" for number in range(50)]


def test_every_object_once_with_its_type(connection, api):
    assert names(connection) == EVERYTHING
    assert [query.get("limit") for _, query in api.requests] == ["20"] * 8
    first = next(lists.objects(connection, POD, "b"))
    assert (first["apiVersion"], first["kind"], first["metadata"]["namespace"]) == ("v1", "Pod", "b")


def on_page(number, answer):
    """Answer the request for a page (from 0) in another way, once."""
    seen = []

    def fault(path, query):
        seen.append(path)
        return answer if len(seen) == number + 1 else None

    return fault


@pytest.mark.parametrize("page", range(1, 8))
def test_a_token_that_expired_goes_on_with_the_one_that_comes_with_the_answer(connection, api, page):
    last = EVERYTHING[page * 20 - 1]
    token = token_after({"metadata": {"namespace": last[0], "name": last[1]}})
    api.faults = [on_page(page, status(410, "expired", **{"continue": token}))]
    assert names(connection) == EVERYTHING


@pytest.mark.parametrize("page", range(8))
@pytest.mark.parametrize("limit", [7, 20, 200])
def test_a_list_that_begins_anew_counts_nothing_twice_and_loses_nothing(connection, api, page, limit):
    api.faults = [on_page(page, status(410, "too old resource version"))]
    assert names(connection, limit) == EVERYTHING


def test_what_changes_meanwhile_is_seen_at_most_once(connection, api):
    def expire(path, query):
        if "continue" not in query or len(api.requests) < 4:
            return None
        listed = api.lists[POD.path()]
        listed[:] = [each for each in listed if each["metadata"]["name"] != "p0003"]
        listed += [pod(3, "a", uid="new"), pod(9000, "c"), pod(1, "0")]
        return status(410)

    api.faults = [expire]
    found = names(connection)
    assert len(found) == len(set(found))
    assert set(found) >= set(EVERYTHING) - {(namespace, "p0003") for namespace in "bc"}
    assert ("c", "p9000") in found


def test_a_list_that_always_expires_ends(connection, api):
    api.always = [lambda path, query: status(410) if "continue" in query else None]
    with pytest.raises(ServerError, match="expires before it is read"):
        names(connection)


def test_a_list_without_order_is_not_resumed(connection, api, monkeypatch):
    monkeypatch.setattr("api_standin._key", lambda obj: (obj["metadata"]["name"][::-1], obj["metadata"]["namespace"]))
    api.faults = [on_page(2, status(410))]
    with pytest.raises(ServerError, match="in no order"):
        names(connection)


@pytest.mark.parametrize("answer", [CUT, status(503), status(429), Reply(200, b'{"items": [{"meta'), Reply(200, b"")])
def test_a_page_that_fails_is_asked_for_again(connection, api, answer):
    api.faults = [on_page(page, answer) for page in (0, 1, 2)]
    assert names(connection) == EVERYTHING


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "not a list of objects"),
        (b"[]", "not a list of objects"),
        (b'{"items": {}}', "not a list of objects"),
        (b'{"items": [], "metadata": {"continue": 7}}', "not a list of objects"),
        (b"[" * 100_000, "not a list of objects"),
        (b'{"items": [7]}', "not an object"),
        (b'{"items": [{"metadata": {"name": 7}}]}', "not an object"),
    ],
)
def test_an_answer_that_is_no_list(connection, api, body, text):
    api.always = [lambda *_: Reply(200, body)]
    with pytest.raises(ServerError, match=text):
        names(connection)


@pytest.mark.parametrize("items", [None, []])
def test_an_empty_list(connection, api, items):
    api.always = [lambda *_: Reply(200, {"items": items, "metadata": {}})]
    assert names(connection) == []


def test_large_objects_make_small_pages(connection, api):
    for each in api.lists[POD.path()]:
        each["metadata"]["annotations"] = {"a": "x" * 400_000}
    sizes = [len(page.items) for page in lists.pages(connection, POD.path(), limit=30)]
    assert sum(sizes) == 150
    assert sizes[0] == 30
    assert max(sizes[1:]) <= 10


@pytest.mark.parametrize(("code", "error"), [(403, ForbiddenError), (404, NotServedError), (500, ServerError)])
def test_what_cannot_be_listed_says_so(connection, api, code, error):
    api.always = [lambda *_: status(code)]
    with pytest.raises(error, match=POD.path()):
        names(connection)


@pytest.mark.parametrize("aggregated", [True, False])
def test_what_is_served(connection, api, aggregated):
    api.aggregated = aggregated
    api.serve("apps", "v1", "deployments", "Deployment")
    api.serve("ray.io", "v1", "rayclusters", "RayCluster")
    api.serve("ray.io", "v1alpha1", "rayclusters", "RayCluster")
    found = discover(connection)
    assert found.problems == ()
    assert found.kinds["", "Pod"] == POD
    assert found.kinds["", "Namespace"].path("x") == "/api/v1/namespaces"
    assert found.kinds["apps", "Deployment"].path("x") == "/apis/apps/v1/namespaces/x/deployments"
    assert found.kinds["ray.io", "RayCluster"].api_version == "ray.io/v1"


def test_a_group_that_does_not_answer_is_named_and_the_rest_is_found(connection, api):
    api.aggregated = False
    api.serve("apps", "v1", "deployments", "Deployment")
    api.serve("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
    api.always = [lambda path, _: status(503, "unavailable") if path == "/apis/metrics.k8s.io/v1beta1" else None]
    found = discover(connection)
    assert ("apps", "Deployment") in found.kinds
    assert ["metrics.k8s.io" in line for line in found.problems] == [True]


def test_a_stale_group_of_aggregated_discovery_is_named(connection, api):
    item = {"metadata": {"name": "m.io"}, "versions": [{"version": "v1", "freshness": "Stale", "resources": None}]}
    listed = api._discovery("/apis")
    listed["items"] = [item, None, {"metadata": 5, "versions": [7, {"resources": [{"verbs": None}]}]}]
    api.always = [lambda path, _: Reply(200, listed) if path == "/apis" else None]
    assert "m.io/v1: its API server does not answer" in discover(connection).problems[0]


def test_something_else_answers(connection, api):
    api.always = [lambda *_: Reply(200, {"hello": "world"})]
    with pytest.raises(ServerError, match="is it a Kubernetes API server"):
        discover(connection)
