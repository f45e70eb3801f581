import pytest
from api_standin import ApiStandin, kubeconfig, standin

from gpu_admission.cluster.connect import ConnectOptions, connect

pytest.importorskip("kubernetes")


@pytest.fixture
def api():
    """A cluster with the kinds that most tests need, and nothing in it."""
    api = ApiStandin()
    for group, version, plural, kind in (
        ("apps", "v1", "deployments", "Deployment"),
        ("apps", "v1", "replicasets", "ReplicaSet"),
        ("apps", "v1", "statefulsets", "StatefulSet"),
        ("batch", "v1", "jobs", "Job"),
        ("batch", "v1", "cronjobs", "CronJob"),
    ):
        api.serve(group, version, plural, kind)
    api.serve("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
    return api


@pytest.fixture
def config(api, tmp_path):
    """The path of a kubeconfig that leads to it."""
    with standin(api) as url:
        yield kubeconfig(tmp_path, url)


@pytest.fixture
def connection(config):
    found = connect(ConnectOptions(kubeconfig=config))
    found._sleep = lambda _: None
    yield found
    found.close()
