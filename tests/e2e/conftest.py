"""Fixtures of the tests against a real API server."""

import itertools

import pytest
from e2e.cluster import Cluster, missing


@pytest.fixture(scope="session")
def cluster(request, tmp_path_factory):
    """etcd and kube-apiserver, started once."""
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder) as running:
        yield running
        if request.session.testsfailed:
            print(f"\nthe control plane's logs are in {folder}:\n{running.logs()}")
        running.api.close()


@pytest.fixture(scope="session")
def api(cluster):
    return cluster.api


@pytest.fixture(scope="session")
def scheduling(cluster):
    """The whole control plane, with the scheduler and the controllers."""
    cluster.schedule()
    return cluster


_NUMBERS = itertools.count(1)


@pytest.fixture
def namespace(api):
    """A namespace of the test's own; its deletion would take longer than the test, so it stays."""
    name = f"t{next(_NUMBERS)}"
    made = api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, None)
    assert made.status == 201, made
    return name
