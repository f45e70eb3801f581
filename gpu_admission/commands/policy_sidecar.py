"""The policy sidecar, ``python -m gpu_admission.commands.policy_sidecar``: a process that ``serve`` starts.

It lists and watches the cluster's GPUPolicy objects, writes them to files that the server loads, and, while it holds
the Lease among all replicas, writes their status. It alone loads the Kubernetes client.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from gpu_admission.cluster.connect import ConnectOptions, connect
from gpu_admission.cluster.errors import ConnectError
from gpu_admission.cluster.lease import Elector
from gpu_admission.cluster.policy_objects import PolicyObjects, StatusWriter
from gpu_admission.cluster.watch import Reflector
from gpu_admission.policyfile import crd, object_files
from gpu_admission.webhook import logs

from .parent_watch import ParentWatch, until_terminated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.cluster.connection import Connection

TICK = 0.25  # seconds between publications of what the watch has received
TIMEOUT = 5.0  # seconds for a request for the Lease or a status: less than a Lease lasts
_ADVICE = (
    (" does not exist", "install the CustomResourceDefinition gpupolicies.gpu-admission.io (deploy/policy-objects)"),
    ("RBAC does not allow", "grant list and watch on gpupolicies.gpu-admission.io (gpu-admission manifests)"),
)


class Problems:
    """Logs each problem once, and its end; each kind has one at a time."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}

    def current(self, kind: str) -> str:
        """Return the problem of a kind, empty where there is none."""
        return self._current.get(kind, "")

    def note(self, kind: str, message: str) -> None:
        """Note the present problem of a kind, empty for none."""
        before, self._current[kind] = self.current(kind), message
        if message and message != before:
            logs.get().error(f"{kind} failed", extra=logs.fields({"reason": message}))
        elif before and not message:
            logs.get().info(f"{kind} works again", extra=logs.fields({}))


class Keeper:
    """What the main thread does: publish what the watch has seen, hold the Lease, write statuses."""

    def __init__(self, reflector: Reflector, directory: str, problems: Problems) -> None:
        self._reflector = reflector
        self._writer = object_files.ObjectWriter(directory)
        self._problems = problems
        self._published: tuple[object, str] = (None, "")
        self.objects = PolicyObjects(self._writer)

    def publish(self) -> None:
        """Write what the watch has received to the directory, where that changed."""
        seen, problem = self._reflector.objects, self._problems.current("policy watch")
        if seen is self._published[0] and problem == self._published[1]:
            return
        try:
            if seen is None:
                self._writer.write_problem(problem)
            else:
                self.objects.take(seen, problem)
        except OSError as error:
            self._problems.note("policy directory", object_files.reason(error))
        else:
            self._problems.note("policy directory", "")
            self._published = (seen, problem)


def main(argv: Sequence[str]) -> int:
    """Follow the objects until SIGTERM; return 1 when that cannot begin (the server starts us again)."""
    options = _parser().parse_args(argv)
    logs.setup(options.log_format, "info")
    watch = until_terminated(options.parent)
    try:
        watching = connect()
        writing = connect(ConnectOptions(request_timeout=TIMEOUT, tries=1))
    except ConnectError as error:
        logs.get().error("policy watch failed", extra=logs.fields({"reason": str(error)}))
        object_files.ObjectWriter(options.directory).write_problem(str(error))
        watch.wait(TICK)
        return 1
    failed = _follow(options, watch, watching, writing)
    if watch.orphaned:  # the server was killed before it could do this
        shutil.rmtree(options.directory, ignore_errors=True)
    return 1 if failed else 0


def _follow(options: argparse.Namespace, watch: ParentWatch, watching: Connection, writing: Connection) -> bool:
    """Publish and write statuses until `watch` is set; return whether the watch crashed."""
    problems = Problems()
    reflector = Reflector(
        watching, crd.PATH, problem=lambda text: problems.note("policy watch", advised(text)), changed=lambda: None
    )
    namespace, _, name = options.lease.partition("/")
    elector = Elector(writing, namespace, name, identity(), problem=lambda text: problems.note("leader election", text))
    statuses = StatusWriter(
        writing, elector, problem=lambda text: problems.note("status update", text), written=_log_status
    )
    keeper = Keeper(reflector, options.directory, problems)
    faults = _start_watching(reflector, watch)
    led = False
    while not watch.wait(TICK):
        keeper.publish()
        if elector.tick() != led:
            led = not led
            logs.get().info("leader election", extra=logs.fields({"leader": led, "identity": elector.identity}))
        if led:
            statuses.write(keeper.objects.states)
    elector.release()
    return bool(faults)


def _start_watching(reflector: Reflector, watch: ParentWatch) -> list[Exception]:
    """Run the reflector in a thread; return a list that receives the error if it crashes, which also sets `watch`."""
    faults: list[Exception] = []

    def run() -> None:
        try:
            reflector.run(watch.is_set)
        except Exception as error:  # noqa: BLE001 - without a watch this process has to be restarted
            faults.append(error)
            logs.get().error("policy watch crashed", extra=logs.fields(logs.describe(error)))
            watch.set()

    threading.Thread(target=run, name="watch", daemon=True).start()
    return faults


def identity() -> str:
    """Return a unique name for this process: the host's (in a pod, the pod's), and random digits."""
    return f"{socket.gethostname()[:200]}_{os.urandom(8).hex()}"


def advised(problem: str) -> str:
    """Return a problem with advice, where there is some."""
    return next((f"{problem}: {advice}" for part, advice in _ADVICE if part in problem), problem)


def _log_status(name: str, status: dict[str, Any]) -> None:
    condition = next(each for each in status["conditions"] if each["type"] == "Ready")
    fields = {"policy": name, "ready": condition["status"], "reason": condition["reason"]}
    logs.get().info("policy status written", extra=logs.fields(fields))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--lease", metavar="NS/NAME", required=True)
    parser.add_argument("--log-format", default="json")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
