"""Real servers on loopback for tests and benchmarks: certificates, starting, stopping, talking."""

import contextlib
import datetime as dt
import http.client
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parent.parent


def pair(folder, name="tls", *, days=30.0, began=1.0, cn="localhost"):
    """Write a self-signed EC certificate valid from ``began`` hours ago for ``days`` days; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
    now = dt.datetime.now(dt.UTC)
    begins = now - dt.timedelta(hours=began)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = Path(folder)
    crt, pem = folder / f"{name}.crt", folder / f"{name}.key"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace(pem, private)
    replace(crt, cert.public_bytes(serialization.Encoding.PEM))
    return str(crt), str(pem)


def replace(path, content):
    """Write a file the way that shows no half of it."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(content)
    beside.replace(path)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def review(name="p", uid="u-1", **request):
    """An AdmissionReview of a pod, as bytes."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {}},
        "spec": {"containers": []},
    }
    made = {"uid": uid, "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE"}
    made |= {"namespace": "ns", "name": name, "object": pod} | request
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": made}).encode()


class Server:
    """A server process and how to reach it."""

    def __init__(self, folder, *, tls=True, conf=False, env=(), wait=True, prefix=(), stderr=None, **settings):
        self.folder = Path(folder)
        self.port = free_port()
        self.health_port = free_port()
        self.tls = tls
        given = {
            "bind": f"127.0.0.1:{self.port}",
            "health_bind": f"127.0.0.1:{self.health_port}",
            "reload_interval": 0.2,
            "lame_duck": 0.5,
            "graceful_timeout": 5,
        }
        if tls:
            given["tls_cert"], given["tls_key"] = pair(folder)
        else:
            given["http"] = 1
        engine = settings.pop("engine", "webhook_standin:ENGINE")
        given |= settings
        environ = dict(os.environ) | {f"GPU_ADMISSION_{name.upper()}": str(value) for name, value in given.items()}
        environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        environ |= {"TESTED_ENGINE": engine, **dict(env)}
        self.log_path = self.folder / "server.log"
        command = [sys.executable, "-c", SERVE]
        if conf:
            command = [sys.executable, "-c", GUNICORN, "-c", "python:gpu_admission.webhook.gunicorn_conf"]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *command], env=environ, cwd=ROOT, stdout=log, stderr=log if stderr is None else stderr
            )
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.stop(signal.SIGINT)
                raise

    def wait_ready(self, seconds=90):
        until(lambda: self.get("/readyz", health=True)[0] == 200 or None, seconds, self)

    @property
    def log(self):
        return self.log_path.read_text()

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.splitlines()]

    def workers(self):
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self, timeout=10):
        """A raw connected socket (TLS when the server is)."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.context().wrap_socket(sock, server_hostname="localhost") if self.tls else sock

    def client(self, timeout=10):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.context())
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, *, health=False):
        """One request on its own connection: status, headers, body."""
        client = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=10) if health else self.client()
        with contextlib.closing(client):
            client.request(method, path, body, headers or {})
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def get(self, path, *, health=False):
        try:
            return self.request("GET", path, health=health)
        except OSError as error:
            return 0, {}, str(error).encode()

    def post(self, path="/validate", body=None, **headers):
        headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.request("POST", path, review() if body is None else body, headers)

    def raw(self, data, timeout=10, *, half_close=False):
        """Send bytes as they are and return all that comes until the server closes or is silent."""
        with contextlib.closing(self.connect(timeout)) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def stop(self, sig=signal.SIGTERM, seconds=60):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGINT)


class Clients:
    """So many threads that each do ``_run`` until ``_stop`` is set; what they count and keep they guard by ``_lock``."""

    def __init__(self, clients):
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self):
        raise NotImplementedError


class Load(Clients):
    """Clients that post reviews without a pause, as the API server does: keep-alive, a new connection when the server closes one.

    ``lost`` is what an API server would count as a failed call.
    """

    def __init__(self, server, clients=4, body=None):
        self.answered = 0
        self.lost = []
        self.bodies = set()
        self._server = server
        self._body = review() if body is None else body
        super().__init__(clients)

    def wait(self, more, seconds=20):
        """Until so many more answers have come."""
        target = self.answered + more
        until(lambda: self.answered >= target, seconds, self._server)

    def _run(self):
        client = self._server.client()
        while not self._stop.is_set():
            try:
                client.request("POST", "/validate", self._body, {"Content-Type": "application/json"})
                answer = client.getresponse()
                body = answer.read()
                with self._lock:
                    self.answered += answer.status == 200
                    self.bodies.add(body)
                    if answer.status != 200:
                        self.lost.append(body)
                if answer.headers.get("connection") == "close":
                    client.close()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.lost.append(repr(error))
                client.close()
        client.close()


# The server knows one decision; tests of what is around it put a simpler one (or one that fails) in its place.
ENGINE = """
import importlib, os
from gpu_admission.webhook.review import handler
module, attribute = os.environ["TESTED_ENGINE"].split(":")
handler.ENGINE = getattr(importlib.import_module(module), attribute)
"""
GUNICORN = ENGINE + "from gunicorn.app.wsgiapp import run; run()"
SERVE = (
    ENGINE
    + """
import sys
from gpu_admission.webhook.server.server import serve
from gpu_admission.webhook.server.settings import ServerSettings
sys.exit(serve(ServerSettings.from_environment(os.environ)))
"""
)


def read_all(sock):
    got = b""
    with contextlib.suppress(OSError):
        while chunk := sock.recv(65536):
            got += chunk
    return got


def until(check, seconds, server=None):
    """Wait for ``check`` to return something, at most so long; tests never assert on how long it took."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found is not None and found is not False:
            return found
        if server is not None and server.process.poll() is not None:
            raise AssertionError(f"the server ended with {server.process.returncode}:\n{server.log}")
        time.sleep(0.05)
    raise AssertionError("it did not happen in time" + (f":\n{server.log[-4000:]}" if server else ""))
