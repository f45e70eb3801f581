"""The cost of a review over TLS, compared with an echo of the same bodies by Flask on gunicorn's threads.

Both servers run with two workers; they are loaded in turn, so that a busy machine is unfair to both. CPU is
the server's own, over all its processes, from /proc: it does not depend on how fast the client is.

    python bench/webhook.py [--seconds 3] [--rounds 2] [--engine MODULE:ATTRIBUTE] [--check]

Of every kind of pod many are sent, which differ in the names of pods and containers, in images and in variables.

``--check`` fails (exit 1) when a target is missed: 1.5 times the echo's reviews per CPU-second at no worse
p99, 20 % for sharing, and 100 MiB for the whole server.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import load  # noqa: E402 - beside this file
import webhook_server  # noqa: E402 - from tests

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")
FACTOR = 1.5
SHARING = 1.2
MEMORY = 100.0  # MiB
CLIENTS = (1, 16)


Server = tuple[int, int]
"""Port and process id."""


class Row(NamedTuple):
    """One server, one body, one number of clients."""

    rate: float
    cpu: float  # seconds of CPU a review
    p50: float
    p99: float
    errors: int


def tree(pid: int) -> list[int]:
    """List a process and all its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def cpu(pids: list[int]) -> float:
    """User and system seconds that the processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def memory(pids: list[int]) -> float:
    """Proportional set size in MiB: pages that several of them share are counted once."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def bodies() -> dict[str, bytes]:
    """Reviews of the size that real pods have (6 KB): mutated, fine, and without GPUs."""
    return {
        "GPU pod, mutated": pod_review({"nvidia.com/gpu": "1"}, tolerated=False),
        "GPU pod, fine": pod_review({"nvidia.com/gpu": "1"}, tolerated=True),
        "pod without GPUs": pod_review({}, tolerated=False),
    }


def varied(path: str, body: bytes) -> Iterator[bytes]:
    """Yield requests without end, of pods that differ in names, image and variables, as usual jobs do."""
    requests = []
    for number in range(6000):
        each = body.replace(b"train-0", b"train-%05d" % number).replace(b"value-", b"value-%05d-" % number)
        each = each.replace(b"train:1.2.3", b"train:1.2.%05d" % number)
        requests.append(load.post(path, each.replace(b'{"name":"train', b'{"name":"train%05d' % number)))
    return itertools.cycle(requests)


def pod_review(resources: dict[str, str], *, tolerated: bool, scheduler: str = "default-scheduler") -> bytes:
    """Make an AdmissionReview of a defaulted pod with managed fields, as the API server does."""
    amounts = {"cpu": "4", "memory": "16Gi", **resources}
    container = {
        "name": "train",
        "image": "registry.example.com/team/train:1.2.3",
        "command": ["python", "train.py", "--epochs", "10"],
        "resources": {"limits": amounts, "requests": amounts},
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(12)],
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True},
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    sidecar = {**container, "name": "sidecar", "resources": {}}
    if tolerated:  # and cards hidden, so that there is no finding
        sidecar["env"] = [*sidecar["env"], {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]
    tolerations = [
        {
            "key": f"node.kubernetes.io/{name}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for name in ("not-ready", "unreachable")
    ]
    if tolerated:
        tolerations.append({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})
    fields: dict[str, Any] = {f"f:{name}": {"f:key": {}, "f:value": {}} for name in container} | {
        f'k:{{"name":"SETTING_{number}"}}': {".": {}, "f:name": {}, "f:value": {}} for number in range(12)
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "train-0",
            "namespace": "research",
            "labels": {"app": "train", **({} if tolerated else {"mutate": "yes"})},
            "annotations": {f"example.com/note-{number}": "x" * 60 for number in range(8)},
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
                               "fieldsV1": {"f:spec": {"f:containers": fields}}}],
        },
        "spec": {
            "containers": [container, sidecar],
            "tolerations": tolerations,
            "schedulerName": scheduler,
            "restartPolicy": "Never",
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "token", "projected": {"sources": []}}],
        },
    }  # fmt: skip
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "research",
        "name": "train-0",
        "operation": "CREATE",
        "userInfo": {"username": "ada", "groups": ["system:authenticated"]},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
    }
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(review, separators=(",", ":")).encode()


@contextlib.contextmanager
def our_server(folder: Path, engine: str) -> Iterator[tuple[int, int]]:
    """Run gpu-admission; (port, process id). Its log goes to a file, as a container's does."""
    with webhook_server.Server(folder, engine=engine, reload_interval=1.0, policy="default,hami") as server:
        yield server.port, server.process.pid


@contextlib.contextmanager
def echo_server(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the comparison: gunicorn's gthread worker, two processes with four threads, Flask."""
    cert, key = webhook_server.pair(folder, "echo")
    port = webhook_server.free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--worker-class",
        "gthread",
        "--workers",
        "2",
        "--threads",
        "4",
    ]
    command += ["--keep-alive", "120", "--certfile", cert, "--keyfile", key, "--bind", f"127.0.0.1:{port}"]
    command += ["--no-control-socket", "--worker-tmp-dir", "/dev/shm", "--log-level", "error", "echo_app:app"]
    process = subprocess.Popen(command, cwd=ROOT / "bench")
    try:
        webhook_server.until(lambda: answers(port), 20)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    """Whether a server listens there."""
    try:
        return not load.run(port, itertools.repeat(load.post("/validate", b"{}")), 1, 0.05).errors
    except OSError:
        return False


def measure(port: int, pid: int, requests: Iterator[bytes], clients: int, seconds: float) -> Row:
    """Load one server once."""
    load.run(port, requests, clients, 0.3)
    pids = tree(pid)
    before = cpu(pids)
    result = load.run(port, requests, clients, seconds)
    spent = cpu(pids) - before
    count = max(len(result.latencies), 1)
    return Row(result.rate, spent / count, result.quantile(0.5), result.quantile(0.99), result.errors)


def median(rows: list[Row]) -> Row:
    """Return the medians of the rounds, field by field."""
    return Row(*(statistics.median(column) for column in zip(*rows, strict=True)))


def compare(ours: Server, echo: Server, seconds: float, rounds: int) -> list[str]:
    """Measure and print every pair; return those that missed their target."""
    missed = []
    print(f"{'':50}{'rps':>8}{'per CPU-s':>11}{'CPU/review':>12}{'p50':>9}{'p99':>9}")
    for clients, (label, body) in itertools.product(CLIENTS, bodies().items()):
        rows: dict[str, list[Row]] = {"gpu-admission": [], "Flask echo": []}
        for _ in range(rounds):
            rows["gpu-admission"].append(measure(*ours, varied(path_of(label), body), clients, seconds))
            rows["Flask echo"].append(measure(*echo, varied("/echo", body), clients, seconds))
        mine, theirs = (median(each) for each in rows.values())
        title = f"{label}, {clients} client(s)"
        show(title, mine)
        show("  Flask echo", theirs)
        factor = theirs.cpu / mine.cpu
        print(f"  {factor:.2f} times the reviews per CPU-second, p99 {mine.p99 / theirs.p99:.2f} times")
        if factor < FACTOR or mine.p99 > theirs.p99 or mine.errors:
            missed.append(title)
    return missed


def sharing(ours: Server, seconds: float, rounds: int) -> list[str]:
    """Measure and print the cost of sharing in a review: a share in HAMi's names, and one translated to them.

    Beside a pod with a whole card that is fine, and one that is repaired, under the default policy. Return what
    missed its target.
    """
    native = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "8192"}
    pairs = {
        "share in the backend's words": (
            pod_review(native, tolerated=True, scheduler="hami-scheduler"),
            "GPU pod, fine",
        ),
        "share in portable words": (
            pod_review({"gpu-admission.io/gpu-mem": "8Gi"}, tolerated=False),
            "GPU pod, mutated",
        ),
    }
    missed = []
    for label, (body, like) in pairs.items():
        rows: dict[str, list[Row]] = {"with": [], "without": []}
        for _ in range(2 * rounds):
            rows["with"].append(measure(*ours, varied("/mutate/hami", body), 1, seconds))
            rows["without"].append(measure(*ours, varied("/mutate", bodies()[like]), 1, seconds))
        whole, rest = (median(each) for each in rows.values())
        show(label, whole)
        print(f"  {(whole.cpu / rest.cpu - 1) * 100:+.0f} % beside: {like} ({rest.cpu * 1e6:.0f} µs)")
        if whole.cpu > SHARING * rest.cpu:
            missed.append(label)
    return missed


def path_of(label: str) -> str:
    """Return the path to which the API server would send it."""
    return "/mutate" if "mutated" in label else "/validate"


def show(title: str, row: Row) -> None:
    """Print one line."""
    print(
        f"{title:50.50}{row.rate:8.0f}{1 / row.cpu:9.0f}{row.cpu * 1e6:9.0f} µs"
        f"{row.p50 * 1e3:7.2f}ms{row.p99 * 1e3:7.2f}ms" + (f"  {row.errors:.0f} errors" if row.errors else "")
    )


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engine", default="gpu_admission.webhook.review.handler:ENGINE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        ours = stack.enter_context(our_server(folder, options.engine))
        echo = stack.enter_context(echo_server(folder))
        time.sleep(1)
        missed = compare(ours, echo, options.seconds, options.rounds)
        missed += sharing(ours, options.seconds, options.rounds)
        pids = tree(ours[1])
        total, workers = memory(pids), memory(pids[1:])
        print(f"memory after the load: {total:.1f} MiB the whole server, {workers:.1f} MiB its two workers")
        print(f"                       {memory(tree(echo[1])):.1f} MiB Flask echo")
        if total > MEMORY:
            missed.append("memory")
    if missed:
        print("missed: " + "; ".join(missed))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
