import pytest
from fake_kubernetes import FakeKubernetes, served

from gpu_admission.cluster.api import KubernetesApi


@pytest.fixture
def fake():
    return FakeKubernetes()


@pytest.fixture
def api(fake):
    client = pytest.importorskip("kubernetes.client")
    with served(fake) as url:
        configuration = client.Configuration(host=url)
        configuration.retries = False
        with client.ApiClient(configuration) as connection:
            yield KubernetesApi(connection)
