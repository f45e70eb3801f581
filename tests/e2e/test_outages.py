"""Bad days under a real API server with failurePolicy Fail: pods are created without a pause, and none may fail.

Two replicas of ``gpu-admission serve`` share their certificate in a Secret of the real API server and publish its
CA in the real webhook configurations, as deploy/ has it; a small balancer stands in for the Service.
"""

import base64
import contextlib
import hashlib
import os
import signal
import time

import pytest
from e2e.balancer import Balancer
from e2e.creation import Creation
from e2e.webhooks import PROBE, options, pod, registered, settled
from serve_process import Served, run
from webhook_server import replace, until

from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAME = "outages"


class Replica(Served):
    """One that can be stopped and started again on its ports."""

    def __init__(self, folder, policy, env):
        folder.mkdir()
        self._words = ("--policy", policy, "--secret", f"kube-system/{NAME}", "--webhook-configuration", NAME)
        self._env = env
        self._folder = folder
        super().__init__(folder, *self._words, "--lame-duck", "2", env=self._env)

    def start(self):
        super().__init__(
            self._folder, *self._words, "--lame-duck", "2", env=self._env, port=self.port, health_port=self.health_port
        )

    def leaf(self):
        """The fingerprint of what is served to a new connection."""
        with contextlib.closing(self.connect()) as sock:
            return hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()


@pytest.fixture(scope="module")
def installed(cluster, tmp_path_factory):
    """(replicas, policy file) of an installation that works."""
    pytest.importorskip("kubernetes")
    folder = tmp_path_factory.mktemp("outages")
    policy = folder / "policy.yaml"
    policy.write_text(loader.source("default"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}}
    assert cluster.api.create(secret, "kube-system").status == 201
    env = {"KUBECONFIG": str(cluster.kubeconfig)}
    with contextlib.ExitStack() as stack:
        replicas = [stack.enter_context(Replica(folder / name, policy, env)) for name in ("a", "b")]
        balancer = stack.enter_context(Balancer(replicas))
        url = f"https://127.0.0.1:{balancer.port}"
        objects = webhook_configurations.configurations(loader.load("default"), options(NAME, url, b""))
        stack.enter_context(registered(cluster.api, objects))
        settled(lambda: cluster.api.create(pod("probe", PROBE), dryRun="All").status == 201 and published(cluster), 60)
        yield replicas, policy


def published(cluster, count=1):
    """Whether every bundle holds so many CAs."""
    path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{NAME}"
    bundles = [hook["clientConfig"].get("caBundle", "") for hook in cluster.api.get(path).object["webhooks"]]
    return all(base64.b64decode(bundle).count(b"BEGIN CERT") == count for bundle in bundles)


@pytest.fixture
def creating(api, installed, namespace):
    with Creation(api, namespace) as creation:
        creation.wait(50)
        yield creation
        creation.wait(50)
    print(f"{creation.made} made, {len(creation.failed)} failed")  # measured for docs/reliability.md
    assert creation.failed == []
    assert creation.made > 100


@pytest.fixture
def replicas(installed):
    return installed[0]


def test_reloads(creating, replicas):
    for _ in range(2):
        for server in replicas:
            keeper = server.keepers()
            before = set(server.workers())
            server.process.send_signal(signal.SIGHUP)
            until(lambda s=server, b=before: len(s.workers()) == 2 and not b & set(s.workers()), 30, server)
            creating.wait(30)
            assert server.keepers() == keeper


def test_policies_good_and_bad(creating, installed):
    servers, policy = installed
    good = loader.source("default")

    def loaded(server):
        return server.log.count('"message":"policy loaded"')

    def refused(server):
        return server.log.count('"message":"policy refused"')

    before = [(loaded(server), refused(server)) for server in servers]
    replace(policy, (good + "# changed\n").encode())
    for server, (count, _) in zip(servers, before, strict=True):
        until(lambda s=server, c=count: loaded(s) >= c + 3, 20, server)  # the arbiter and both workers
    replace(policy, good.replace("mode: enforce", "mode: enforec").encode())
    creating.wait(20)
    for server, (_, count) in zip(servers, before, strict=True):
        until(lambda s=server, c=count: refused(s) > c, 20, server)  # said once, by the arbiter
    creating.wait(50)
    replace(policy, good.encode())


def test_leaf_and_authority_are_rotated(creating, cluster, replicas):
    place = ("--secret", f"kube-system/{NAME}")
    env = {"KUBECONFIG": str(cluster.kubeconfig)}
    for arguments in ((), ("--ca", "--webhook-configuration", NAME)):
        before = {server.leaf() for server in replicas}
        assert len(before) == 1  # replicas serve one certificate
        done = run("certs", "rotate", *arguments, *place, **env)
        assert done.returncode == 0, done.stderr

        def taken(old=before):
            seen = {server.leaf() for server in replicas for _ in range(6)}
            return len(seen) == 1 and not seen & old

        until(taken, 60)
        creating.wait(30)
    assert published(cluster, 2)


def taken_out_and_put_back(cluster, kind):
    """Take the CA out of a webhook configuration; return after how many seconds it was there again."""
    path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/{NAME}"
    found = cluster.api.get(path).object
    for hook in found["webhooks"]:
        hook["clientConfig"].pop("caBundle", None)
    assert cluster.api.request("PUT", path, found).status == 200
    began = time.monotonic()
    until(lambda: all("caBundle" in one["clientConfig"] for one in cluster.api.get(path).object["webhooks"]), 45)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["mutating", "validating"])
@pytest.mark.usefixtures("installed")
def test_a_bundle_that_is_taken_out_comes_back_long_before_the_minute(cluster, kind):
    for _ in range(3):
        seconds = taken_out_and_put_back(cluster, kind)
        print(f"{kind}: put back after {seconds:.1f} s")  # measured for docs/reliability.md
    settled(lambda: cluster.api.create(pod("probe", PROBE), dryRun="All").status == 201, 30)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_without_an_api_server_it_goes_on_and_does_its_part_afterwards(cluster, replicas, namespace, how):
    before = [(server.workers(), server.keepers(), server.leaf()) for server in replicas]
    with cluster.without_api_server(how):
        for server in replicas:
            for _ in range(20):
                assert server.post()[0] == 200
                assert server.get("/readyz", health=True)[0] == 200
    with Creation(cluster.api, namespace) as creation:
        creation.wait(100)
    assert creation.failed == []
    assert [(server.workers(), server.keepers(), server.leaf()) for server in replicas] == before
    for kind in ("mutating", "validating"):
        print(f"{kind}: put back after {taken_out_and_put_back(cluster, kind):.1f} s")


def test_one_replica_after_the_other_goes_and_comes_back(creating, replicas):
    for server in replicas:
        assert server.stop(signal.SIGTERM, seconds=40) == 0
        creating.wait(30)
        server.start()
        creating.wait(30)


def test_a_keeper_dies(creating, replicas):
    server = replicas[0]
    (victim,) = server.keepers()
    os.kill(victim, signal.SIGKILL)
    until(lambda: [pid for pid in server.keepers() if pid != victim] or None, 30, server)


def test_a_killed_worker_loses_at_most_what_it_had_in_flight(api, installed, namespace):
    server = installed[0][0]
    with Creation(api, namespace, clients=4) as creation:
        creation.wait(50)
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        creation.wait(50)
        until(lambda: len(server.workers()) == 2 and victim not in server.workers(), 20, server)
        creation.wait(100)
    print(f"{creation.made} made, {len(creation.failed)} failed")  # as above
    assert len(creation.failed) <= 4, creation.failed
