"""The real server for the real API server: started as its users start it, registered as it registers itself."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from webhook_server import ROOT, free_port, until

from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations


class Server:
    """``gpu-admission serve --self-signed`` on loopback, with every shipped policy."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port, self.health_port = free_port(), free_port()
        self._command = [
            *(sys.executable, "-m", "gpu_admission.commands.main", "serve", "--self-signed", str(self.folder)),
            *("--bind", f"127.0.0.1:{self.port}", "--health-bind", f"127.0.0.1:{self.health_port}"),
            *("--lame-duck", "0.1", "--workers", "1"),
            *(flag for name in loader.shipped() for flag in ("-p", name)),
        ]
        self.process = None

    def start(self):
        with (self.folder / "server.log").open("ab") as log:
            environ = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environ, cwd=ROOT)
        until(self._ready, 30, self)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    @property
    def log(self):
        return (self.folder / "server.log").read_text()

    @property
    def authority(self):
        return (self.folder / "ca.crt").read_bytes()

    def configurations(self, policy="default"):
        """The generated webhook configurations of a policy, calling this server."""
        options = webhook_configurations.RegistrationOptions(
            url=f"https://127.0.0.1:{self.port}", ca_bundle=self.authority, route="" if policy == "default" else policy
        )
        return webhook_configurations.configurations(loader.load(policy), options)

    @contextlib.contextmanager
    def registered(self, api, policy="default"):
        """Register the webhooks, and take them away again; both once the API server has seen it."""
        made = self.configurations(policy)
        try:
            for one in made:
                reply = api.create(one, None)
                assert reply.status == 201, reply
            until(lambda: called(api) == 2, 30, self)
            yield
        finally:
            for one in made:
                kind = one["kind"].lower()
                api.delete(f"/apis/{one['apiVersion']}/{kind}s/{one['metadata']['name']}")
            until(lambda: not called(api), 30, self)

    def _ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2).status == 200
        return False


SPEC = {
    "containers": [{"name": "c", "image": "example.com/c:1", "resources": {"limits": {"nvidia.com/gpu": 1}}}],
    "volumes": [{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}],
}
TEMPLATE = {"metadata": {"labels": {"app": "probe"}}, "spec": SPEC}
PROBES = (
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-"}, "spec": SPEC},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "probe"},
        "spec": {"selector": {"matchLabels": {"app": "probe"}}, "template": TEMPLATE},
    },
)


def called(api):
    """How many of the two configurations the API server follows by now: mutating for Pods, validating for the rest."""
    return sum("GPU304" in api.create(probe, dryRun="All").message for probe in PROBES)
