"""The cost of gpu-lint on this machine, as ratios measured in one run.

    python bench/lint.py [FOLDER]

Without a folder, 3,000 ordinary manifests are generated, of which 8 % mention GPUs. Every number is the least of
several runs of whole processes, so that what else the machine does weighs little.
"""

from __future__ import annotations

import argparse
import compileall
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES, GPU_SHARE = 3000, 0.08
START_UP_MOST, LOAD_MOST, MEMORY_MOST = 3.0, 0.3, 100.0

LOAD_ALL = """
import sys, yaml
for name in sys.stdin.read().split("\\n"):
    with open(name, "rb") as file:
        try:
            for _ in yaml.load_all(file.read(), Loader=yaml.CSafeLoader):
                pass
        except Exception:
            pass
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: team-{n}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: shop
spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: 8080
      protocol: TCP
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  LOG_LEVEL: info
  application.yaml: |
    server:
      port: 8080
      shutdown: graceful
    database:
      url: postgres://db.team-{n}.svc:5432/{name}
      pool: 20
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
  annotations:
    prometheus.io/scrape: "true"
spec:
  replicas: 3
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      serviceAccountName: {name}
      securityContext:
        runAsNonRoot: true
        fsGroup: 1000
      containers:
{containers}      volumes:
        - name: config
          configMap:
            name: {name}
"""
CONTAINER = """\
        - name: {name}
          image: registry.example.com/team/{name}:1.{n}.0
          args: ["--config", "/etc/{name}/config.yaml", "--verbose"]
          ports:
            - containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
{gpu_request}            limits:
              memory: 256Mi
{gpu_limit}          livenessProbe:
            httpGet:
              path: /healthz
              port: 8080
            initialDelaySeconds: 5
          volumeMounts:
            - name: config
              mountPath: /etc/{name}
"""


def manifest(number: int, *, gpu: bool, containers: int = 1) -> str:
    """Return one ordinary manifest: a Deployment, a Service or a ConfigMap; with a GPU, a Deployment."""
    chance = random.Random(number)
    arguments = {"name": f"app-{number}", "n": chance.randrange(90)}
    pick = chance.random()
    if not gpu and pick < 0.4 and containers == 1:
        return SERVICE.format(**arguments) if pick < 0.25 else CONFIG_MAP.format(**arguments)
    line = "              nvidia.com/gpu: 1\n"
    sides = {"gpu_request": line if gpu and pick < 0.3 else "", "gpu_limit": line if gpu and pick > 0.1 else ""}
    body = "".join(
        CONTAINER.format(**{**arguments, "name": f"{arguments['name']}-{index}"}, **sides)
        for index in range(containers)
    )
    return DEPLOYMENT.format(**arguments, containers=body)


def generate(folder: pathlib.Path, count: int) -> None:
    """Write that many manifests."""
    for number in range(count):
        target = folder / f"team-{number % 30}" / f"app-{number}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(manifest(number, gpu=number % 100 < GPU_SHARE * 100))


class Cost:
    """The cost of a process: CPU and elapsed seconds, and its peak memory in MB."""

    def __init__(self, cpu: float, elapsed: float, memory: float) -> None:
        self.cpu = cpu
        self.elapsed = elapsed
        self.memory = memory


def cost(argv: list[str], runs: int = 5, stdin: bytes = b"") -> Cost:
    """Return the lowest cost of a command in several runs."""
    costs = [_once(argv, stdin) for _ in range(runs)]
    return Cost(min(c.cpu for c in costs), min(c.elapsed for c in costs), min(c.memory for c in costs))


def _once(argv: list[str], stdin: bytes) -> Cost:
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        begin = time.monotonic()
        process = subprocess.Popen(argv, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(usage.ru_utime + usage.ru_stime, elapsed, usage.ru_maxrss / 1024)


def installed(folder: pathlib.Path) -> None:
    """Copy the package into a folder as if installed: compiled, with its policies."""
    shutil.copytree(ROOT / "gpu_admission", folder / "gpu_admission", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "policies", folder / "gpu_admission" / "policies")
    compileall.compile_dir(folder, quiet=1)
    os.environ["PYTHONPATH"] = str(folder)


def lint(*argv: str) -> list[str]:
    """Return the command line of gpu-lint, as the script that pip installs runs it."""
    script = "import re, sys; from gpu_admission.commands.lint import entry; sys.exit(entry())"
    return [sys.executable, "-c", script, "--no-config", *argv]


def say(what: str, value: str, note: str = "") -> None:
    """Print one line."""
    print(f"  {what:<44} {value:>12}  {note}".rstrip())


def start_up(folder: pathlib.Path) -> None:
    """Print the cost of a run on one small file against a bare interpreter."""
    small = folder / "small.yaml"
    small.write_text(manifest(5, gpu=True))
    best = [min(_once(argv, b"").cpu for _ in range(25)) for argv in ([sys.executable, "-c", "pass"], lint(str(small)))]
    print("start-up, one small file (CPU)")
    say("bare interpreter", f"{best[0] * 1000:.0f} ms")
    say("gpu-lint", f"{best[1] * 1000:.0f} ms", f"{best[1] / best[0]:.1f}x (at most {START_UP_MOST:.0f}x)")


def throughput(folder: pathlib.Path) -> None:
    """Print how fast many files are judged, against reading them and against other linters."""
    names = sorted(str(path) for path in folder.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file())
    size = sum(os.path.getsize(name) for name in names) / 1e6
    print(f"throughput, {len(names):,} files, {size:.1f} MB (CPU, one process)")
    load = cost([sys.executable, "-c", LOAD_ALL], 3, "\n".join(names).encode())
    one = cost(lint("--jobs", "1", str(folder)), 3)
    say(
        "yaml.load_all(CSafeLoader), no linting", f"{size / load.cpu:.1f} MB/s", f"{len(names) / load.cpu:,.0f} files/s"
    )
    figures = f"{len(names) / one.cpu:,.0f} files/s, {one.cpu / load.cpu:.2f} of its time (at most {LOAD_MOST})"
    say("gpu-lint --jobs 1", f"{size / one.cpu:.1f} MB/s", figures)
    both = cost(lint(str(folder)), 3)
    say(
        "gpu-lint, elapsed, one process a core",
        f"{both.elapsed:.2f} s",
        f"{one.elapsed / both.elapsed:.2f}x of --jobs 1",
    )
    others = {
        "kubeconform": ["kubeconform", "-ignore-missing-schemas", "-schema-location", os.devnull, *names],
        "kube-linter": ["kube-linter", "lint", str(folder)],
    }
    for name, argv in others.items():
        if shutil.which(name) is None:
            say(name, "-", "not on PATH")
        else:
            other = cost(argv, 2)
            figures = f"gpu-lint: {one.elapsed / other.elapsed:.2f} of its time"
            say(f"{name}, elapsed", f"{other.elapsed:.2f} s", figures)


def memory(folder: pathlib.Path) -> None:
    """Print the peak of memory over a tree of 100 MB."""
    text = "---\n".join(manifest(number, gpu=number % 100 < GPU_SHARE * 100) for number in range(40))
    for number in range(100_000_000 // len(text) + 1):
        (folder / f"{number}.yaml").write_text(text)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    spent = cost(lint("--jobs", "1", "-q", str(folder)), 1)
    print(f"memory, a tree of {size:.0f} MB, --jobs 1")
    say("peak", f"{spent.memory:.0f} MB", f"(at most {MEMORY_MOST:.0f} MB), {spent.elapsed:.1f} s")


def growth(folder: pathlib.Path) -> None:
    """Print how the cost grows with files, documents, containers and rules: 4 times as much should cost 4 times."""
    print("growth: the cost of 4 times as much, less that of starting (4 is linear)")
    base = cost(lint(os.devnull), 7).cpu
    for what in ("files", "documents", "containers"):
        costs = []
        for times in (1, 4):
            place = folder / f"{what}-{times}"
            place.mkdir()
            _grown(place, what, times)
            costs.append(cost(lint("--jobs", "1", str(place)), 5).cpu - base)
        say(what, f"{costs[1] / costs[0]:.1f}x")
    place = folder / "files-4"
    bare = [cost(lint("--jobs", "1", "--select", chosen, str(place)), 5).cpu for chosen in ("GPU001", "GPU0", "GPU")]
    say("rules: one, those of 0xx, all", f"{bare[0]:.2f} s", f"{bare[1]:.2f} s, {bare[2]:.2f} s")


def _grown(folder: pathlib.Path, what: str, times: int) -> None:
    if what == "files":
        generate(folder, 250 * times)
    elif what == "documents":
        text = "---\n".join(manifest(number, gpu=number % 12 == 0) for number in range(250 * times))
        (folder / "many.yaml").write_text(text)
    else:
        (folder / "one.yaml").write_text(manifest(1, gpu=True, containers=200 * times))


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description="What gpu-lint costs on this machine.")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="measure throughput on these files instead")
    parser.add_argument("--skip-memory", action="store_true", help="write no tree of 100 MB")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("PYTHONPYCACHEPREFIX", None)
    with tempfile.TemporaryDirectory(prefix="gpu-lint-bench-") as scratch:
        folder = pathlib.Path(scratch)
        for name in ("installed", "start", "corpus", "memory", "growth"):
            (folder / name).mkdir()
        installed(folder / "installed")
        start_up(folder / "start")
        if options.folder is None:
            generate(folder / "corpus", FILES)
        throughput(options.folder or folder / "corpus")
        growth(folder / "growth")
        if not options.skip_memory:
            memory(folder / "memory")


if __name__ == "__main__":
    main()
