"""``gpu-admission serve`` as a process, started by its own command line."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

from webhook_server import ROOT, Server, free_port

SIDECARS = ("gpu_admission.commands.cert_sidecar", "gpu_admission.commands.policy_sidecar")
COMMAND = [sys.executable, "-m", "gpu_admission.commands.main"]


def environment(**more):
    """The environment of a subprocess that runs this checkout; nothing that is set here for servers leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GPU_ADMISSION_")}
    return kept | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))} | more


def run(*arguments, **env):
    """A command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**env), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


class Served(Server):
    """A running ``serve``; ``ca`` is the file that its clients trust."""

    def __init__(self, folder, *arguments, env=(), wait=True, ca=None, health=True, port=None, health_port=None):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.health_port = health_port or free_port() if health else None
        self.tls = "--http" not in arguments
        self.ca = ca
        self.log_path = self.folder / "serve.log"
        self.log_path.unlink(missing_ok=True)
        given = ["serve", "--bind", f"127.0.0.1:{self.port}", "--lame-duck", "0.5", *map(str, arguments)]
        if health:
            given += ["--health-bind", f"127.0.0.1:{self.health_port}"]
        fast = {"GPU_ADMISSION_RELOAD_INTERVAL": "0.2", "GPU_ADMISSION_GRACEFUL_TIMEOUT": "5"}
        self._run([*COMMAND, *given], fast | dict(env), wait=wait)

    def _run(self, command, env, *, wait):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment(**env), cwd=ROOT, stdout=log, stderr=log)
        if wait:
            self.wait_ready()

    def context(self):
        return ssl.create_default_context(cafile=self.ca) if self.ca else super().context()

    def workers(self):
        return [pid for pid in super().workers() if not any(name in argv(pid) for name in SIDECARS)]

    def keepers(self):
        return [pid for pid in super().workers() if SIDECARS[0] in argv(pid)]

    def watchers(self):
        return [pid for pid in super().workers() if SIDECARS[1] in argv(pid)]


class UnderGunicorn(Served):
    """The same server, started by gunicorn's command: every setting comes from the environment."""

    COMMAND = (sys.executable, "-m", "gunicorn", "-c", "python:gpu_admission.webhook.gunicorn_conf")

    def __init__(self, folder, env=(), *, wait=True):
        self.folder = Path(folder)
        self.port, self.health_port = free_port(), free_port()
        self.tls, self.ca = True, None
        self.log_path = self.folder / "gunicorn.log"
        given = {
            "GPU_ADMISSION_BIND": f"127.0.0.1:{self.port}",
            "GPU_ADMISSION_HEALTH_BIND": f"127.0.0.1:{self.health_port}",
            "GPU_ADMISSION_LAME_DUCK": "0.5",
        }
        self._run(self.COMMAND, given | dict(env), wait=wait)


def argv(pid):
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
