"""``gpu-admission serve``, as processes: its own certificate, its rotation, the keeper, and clear refusals."""

import base64
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_kubernetes import ADMISSION, FakeKubernetes, served
from serve_process import Served, UnderGunicorn, argv, environment, run
from webhook_server import Clients, pair, review, until

from gpu_admission.commands import cert_sidecar
from gpu_admission.commands.parent_watch import ParentWatch
from gpu_admission.pki.rotator import run as run_maintainer
from gpu_admission.pki.trust_status import Event
from gpu_admission.webhook.sidecar import SupervisedProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(Served(tmp_path, *arguments, **more))


class TestTheEmbeddedDefault:
    def test_needs_nothing_but_a_policy(self, start, tmp_path):
        server = start("-p", "default", env={"XDG_STATE_HOME": str(tmp_path)})
        state = tmp_path / "gpu-admission"
        assert str(state / "ca.crt") in server.log
        assert (state / "tls.key").stat().st_mode & 0o777 == 0o600
        server.ca = state / "ca.crt"
        assert server.get("/readyz")[0] == 200
        answer = json.loads(server.post("/validate", review(uid="u-7"))[2])
        assert (answer["response"]["uid"], answer["response"]["allowed"]) == ("u-7", True)
        assert server.keepers() == []

    def test_state_directory_and_names(self, start, tmp_path):
        state = tmp_path / "own"
        arguments = ("--service", "gate", "--namespace", "infra", "--san", "gate.example.com", "--san", "127.0.0.2")
        server = start(*arguments, env={"GPU_ADMISSION_STATE": str(state)}, ca=state / "ca.crt")
        for name in ("gate.infra.svc", "gate.example.com", "127.0.0.2", "localhost"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
                server.context().wrap_socket(sock, server_hostname=name).close()

    def test_a_second_start_keeps_the_authority(self, start, tmp_path):
        state = tmp_path / "state"
        start("--self-signed", state).stop()
        first = (state / "ca.crt").read_bytes(), (state / "tls.crt").read_bytes()
        start("--self-signed", state, ca=state / "ca.crt")
        assert first == ((state / "ca.crt").read_bytes(), (state / "tls.crt").read_bytes())

    def test_flags_win_over_the_environment(self, start):
        one, two = {"GPU_ADMISSION_WORKERS": "1"}, ("--http", "--workers", "2")
        server = start("--http", env=one)
        until(lambda: len(server.workers()) == 1, 10)
        second = start(*two, env=one)
        until(lambda: len(second.workers()) == 2, 10)


def test_rotation_under_new_connections_fails_no_handshake(start, tmp_path):
    state = tmp_path / "state"
    server = start("--self-signed", state, ca=state / "ca.crt")
    with Handshakes(server) as clients:
        clients.wait(20)
        for arguments in ([], ["--ca"], []):
            before = (state / "tls.crt").read_text()
            done = run("certs", "rotate", *arguments, "--dir", state)
            assert done.returncode == 0, done.stderr
            assert (state / "tls.crt").read_text() != before
            until(lambda: only_serves(server, state), 15, server)
            clients.wait(20)
    assert clients.failed == []
    assert server.log.count('"message":"certificate refused"') == 0
    assert (state / "ca.crt").read_text().count("BEGIN CERTIFICATE") == 2


def only_serves(server, state):
    """Whether ten connections in a row, over all workers, see the certificate on disk."""
    expected = ssl.PEM_cert_to_DER_cert(
        (state / "tls.crt").read_text().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    )
    for _ in range(10):
        with contextlib.closing(server.connect()) as sock:
            if sock.getpeercert(binary_form=True) != expected:
                return False
    return True


class Handshakes(Clients):
    """Clients that make a new connection for each request and trust what ca.crt holds at that moment."""

    def __init__(self, server, clients=3):
        self.made, self.failed = 0, []
        self._server = server
        super().__init__(clients)

    def wait(self, more):
        target = self.made + more
        until(lambda: self.made >= target, 30, self._server)

    def _run(self):
        while not self._stop.is_set():
            try:
                status = self._server.post()[0]
                if status != 200:
                    self.failed.append(status)
            except OSError as error:
                self.failed.append(repr(error))
            self.made += 1
            time.sleep(0.01)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "output"),
        [
            (["--bind", "nowhere"], "bind: 'nowhere' is not HOST:PORT"),
            (["--bind", "192.0.2.1:8443"], "bind: 192.0.2.1:8443: "),
            (["--bind", "127.0.0.1:0", "--tls-cert", "/no/such.crt", "--tls-key", "k"], "tls-cert: /no/such.crt: there is no such file"),
            (["--bind", "127.0.0.1:0", "--tls-cert", "x"], "must be given together"),
            (["--http", "--self-signed", "x"], "mutually exclusive"),
            (["--secret", "x"], "secret: 'x' is not NAMESPACE/NAME"),
            (["--secret", "a/b/c"], "secret: 'a/b/c' is not NAMESPACE/NAME"),
            (["--http", "--webhook-configuration", "x"], "webhook-configuration cannot be combined with http"),
            (["--bind", "127.0.0.1:0", "--tls-cert", "/", "--tls-key", "k"], "tls-cert: /: there is no such file"),
            (["--bind", "no.such.host.invalid:8443"], "bind: no.such.host.invalid:8443: there is no such host"),
            (["--workers", "0"], "workers: must be greater than 0, got 0"),
            (["--lame-duck", "nan"], "lame-duck: must be a finite number, got nan"),
        ],
    )  # fmt: skip
    def test_of_settings(self, arguments, output):
        done = run("serve", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("gpu-admission serve: ")
        assert output in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_of_a_busy_port(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            for flags in (["--bind", where], ["--bind", "127.0.0.1:0", "--health-bind", where]):
                done = run("serve", *flags, "--self-signed", tmp_path / "s")
                assert done.returncode == 2
                assert f"{where}: address already in use" in done.stderr
                assert len(done.stderr.splitlines()) == 1

    def test_of_one_port_for_two(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = f"127.0.0.1:{free.getsockname()[1]}"
        done = run("serve", "--http", "--bind", where, "--health-bind", where)
        assert done.returncode == 2
        assert done.stderr == f"gpu-admission serve: health-bind: {where}: address already in use\n"

    def test_of_what_is_no_directory(self, tmp_path):
        tmp_path.joinpath("file").write_text("")
        done = run("serve", "--bind", "127.0.0.1:0", "--self-signed", tmp_path / "file" / "x")
        assert done.returncode == 2
        assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == ["no certificate"]
        assert str(tmp_path / "file") in done.stderr

    def test_of_a_directory_that_it_may_not_write(self, tmp_path):
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        tmp_path.joinpath("d").mkdir(mode=0o500)
        done = run("serve", "--bind", "127.0.0.1:0", "--self-signed", tmp_path / "d")
        assert (done.returncode, "permission denied" in done.stderr) == (2, True)

    def test_of_somebody_elses_certificate(self, tmp_path):
        pair(tmp_path)
        before = (tmp_path / "tls.crt").read_bytes()
        done = run("serve", "--bind", "127.0.0.1:0", "--self-signed", tmp_path)
        assert done.returncode == 2
        assert str(tmp_path) in done.stderr
        assert "Traceback" not in done.stderr
        assert (tmp_path / "tls.crt").read_bytes() == before

    def test_of_a_name_that_is_none(self, tmp_path):
        done = run("serve", "--bind", "127.0.0.1:0", "--self-signed", tmp_path / "s", "--san", "no name")
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert "neither a DNS name nor an IP address" in done.stderr


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ({"SECRET": "no-namespace"}, "gpu-admission: secret: 'no-namespace' is not NAMESPACE/NAME"),
        (
            {"HTTP": "1", "WEBHOOK_CONFIGURATION": "gpu-admission"},
            "gpu-admission: webhook-configuration cannot be combined with http",
        ),
        ({"WORKERS": "many"}, "gpu-admission: GPU_ADMISSION_WORKERS: 'many' is not a number"),
        ({"HTTP": "1", "POLICY": "/no/such/policy.yaml"}, "nothing to serve"),
    ],
)
def test_gunicorns_own_command_refuses_in_one_line_too(settings, output):
    given = {f"GPU_ADMISSION_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        UnderGunicorn.COMMAND,
        env=environment(**given), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert output in done.stderr + done.stdout


def test_a_server_that_cannot_begin_leaves_nothing_in_memory():
    """Somebody may take the port between our look and gunicorn's, which then gives up without another word to us."""
    code = (
        "import os, sys; from gpu_admission.webhook.server import server, settings\n"
        "class Broken:\n"
        "    def __init__(self, app): print(os.path.isdir(os.environ['PROMETHEUS_MULTIPROC_DIR']))\n"
        "    def run(self): sys.exit(3)\n"
        "server.Arbiter = Broken\n"
        "print(server.serve(settings.ServerSettings(http=True)), os.path.isdir(os.environ['PROMETHEUS_MULTIPROC_DIR']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "3", "False"]


@pytest.fixture
def cluster(tmp_path):
    """A small API server, and the kubeconfig that leads to it."""
    pytest.importorskip("kubernetes")
    fake = FakeKubernetes()
    with served(fake) as url:
        config = tmp_path / "kubeconfig"
        config.write_text(
            f'apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: "{url}"}}}}]\n'
            "users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
        )
        fake.env = {"KUBECONFIG": str(config)}
        yield fake


class TestTheKeeper:
    WORDS = ("--secret", "gpu-admission/gpu-admission-tls", "--webhook-configuration", "gpu-admission")

    @pytest.fixture
    def with_secret(self, cluster):
        cluster.secret = cluster.add_secret("gpu-admission", "gpu-admission-tls")
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            cluster.add_webhooks(kind, "gpu-admission", [None, None])
        return cluster

    def bundle(self, cluster):
        found = cluster.objects[f"{ADMISSION}/validatingwebhookconfigurations/gpu-admission"]
        return [webhook["clientConfig"].get("caBundle") for webhook in found["webhooks"]]

    def test_replicas_serve_one_secret_and_publish_it(self, with_secret, start, tmp_path):
        first = start(*self.WORDS, env=with_secret.env)
        log = first.log
        second = start(*self.WORDS, env=with_secret.env)
        data = with_secret.objects[with_secret.secret]["data"]
        until(lambda: self.bundle(with_secret) == [data["ca.crt"]] * 2, 10, second)

        (tmp_path / "ca.crt").write_bytes(base64.b64decode(data["ca.crt"]))
        for server in (first, second):
            server.ca = tmp_path / "ca.crt"
            assert server.post()[0] == 200
            until(lambda server=server: len(server.workers()) == 2, 10, server)
        assert "PRIVATE" not in log + second.log

    def test_is_started_again_and_ends_with_the_server(self, with_secret, start):
        server = start(*self.WORDS, env=with_secret.env)
        (victim,) = server.keepers()
        os.kill(victim, signal.SIGKILL)
        (again,) = until(lambda: [pid for pid in server.keepers() if pid != victim] or None, 20, server)
        folder = argv(again).split("\0")[argv(again).split("\0").index("--directory") + 1]
        assert sorted(name for name in os.listdir(folder) if not name.startswith(".")) == [
            "ca.crt", "published.json", "tls.crt", "tls.key",
        ]  # fmt: skip
        assert server.stop() == 0
        until(lambda: not argv(again), 10)
        assert not os.path.exists(folder)

    def test_outlives_workers(self, with_secret, start):
        """Workers are forks: whatever cleans up at the server's end must not run at theirs."""
        server = start(*self.WORDS, env=with_secret.env)
        kept, old = server.keepers(), set(server.workers())
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(server.workers()) == 2 and not old & set(server.workers()), 20, server)
        os.kill(server.workers()[0], signal.SIGTERM)
        until(lambda: len(server.workers()) == 2, 20, server)
        assert server.keepers() == kept
        assert "certificate refused" not in server.log
        assert server.log.count("took over the serving certificate") == 1

    def test_follows_a_server_that_was_killed(self, with_secret, start):
        server = start(*self.WORDS, env=with_secret.env)
        (pid,) = server.keepers()
        folder = Path(argv(pid).split("\0")[argv(pid).split("\0").index("--directory") + 1])
        assert (folder / "tls.key").exists()
        server.stop(signal.SIGKILL)
        until(lambda: not argv(pid), 20)
        assert not folder.exists()  # there was a key in it

    def test_without_its_secret_the_server_waits_unready(self, cluster, tmp_path):
        with Served(tmp_path, *self.WORDS, env=cluster.env, wait=False) as server:
            until(lambda: server.get("/healthz", health=True)[0] == 200, 40, server)
            assert server.get("/readyz", health=True)[0] == 503
            assert "create it empty first" in server.log
            assert "Traceback" not in server.log
            cluster.add_secret("gpu-admission", "gpu-admission-tls")
            until(lambda: server.get("/readyz", health=True)[0] == 200, 60, server)

    def test_a_bundle_that_does_not_verify_makes_unready(self, cluster, start, tmp_path):

        cert, key = pair(tmp_path)
        other, _ = pair(tmp_path, "other")
        path = cluster.add_webhooks(
            "ValidatingWebhookConfiguration", "gpu-admission", [base64.b64encode(Path(other).read_bytes()).decode()]
        )
        arguments = ("--tls-cert", cert, "--tls-key", key, "--webhook-configuration", "gpu-admission")
        server = start(*arguments, env=cluster.env, wait=False)
        reasons = until(lambda: "not verify" in server.get("/readyz", health=True)[2].decode(), 30, server)
        assert reasons
        assert ("PUT", path) not in cluster.requests  # what is not ours is only looked at
        # Not being able to look is no reason: the answer grows old, or is about another certificate.
        cluster.refuse[("GET", path)] = 403
        pair(tmp_path)
        until(lambda: server.get("/readyz", health=True)[0] == 200, 15, server)

    def test_an_own_directory_is_published_too(self, with_secret, start, tmp_path):
        state = tmp_path / "state"
        arguments = ("--self-signed", state, "--webhook-configuration", "gpu-admission")
        server = start(*arguments, env=with_secret.env, ca=state / "ca.crt")

        expected = base64.b64encode((state / "ca.crt").read_bytes()).decode()
        until(lambda: self.bundle(with_secret) == [expected] * 2, 20, server)
        assert server.post()[0] == 200

    def test_under_gunicorns_own_command(self, with_secret, tmp_path):
        """No setting is passed over there: the Secret's certificate is served, published, and kept."""
        given = {
            "GPU_ADMISSION_SECRET": "gpu-admission/gpu-admission-tls",
            "GPU_ADMISSION_WEBHOOK_CONFIGURATION": "gpu-admission",
        }
        with UnderGunicorn(tmp_path, with_secret.env | given) as server:
            data = with_secret.objects[with_secret.secret]["data"]
            until(lambda: self.bundle(with_secret) == [data["ca.crt"]] * 2, 10, server)
            server.ca = tmp_path / "ca.crt"
            server.ca.write_bytes(base64.b64decode(data["ca.crt"]))
            assert server.post()[0] == 200
            (kept,) = server.keepers()
            old = set(server.workers())
            server.process.send_signal(signal.SIGHUP)
            until(lambda: len(server.workers()) == 2 and not old & set(server.workers()), 20, server)
            assert server.keepers() == [kept]
            folder = argv(kept).split("\0")[argv(kept).split("\0").index("--directory") + 1]
            assert os.path.exists(folder)
            assert server.post()[0] == 200
            assert server.stop() == 0
            until(lambda: not argv(kept), 10)
            assert not os.path.exists(folder)
            assert "Traceback" not in server.log

    def test_says_what_is_wrong_and_ends(self, tmp_path, capfd, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        arguments = ["--parent", str(os.getppid()), "--directory", str(tmp_path), "--service", "s", "--namespace", "n"]
        before = {sig: signal.getsignal(sig) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            assert cert_sidecar.main([*arguments, "--secret", "a/b"]) == 1
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
        assert "no cluster to talk to" in capfd.readouterr().err


class TestAChild:
    def test_pauses_grow_while_it_crashes(self):
        child = SupervisedProcess([sys.executable, "-c", ""])
        assert child.watch(0.0)
        starts, now = [], 0.0
        while now < 200:
            until(lambda: not child.running, 10)
            now += 1
            if child.watch(now):
                starts.append(now)
        pauses = [later - sooner for sooner, later in itertools.pairwise(starts)]
        assert pauses == sorted(pauses)
        assert max(pauses) > 30

    def test_one_that_does_not_listen_is_killed(self, monkeypatch, tmp_path):
        monkeypatch.setattr("gpu_admission.webhook.sidecar.STOP_TIMEOUT", 0.2)
        output = tmp_path / "said"
        code = (
            f"import signal,time; signal.signal(15, signal.SIG_IGN); open({str(output)!r}, 'w').close(); time.sleep(60)"
        )
        child = SupervisedProcess([sys.executable, "-c", code])
        child.watch(0.0)
        until(output.exists, 10)
        child.stop()
        assert not child.running
        assert not child.watch(1e9)  # for good


def test_after_a_failure_it_looks_again_sooner():
    waits = []

    class Stop:
        def wait(self, seconds):
            waits.append(seconds)
            return len(waits) == 12

    outcomes = iter([[Event("x", failed=True)]] * 8 + [[]] + [[Event("x", failed=True)]] + [[Event("done")]] * 2)

    class Settles:
        def reconcile(self, _):
            return next(outcomes)

        def has_news(self):
            return False

    run_maintainer(Settles(), Stop(), lambda: None, lambda _: None, look=60.0)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 60, 60]


def test_the_parent_watch():
    assert ParentWatch(os.getppid()).wait(0.01) is False
    assert ParentWatch(-1).wait(60) is True
    watch = ParentWatch(os.getppid())
    watch.set()
    assert watch.wait() is True
