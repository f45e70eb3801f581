"""A control plane on loopback: etcd and kube-apiserver, and on demand kube-scheduler and kube-controller-manager.

The binaries come from the folder that ``KUBEBUILDER_ASSETS`` names. Every process dies with this one, however
it ends; what they logged stays in the folder given.
"""

import contextlib
import functools
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from e2e.client import Client
from webhook_server import free_port

NEEDED = ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "kubectl")
TOKENS = {
    "admin": 'admin-token,admin,admin,"system:masters"',
    "scheduler": "scheduler-token,system:kube-scheduler,scheduler,",
    "controllers": "controllers-token,system:kube-controller-manager,controllers,",
    "user": "user-token,alice,alice,",
}

# A test run that is killed must not leave a control plane behind: the kernel ends the child with its parent.
GUARDED = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"


def missing():
    """Why no cluster can be started, or None."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return "KUBEBUILDER_ASSETS is not set: it names the folder with etcd, kube-apiserver and kubectl"
    absent = [name for name in NEEDED if not os.access(Path(folder) / name, os.X_OK)]
    return f"{folder} (KUBEBUILDER_ASSETS) lacks {', '.join(absent)}" if absent else None


class Cluster:
    """A running control plane; ``api`` is the administrator's client."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._assets = Path(os.environ["KUBEBUILDER_ASSETS"])
        self._processes = {}
        self._commands = {}
        self.port = free_port()
        self._certificate = self.folder / "apiserver" / "apiserver.crt"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        self._write_keys()
        self.store = self._start_etcd()
        self._run("kube-apiserver", **self._apiserver_flags(self.store))
        self._until(self._answers)
        self.api = self.client("admin")

    def _answers(self):
        return self._certificate.exists() and self._healthy(f"https://127.0.0.1:{self.port}/readyz")

    @contextlib.contextmanager
    def without_api_server(self, how, seconds=60):
        """Have no API server for a while: it is ended by this signal, and started again with what etcd holds.

        ``seconds`` is how long it may take to read that.
        """
        process = self._processes.pop("kube-apiserver")
        process.send_signal(how)
        try:
            process.wait(90)
            yield
        finally:
            self._launch("kube-apiserver")
            self._until(self._answers, seconds)

    def client(self, user):
        """A client of one of TOKENS' users."""
        context = ssl.create_default_context(cafile=self._certificate)
        return Client(self.port, TOKENS[user].partition(",")[0], context)

    @functools.cached_property
    def kubeconfig(self):
        """The path of the administrator's kubeconfig."""
        return self._kubeconfig("admin")

    def kubeconfig_of(self, user):
        """The path of the kubeconfig of one of TOKENS' users."""
        return self._kubeconfig(user)

    def kubectl(self, *args, stdin=None, user="admin", check=True):
        """Run the real kubectl; the finished process, with texts."""
        config = self.kubeconfig if user == "admin" else self._kubeconfig(user)
        command = [self._assets / "kubectl", f"--kubeconfig={config}", f"--cache-dir={self.folder}/kubectl", *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done

    def schedule(self):
        """Start the scheduler and the controller-manager, once."""
        if "kube-scheduler" in self._processes:
            return
        common = {"bind-address": "127.0.0.1", "leader-elect": "false"}
        ports = free_port(), free_port()
        # At 2 its log has a line for every pod that is bound, and for every one that is not and why.
        own = {"kubeconfig": self._kubeconfig("scheduler"), "secure-port": ports[0], "v": 2}
        self._run("kube-scheduler", **common, **own)
        self._run("kube-controller-manager", **common, **self._controller_flags(ports[1]))
        self._until(lambda: self._healthy(f"https://127.0.0.1:{ports[0]}/readyz"))
        # /healthz answers before the controllers run, so wait for what one of them does.
        self._until(lambda: self.api.get("/api/v1/namespaces/default/serviceaccounts/default").status == 200)

    def stop(self):
        """Stop everything, in reverse order."""
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._processes.clear()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def ended(self):
        """The processes that ended by themselves."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def log(self, name, lines=20):
        """The end of one process's log."""
        return "\n".join((self.folder / f"{name}.log").read_text().splitlines()[-lines:])

    def logs(self, lines=20):
        """The ends of all logs, for a report."""
        return "\n\n".join(self.log(path.stem, lines) for path in sorted(self.folder.glob("*.log")))

    def _run(self, name, /, **flags):
        command = [str(self._assets / name), *(f"--{flag}={value}" for flag, value in flags.items())]
        if sys.platform == "linux":
            command = [sys.executable, "-c", GUARDED, *command]
        self._commands[name] = command
        self._launch(name)

    def _launch(self, name):
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(self._commands[name], stdout=log, stderr=log)

    def _write_keys(self):
        key = ec.generate_private_key(ec.SECP256R1())
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / "sa.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "sa.pub").write_bytes(public)
        (self.folder / "tokens.csv").write_text("\n".join(TOKENS.values()) + "\n")

    def _start_etcd(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            **{
                "name": "t",
                "data-dir": self.folder / "etcd",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer,
                "initial-cluster": f"t={peer}",
            },
        )
        return client

    def _apiserver_flags(self, store):
        return {
            "etcd-servers": store,
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "cert-dir": self._certificate.parent,
            "service-account-issuer": f"https://127.0.0.1:{self.port}",
            "service-account-key-file": self.folder / "sa.pub",
            "service-account-signing-key-file": self.folder / "sa.key",
            "service-cluster-ip-range": "10.96.0.0/24",
            "allow-privileged": "true",
            "token-auth-file": self.folder / "tokens.csv",
            "authorization-mode": "RBAC",
            # It would refuse pods until the controller-manager has made the namespace's account.
            "disable-admission-plugins": "ServiceAccount",
        }

    def _controller_flags(self, port):
        return {
            "kubeconfig": self._kubeconfig("controllers"),
            "secure-port": port,
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self.folder / "sa.key",
            # Fake nodes send no heartbeats and must stay ready all the same.
            "node-monitor-period": "500ms",
            "node-monitor-grace-period": "24h",
            "flex-volume-plugin-dir": self.folder / "flex",
            "kube-api-qps": 1000,
            "kube-api-burst": 1000,
        }

    def _kubeconfig(self, user):
        path = self.folder / f"{user}.kubeconfig"
        token = TOKENS[user].partition(",")[0]
        path.write_text(f"""\
apiVersion: v1
kind: Config
current-context: t
clusters: [{{name: t, cluster: {{server: "https://127.0.0.1:{self.port}", certificate-authority: {self._certificate}}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: t, context: {{cluster: t, user: u}}}}]
""")
        return path

    def _healthy(self, url):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        requested = urllib.request.Request(url, headers={"Authorization": "Bearer admin-token"})
        with contextlib.suppress(OSError), urllib.request.urlopen(requested, timeout=2, context=context) as answer:
            return answer.status == 200
        return False

    def _until(self, check, seconds=60):
        deadline = time.monotonic() + seconds
        while not check():
            ended = self.ended()
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{', '.join(ended) or 'the control plane'} did not start:\n{self.logs()}")
            time.sleep(0.05)
