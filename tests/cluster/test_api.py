"""How a cluster is reached: kubeconfig, the pod's service account, and answers that make no sense."""

import json
from datetime import datetime

import pytest
from fake_kubernetes import FakeKubernetes, served

from gpu_admission.cluster.api import connect
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
    with pytest.raises(StoreError, match="the API server's answer is no object"):
        connect("here").get("Secret", "certs", "ns")


def test_a_name_cannot_lead_to_another_path(cluster):
    with pytest.raises(StoreError):
        connect("here").get("Secret", "../../../other", "ns")
    assert all(path.count("/") == 6 for _, path in cluster.requests)
