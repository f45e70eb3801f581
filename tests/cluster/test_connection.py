"""How requests survive what API servers do, and the errors where they do not."""

import pytest
from api_standin import CUT, ApiStandin, Reply, kubeconfig, standin, status

from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.errors import (
    ConnectError,
    CredentialsError,
    ExpiredError,
    ForbiddenError,
    NotServedError,
    ServerError,
)

pytest.importorskip("kubernetes")
PODS = "/api/v1/pods"


@pytest.fixture
def api():
    return ApiStandin()


@pytest.fixture
def url(api):
    with standin(api) as url:
        yield url


@pytest.fixture
def connection(url, tmp_path):
    found = connect(ConnectOptions(kubeconfig=kubeconfig(tmp_path, url, namespace="team")))
    found.waits = []
    found._sleep = found.waits.append
    yield found
    found.close()


def test_the_namespace_and_the_token_of_the_context(connection, api):
    assert connection.namespace == "team"
    assert connection.read(PODS)["items"] == []
    assert api.headers[-1]["Authorization"] == "Bearer right"


def test_asked_to_wait_it_waits_as_long_as_it_is_told(connection, api):
    api.faults = [lambda *_: status(429)._replace(headers={"Retry-After": "7"})] * 8  # more than any fault is tried
    notes = []
    connection.on_wait = notes.append
    assert connection.read(PODS)["items"] == []
    assert connection.waits == [7.0] * 8
    assert "trying again in 7 s" in notes[0]


@pytest.mark.parametrize("after", ["0", "-1", "soon", "", "9" * 30, "١"])
def test_a_retry_after_that_makes_no_sense_is_a_second(connection, api, after):
    headers = {"Retry-After": after} if after.isascii() else {}
    api.faults = [lambda *_: status(429)._replace(headers=headers)]
    assert connection.read(PODS)["items"] == []
    assert connection.waits == [1.0]


def test_a_server_that_throttles_for_ever_is_given_up_on(connection, api):
    api.always = [lambda *_: status(429)._replace(headers={"Retry-After": "100000"})]
    with pytest.raises(ServerError, match="keeps throttling"):
        connection.read(PODS)
    assert connection.waits == [60.0] * 3  # never longer at once, and no more than three minutes


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_failure_that_passes_is_never_seen(connection, api, code):
    api.faults = [lambda *_: status(code)] * 4
    assert connection.read(PODS)["items"] == []
    assert connection.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_failure_that_stays_is_named_with_the_servers_own_words(connection, api):
    api.always = [lambda *_: status(500, "etcdserver: no leader\nsecond line")]
    with pytest.raises(ServerError, match="/api/v1/pods: the API server responded 500: etcdserver: no leader second"):
        connection.read(PODS)
    assert len(api.requests) == 5


def test_a_connection_cut_in_the_middle_is_asked_again(connection, api):
    api.faults = [lambda *_: CUT] * 4
    assert connection.read(PODS)["items"] == []


def test_a_connection_that_is_always_cut_ends_in_an_error(connection, api):
    api.always = [lambda *_: CUT]
    with pytest.raises(ServerError, match="the connection to the API server broke"):
        connection.read(PODS)
    assert len(api.requests) == 5


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (401, CredentialsError, "credentials are not accepted .* log in again"),
        (403, ForbiddenError, "RBAC does not allow to read it: pods is forbidden"),
        (404, NotServedError, "does not exist"),
        (301, ConnectError, "redirect"),
        (418, ServerError, "responded 418"),
    ],
)
def test_what_no_other_try_would_mend_is_said_at_once(connection, api, code, error, text):
    api.always = [lambda *_: status(code, "pods is forbidden")._replace(headers={"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(error, match=text) as caught:
        connection.get(PODS)
    assert len(api.requests) == 1
    assert "\n" not in str(caught.value)


def test_an_expired_list_brings_the_token_that_goes_on(connection, api):
    api.faults = [lambda *_: Reply(410, {"metadata": {"continue": "abc"}}), lambda *_: Reply(410, b"\xff not JSON")]
    with pytest.raises(ExpiredError) as caught:
        connection.get(PODS)
    assert caught.value.token == "abc"
    with pytest.raises(ExpiredError) as caught:
        connection.get(PODS)
    assert caught.value.token == ""


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[]", b"", b"null", b'{"a":', b"\xff"])
def test_an_answer_that_is_no_object(connection, api, body):
    api.always = [lambda *_: Reply(200, body)]
    with pytest.raises(ServerError, match="is not a Kubernetes object"):
        connection.read(PODS)


def test_who_we_act_as(url, api, tmp_path):
    path = kubeconfig(tmp_path, url, user={"token": "t", "as": "from-kubeconfig", "as-groups": ["a", "b"]})
    with_flags = ConnectOptions(kubeconfig=path, as_user="jane", as_groups=("x", "y, z"))
    for options in (ConnectOptions(kubeconfig=path), with_flags, ConnectOptions(kubeconfig=path, as_user="jane")):
        connect(options).get(PODS)
    first, second, third = api.headers
    assert (first["Impersonate-User"], first.get_all("Impersonate-Group")) == ("from-kubeconfig", ["a", "b"])
    assert (second["Impersonate-User"], second.get_all("Impersonate-Group")) == ("jane", ["x", "y, z"])
    assert (third["Impersonate-User"], third.get_all("Impersonate-Group")) == ("jane", None)


def test_what_is_written_is_sent_as_json(connection, api):
    connection.write("POST", "/apis/x/v1/things", {"a": 1}, query={"fieldManager": "m"})
    assert api.written == [("POST", "/apis/x/v1/things", {"fieldManager": "m"}, {"a": 1})]


def test_nobody_listens():
    from kubernetes import client

    from gpu_admission.cluster.connection import Connection

    slept = []
    api_client = client.ApiClient(client.Configuration(host="http://127.0.0.1:9"))
    with pytest.raises(ConnectError, match=r"http://127\.0\.0\.1:9 cannot be reached .*: check the context"):
        Connection(api_client, sleep=slept.append).get(PODS)
    assert slept == []
