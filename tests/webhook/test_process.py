"""The server as processes: reload, drain, kill, rotation, under load over TLS. Counted is what got lost."""

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from cryptography import x509
from webhook_server import ROOT, Load, Server, pair, read_all, replace, review, until

from gpu_admission.pki.authority import fingerprint
from gpu_admission.pki.trust_status import write_status

pytestmark = pytest.mark.slow


def policy(path, version, **more):
    replace(path, json.dumps({"name": "default", "version": version, **more}).encode())


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Server(tmp_path, **settings))


def test_three_reloads_under_load_lose_nothing(start):
    server = start()
    before = set(server.workers())
    with Load(server) as load:
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
            load.wait(200)
            until(lambda old=before: len(server.workers()) == 2 and not old & set(server.workers()), 20, server)
            before = set(server.workers())
        load.wait(100)
    print(f"{load.answered} answered, {len(load.lost)} lost")  # measured for docs/reliability.md
    assert load.lost == []
    assert server.stop() == 0
    assert all(line["message"] for line in server.lines)


def test_a_term_under_load_answers_what_was_accepted(start):
    server = start(lame_duck=1.0)
    with Load(server) as load:
        load.wait(100)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.get("/readyz", health=True)[0] == 503, 5)
        served = load.answered
        until(lambda: load.answered > served, 5)  # the lame duck still serves
        with contextlib.closing(server.client()) as client:
            client.request("POST", "/validate", review(), {"Content-Type": "application/json"})
            answer = client.getresponse()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            answer.read()
        assert server.process.wait(20) == 0
        load._stop.set()
    refused = [each for each in load.lost if "ConnectionRefused" not in each]
    assert all(line["message"] for line in server.lines)  # JSON to the last line: nothing crashed on the way out
    assert len(refused) <= 4, refused  # each client at most once, when the door closed in its handshake
    assert not any("503" in str(each) or "500" in str(each) for each in refused)


def test_a_killed_worker_costs_what_it_had_in_flight(start):
    server = start()
    with Load(server, clients=4) as load:
        load.wait(100)
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        load.wait(200)
        until(lambda: len(server.workers()) == 2 and victim not in server.workers(), 10, server)
        load.wait(100)
    print(f"{load.answered} answered, {len(load.lost)} lost")  # as above
    assert len(load.lost) <= 4
    assert server.get("/readyz")[0] == 200


def test_rotation_under_load_loses_nothing(start, tmp_path):
    server = start()
    served = set()

    def peer():
        with contextlib.closing(server.connect()) as sock:
            served.add(ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True)))
        return server.folder.joinpath("tls.crt").read_text() in served

    assert peer()
    with Load(server) as load:
        pair(tmp_path)
        load.wait(50)
        # Both workers within seconds: ten connections in a row see nothing but the new one.
        new = server.folder.joinpath("tls.crt").read_text()

        def all_new():
            served.clear()
            for _ in range(10):
                peer()
            return served == {new}

        until(all_new, 15, server)
        # A key that does not belong to it is refused, and the last good pair stays.
        replace(server.folder / "tls.key", server.folder.joinpath("tls.key").read_bytes()[:100])
        until(lambda: "certificate refused" in server.log, 10, server)
        time.sleep(1)  # for the workers to look as well
        assert all_new()
        load.wait(50)
    assert load.lost == []
    assert b"\ngpu_admission_certificate_load_failures_total 1.0\n" in server.get("/metrics")[2]
    assert "PRIVATE" not in server.log


def test_an_expired_certificate_is_not_served_until_a_good_one_comes(tmp_path):
    cert, key = pair(tmp_path, "old", days=0.01, began=24)
    server = Server(tmp_path, tls_cert=cert, tls_key=key, wait=False)
    with server:
        until(lambda: server.get("/readyz", health=True)[0] == 503, 20, server)
        assert b"valid now" in server.get("/readyz", health=True)[2]
        assert server.get("/healthz", health=True)[0] == 200
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_all(sock) == b""  # never plain HTTP instead
        pair(tmp_path, "old")
        until(lambda: answers(server), 20, server)


def answers(server):
    """Whether a review is answered: one worker may have read the new certificate before the other."""
    try:
        return server.post()[0] == 200
    except OSError:
        return False


def test_its_own_certificate(tmp_path):
    folder = tmp_path / "state"
    with Server(tmp_path, tls_cert="", tls_key="", self_signed=str(folder)) as server:
        context = ssl.create_default_context(cafile=folder / "ca.crt")
        for name in ("localhost", "127.0.0.1", "gpu-admission.gpu-admission.svc"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
                context.wrap_socket(sock, server_hostname=name).close()
        assert [line["ca"] for line in server.lines if "ca" in line] == [str(folder / "ca.crt")]
        assert folder.stat().st_mode & 0o777 == 0o700
        # What the process that publishes the CA bundle has seen counts for this very certificate only.
        leaf = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        for answer, status in ((True, 200), (False, 503), (None, 200)):
            write_status(folder, fingerprint(leaf), answer, time.monotonic(), dt.datetime.now(dt.UTC))
            assert server.get("/readyz", health=True)[0] == status


def test_a_state_directory_that_cannot_be(tmp_path):
    tmp_path.joinpath("file").write_text("")
    server = Server(tmp_path, wait=False, tls_cert="", tls_key="", self_signed=str(tmp_path / "file"))
    assert server.process.wait(60) == 2
    assert "no certificate" in server.log
    assert "Traceback" not in server.log


def test_policies_are_replaced_in_every_worker_and_bad_ones_refused(start, tmp_path):
    path = tmp_path / "policy.json"
    policy(path, "1")
    server = start(policy=str(path))
    with Load(server) as load:
        load.wait(50)
        policy(path, "2")

        def only(version):
            load.bodies.clear()
            load.wait(50)
            return all(f"version {version}".encode() in body for body in load.bodies)

        until(lambda: only(2), 15, server)
        # The arbiter looks once a second and has to have seen it too: workers to come are copies of it.
        until(lambda: server.log.count("policy loaded") >= 1 + 1 + 2, 10, server)
        replace(path, b"{ nonsense")
        until(lambda: "policy refused" in server.log, 10, server)
        time.sleep(1)  # for the workers to look as well
        assert only(2)
        # A worker that is born now must not fall back to what the arbiter began with.
        os.kill(server.workers()[0], signal.SIGKILL)
        time.sleep(0.5)
        load.lost.clear()
        until(lambda: len(server.workers()) == 2, 10, server)
        assert only(2)
        policy(path, "3")
        until(lambda: only(3), 15, server)
    assert load.lost == []
    assert b"\ngpu_admission_policy_load_failures_total 1.0\n" in server.get("/metrics")[2]
    assert server.log.count("policy refused") == 1


def test_a_mounted_configmap_is_followed(start, tmp_path):
    for version in ("1", "2"):
        tmp_path.joinpath(f"..{version}").mkdir()
        policy(tmp_path / f"..{version}" / "policy.json", version)
    data = tmp_path / "..data"
    data.symlink_to("..1")
    tmp_path.joinpath("policy.json").symlink_to("..data/policy.json")
    server = start(policy=str(tmp_path / "policy.json"))
    assert b"version 1" in server.post()[2]
    new = tmp_path / "..data_tmp"
    new.symlink_to("..2")
    new.replace(data)
    until(lambda: all(b"version 2" in server.post()[2] for _ in range(6)), 15, server)


def counted(server):
    """How many reviews the metrics tell of."""
    lines = server.get("/metrics", health=True)[2].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("gpu_admission_reviews_total{"))


def test_metrics_add_up_over_workers_reloads_and_deaths(start):
    server = start()
    for _ in range(10):
        assert server.post("/validate", review(kind={"kind": "Hostile-kind"}))[0] == 200
    server.process.send_signal(signal.SIGHUP)
    old = set(server.workers())
    until(lambda: not old & set(server.workers()) and len(server.workers()) == 2, 20, server)
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.get("/readyz", health=True)[0] == 200, 10, server)
    for _ in range(10):
        assert server.post("/mutate")[0] == 200
    # A review is counted after its answer has been sent: the last one may not show yet.
    until(lambda: counted(server) >= 20, 10, server)
    text = server.get("/metrics", health=True)[2].decode()
    assert counted(server) == 20
    assert 'kind="other"' in text
    assert "Hostile" not in text
    assert "gpu_admission_review_duration_seconds_count 20" in text
    assert text.count("gpu_admission_certificate_expiry_timestamp_seconds ") >= 1


def test_health_answers_while_every_worker_is_busy(start, tmp_path):
    path = tmp_path / "policy.json"
    policy(path, "1", slow=3.0)
    server = start(policy=str(path))
    with Load(server, clients=6, body=review("slow")):
        time.sleep(0.5)
        begun = time.monotonic()
        for page in ("/healthz", "/readyz", "/metrics"):
            assert server.get(page, health=True)[0] == 200
        # Not a promise about speed: the reviews take three seconds each, and pages did not wait for one.
        assert time.monotonic() - begun < 3


def test_client_certificates(start, tmp_path):
    ca, _ = pair(tmp_path, "client-ca")
    server = start(client_ca=ca)
    with pytest.raises(OSError, match=r".*"):
        server.post()
    assert server.get("/readyz", health=True)[0] == 200
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(tmp_path / "client-ca.crt", tmp_path / "client-ca.key")
    server.context = lambda: context
    assert server.post()[0] == 200
    assert server.get("/healthz")[0] == 404
    assert server.get("/metrics")[0] == 404


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGQUIT])
def test_stops_at_once_when_told(start, sig):
    server = start(lame_duck=30)
    with server.connect():
        assert server.stop(sig, seconds=10) == 0


def test_a_second_term_ends_the_wait(start):
    server = start(lame_duck=60)
    server.process.send_signal(signal.SIGTERM)
    until(lambda: "draining" in server.log, 5)
    assert server.stop(signal.SIGTERM, seconds=20) == 0


def test_under_gunicorns_own_command(start):
    server = start(conf=True)
    assert server.post()[0] == 200
    assert server.get("/readyz")[0] == 200
    server.process.send_signal(signal.SIGHUP)
    assert server.post()[0] == 200
    assert server.stop() == 0


def test_nothing_is_left_behind(start, tmp_path):
    server = start()
    folders = until(lambda: mapped(server.process.pid), 5)
    server.stop()
    assert not any(os.path.exists(folder) for folder in folders)


def mapped(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        return {line.split()[-1].rpartition("/")[0] for line in maps if "gpu-admission-metrics" in line}


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"policy": "/nonexistent.json"}, "policy refused"),
        ({"tls_cert": "/nonexistent.crt"}, "certificate refused"),
    ],
)
def test_nothing_to_serve(tmp_path, settings, arguments):
    server = Server(tmp_path, wait=False, **settings)
    assert server.process.wait(60) == 2
    assert arguments in server.log
    assert "Traceback" not in server.log


def test_it_is_importable_without_a_server():
    command = [sys.executable, "-c", "import gpu_admission.webhook.server.server"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
