"""How a cluster is reached: kubeconfig, the pod's service account, and answers that make no sense."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from fake_kubernetes import FakeKubernetes, served

from gpu_admission.cluster.api import connect
from gpu_admission.commands.cert_sidecar import ServerClock
from gpu_admission.pki.errors import StoreError

incluster = pytest.importorskip("kubernetes.config.incluster_config")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A fake cluster and a kubeconfig that leads to it; yields the fake."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    fake = FakeKubernetes()
    fake.add_secret("ns", "certs")
    with served(fake) as url:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "from-kubeconfig"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        fake.url = url
        yield fake


def test_a_context_of_kubeconfig_and_its_token(cluster):
    assert connect("here").get("Secret", "certs", "ns")["metadata"]["name"] == "certs"
    assert cluster.tokens == {"Bearer from-kubeconfig"}


def test_a_context_that_is_not_there(cluster):
    with pytest.raises(StoreError, match="no cluster to talk to"):
        connect("elsewhere")


def test_a_pod_uses_its_service_account_and_reads_the_token_anew(cluster, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("not used over http")
    host, port = cluster.url.removeprefix("http://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(incluster, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    loader = incluster.InClusterConfigLoader(str(tmp_path / "token"), str(tmp_path / "ca.crt"))
    monkeypatch.setattr(incluster, "InClusterConfigLoader", lambda **kwargs: loader)
    api = connect()
    configuration = api._api_client.configuration
    assert configuration.host == f"https://{host}:{port}"
    assert configuration.auth_settings()["BearerToken"]["value"].lower() == "bearer first"
    (tmp_path / "token").write_text("second")
    loader.token_expires_at = datetime(2000, 1, 1)  # noqa: DTZ001 - as the client keeps it
    assert configuration.auth_settings()["BearerToken"]["value"].lower() == "bearer second"


@pytest.mark.parametrize("answer", [[], {}, {"metadata": None}, {"metadata": {"name": "x"}}, None, "text"])
def test_an_answer_that_is_no_object(cluster, answer, monkeypatch):
    monkeypatch.setattr(cluster, "handle", lambda method, path, body: (200, answer))
    with pytest.raises(StoreError, match="the API server's response is not an object"):
        connect("here").get("Secret", "certs", "ns")


def test_a_name_cannot_lead_to_another_path(cluster):
    with pytest.raises(StoreError):
        connect("here").get("Secret", "../../../other", "ns")
    assert all(path.count("/") == 6 for _, path in cluster.requests)


def test_a_version_costs_the_metadata_only_and_may_come_from_the_cache(cluster, monkeypatch):
    asked = []
    handle = cluster.handle

    def spy(method, path, body):
        asked.append((cluster.query, cluster.accept))
        return handle(method, path, body)

    monkeypatch.setattr(cluster, "handle", spy)
    api = connect("here")
    version = api.version("Secret", "certs", "ns")
    assert version == api.get("Secret", "certs", "ns")["metadata"]["resourceVersion"]
    (query, accept), (full_query, full_accept) = asked
    assert query == "resourceVersion=0"
    assert accept.startswith("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,")
    assert (full_query, full_accept) == ("", "application/json")


@pytest.mark.parametrize("date", ["Tue, 01 Jan 2030 00:00:00 GMT", "Tue, 01 Jan 2030 01:00:00 +0100"])
def test_every_answer_tells_the_time(cluster, date):
    api = connect("here")
    assert api.time() is None
    cluster.date = date
    api.get("Secret", "certs", "ns")
    assert timedelta(0) <= api.time() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(hours=1)
    with pytest.raises(StoreError):
        api.get("Secret", "missing", "ns")
    assert api.time() is not None


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Jan 2030 00:00:00 GMT", "0", "9" * 500])
def test_a_time_that_makes_no_sense_is_passed_over(cluster, date):
    api = connect("here")
    cluster.date = date
    api.get("Secret", "certs", "ns")
    assert api.time() is None


def test_the_clock_of_the_sidecar_is_the_api_servers(cluster):
    told = []

    class Quiet:
        def has_news(self):
            api.version("Secret", "certs", "ns")

    api = connect("here")
    clock = ServerClock(api, Quiet(), told.append)
    clock()
    assert told == []
    cluster.date = "Tue, 01 Jan 2030 00:00:00 GMT"
    assert clock().year == clock().year == 2030
    assert len(told) == 1
    assert "the API server's time is used" in told[0].message


def test_a_sidecar_that_reaches_nobody_uses_its_own_clock(cluster):
    class Quiet:
        def has_news(self):
            return False

    assert abs(ServerClock(connect("here"), Quiet(), print)() - datetime.now(UTC)) < timedelta(minutes=1)
