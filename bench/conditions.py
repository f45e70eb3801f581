"""The cost of the webhooks' conditions to a real API server: its CPU per pod created (by dry run).

Needs the folder that ``KUBEBUILDER_ASSETS`` names (etcd, kube-apiserver). One API server has every variant at once,
each for a namespace of its own, and is asked in short blocks in turn, so that other work on the machine slows all
alike:

    none      no webhook
    least     the same webhooks, each with one condition that looks at no object: what having conditions costs
    ours      the conditions of a policy, as ``gpu-admission manifests`` writes them
    FILE ...  configurations in files (JSON, a list of objects), say those of an older version

No server listens at the webhooks' address: an ordinary pod is never sent there, and a pod with a GPU (``--gpu``)
pays for a refused connection under every variant but the first.

    KUBEBUILDER_ASSETS=... python bench/conditions.py [--rounds 24] [--pods 100] [--policy default] [--gpu] [FILE ...]
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from e2e.cluster import Cluster, missing
from e2e.webhooks import PATHS

from gpu_admission.policyfile import loader
from gpu_admission.registration.webhook_configurations import RegistrationOptions, configurations

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_SERVER = "https://127.0.0.1:1"
LEAST = "request.operation {} ''"  # reads no object, and is true for the same pods as ours: those with a GPU
TOKEN = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}


def container(name: str, variables: int, **amounts: str) -> dict[str, Any]:
    """A container of an ordinary Deployment."""
    return {
        "name": name,
        "image": f"registry.example.com/{name}:1",
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(variables)],
        "resources": {"limits": amounts, "requests": amounts},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, TOKEN],
    }


def pod(namespace: str, *, gpu: bool) -> dict[str, Any]:
    """A pod of two containers with 18 variables, 3 volumes, 4 labels and 4 annotations."""
    card = {"nvidia.com/gpu": "1"} if gpu else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": namespace,
            "labels": {"app": "shop", "pod-template-hash": "7d4b9c", "version": "v1", "team": "shop"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "80", "checksum/a": "1", "b/c": "2"},
        },
        "spec": {
            "serviceAccountName": "default",
            "containers": [container("app", 12, cpu="1", memory="1Gi", **card), container("proxy", 6, cpu="1")],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "config", "configMap": {"name": "c"}},
                {"name": TOKEN["name"], "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            ],
        },
    }


def variants(policy: str, files: list[str], *, gpu: bool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield names and webhook configurations."""
    yield "none", []
    ours = configurations(loader.load(policy), RegistrationOptions(url=NO_SERVER))
    least = copy.deepcopy(ours)
    for hook in [hook for each in least for hook in each["webhooks"]]:
        hook["matchConditions"] = [{"name": "least", "expression": LEAST.format("!=" if gpu else "==")}]
    yield "least", least
    yield "ours", ours
    for number, path in enumerate(files):
        yield f"file-{number}", json.loads(Path(path).read_text(encoding="utf-8"))


def register(api: Any, name: str, objects: list[dict[str, Any]]) -> None:
    """Enable webhooks, or not, for one namespace only."""
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, None)
    for obj in copy.deepcopy(objects):
        obj["metadata"]["name"] = name
        for hook in obj["webhooks"]:
            here = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [name]}
            hook["namespaceSelector"]["matchExpressions"].append(here)
            hook["failurePolicy"] = "Ignore"
        answer = api.request("POST", PATHS[obj["kind"]].rstrip("/"), obj)
        assert answer.status == 201, answer.object


def processor_time(port: int) -> float:
    """Seconds of CPU that the API server on this port has used."""
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = stat.read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"kube-apiserver") and f"--secure-port={port}".encode() in command:
            fields = (stat.parent / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise SystemExit("bench/conditions.py: the API server is gone")


def create(api: Any, obj: dict[str, Any], count: int) -> None:
    """Create a pod so many times, by dry run."""
    for _ in range(count):
        answer = api.create(obj, obj["metadata"]["namespace"], dryRun="All")
        assert answer.status == 201, answer.object


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return microseconds per pod, by variant and round."""
    with tempfile.TemporaryDirectory() as folder, Cluster(folder) as cluster:
        names = []
        for name, objects in variants(options.policy, options.files, gpu=options.gpu):
            names.append(name)
            register(cluster.api, name, objects)
        time.sleep(3)  # the API server loads configurations within a second
        pods = {name: pod(name, gpu=options.gpu) for name in names}
        for name in names:
            create(cluster.api, pods[name], options.pods)  # expressions are compiled at their first use
        took: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(options.rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                before = processor_time(cluster.port)
                create(cluster.api, pods[name], options.pods)
                took[name].append((processor_time(cluster.port) - before) / options.pods * 1e6)
        return took


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--policy", default="default")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("files", nargs="*", metavar="FILE")
    options = parser.parse_args()
    why_not = missing()
    if why_not:
        print(f"bench/conditions.py: skipped: {why_not}")
        return 0
    took = measure(options)
    above = {name: [a - b for a, b in zip(took[name], took["none"], strict=True)] for name in took}
    floor = statistics.median(above["least"])
    print("variant    CPU a pod, µs   above none   as a multiple of least")
    for name, times in took.items():
        more = statistics.median(above[name])
        print(f"{name:10} {statistics.median(times):13.0f} {more:12.0f} {more / floor:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
