"""Fixtures of the tests against a real API server."""

import itertools

import pytest
from e2e import leftovers
from e2e.cluster import Cluster, missing
from e2e.objects import space
from e2e.webhook import Server

STARTED = pytest.StashKey()  # the shared cluster's client, and what was there when it started


@pytest.fixture(scope="session")
def cluster(request, tmp_path_factory):
    """etcd and kube-apiserver, started once."""
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder) as running:
        request.config.stash[STARTED] = running.api, leftovers.objects(running.api)
        yield running
        if request.session.testsfailed:
            print(f"\nthe control plane's logs are in {folder}:\n{running.logs()}")
        running.api.close()


@pytest.fixture(scope="module", autouse=True)
def _restored(request):
    """The shared cluster as it started, for the next file."""
    yield
    if STARTED in request.config.stash:
        leftovers.restore(*request.config.stash[STARTED])


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
    """A namespace of the test's own; its pods go with the test."""
    with space(api, f"t{next(_NUMBERS)}") as name:
        yield name


@pytest.fixture(scope="session")
def server(cluster, tmp_path_factory):
    """Our webhook server, not registered yet."""
    made = Server(tmp_path_factory.mktemp("webhook"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def webhook(api, server):
    """The default policy's webhooks, registered for the tests of one file."""
    with server.registered(api):
        yield server
