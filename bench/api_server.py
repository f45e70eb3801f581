"""The cost of creating a pod on a real API server: without a policy, with the webhook, with in-tree policies.

All three are in force at the same time, each in a namespace of its own, and are asked in turn by every client: what the
machine does besides is unfair to all of them alike. Creations are dry runs. The binaries come from the folder that
``KUBEBUILDER_ASSETS`` names.

    python bench/api_server.py [--policy default] [--clients 8] [--requests 3000] [--check]

``--check`` fails (exit 1) when a target is missed: a pod with a GPU costs no more in-tree than with the webhook, and a
pod without one at most 1.1 times as much as without any policy (medians).
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from e2e import in_tree, webhooks  # noqa: E402 - from tests
from e2e.cluster import Cluster, missing  # noqa: E402
from e2e.webhook import Server  # noqa: E402

from gpu_admission.policyfile import loader  # noqa: E402
from gpu_admission.registration.in_tree import policies, versions  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

WAYS = ("none", "webhook", "in-tree")
PLAIN = 1.1
VARIABLES = [{"name": f"SERVICE_{number}_HOST", "value": f"10.0.0.{number}"} for number in range(20)]
SIDECAR = {"name": "log", "image": "example.com/log:1", "env": VARIABLES[:5]}
GPU = {"limits": {"nvidia.com/gpu": "1", "cpu": "4", "memory": "16Gi"}}


def pod(resources: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a pod of two containers, the first of which may request a GPU."""
    main = {"name": "main", "image": "example.com/main:1", "env": VARIABLES, "resources": resources or {}}
    metadata = {"name": "p", "labels": {"app": "main", "team": "research"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [main, SIDECAR]}}


PODS = {"a pod without a GPU": pod(), "a pod with a GPU, repaired": pod(GPU)}


def only_in(obj: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Return a configuration or policy that is for one namespace."""
    made = copy.deepcopy(obj)
    chosen = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]}
    for place in [*made.get("webhooks", ()), made.get("spec", {}).get("matchConstraints")]:
        if place:
            place["namespaceSelector"]["matchExpressions"].append(chosen)
    return made


def register(api: Any, objects: Iterable[dict[str, Any]], namespace: str) -> None:
    """Create configurations or policies, for one namespace."""
    for obj in objects:
        root = in_tree.ROOT
        plural = in_tree.PLURAL.get(obj["kind"]) or f"{obj['kind'].lower()}s"
        answer = api.request("POST", f"{root}/{plural}", only_in(obj, namespace))
        if answer.status != 201:
            raise SystemExit(f"{obj['kind']}: {answer.message[:500]}")


def measure(api: Any, made: dict[str, Any], clients: int, requests: int) -> dict[str, list[float]]:
    """Return the seconds of each creation, by the way it is judged."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}

    def ask(number: int) -> None:
        way = WAYS[number % len(WAYS)]
        begun = time.perf_counter()
        answer = api.create(made, f"bench-{way}", dryRun="All")
        found[way].append(time.perf_counter() - begun)
        if answer.status != 201:
            raise SystemExit(f"{way}: {answer.message[:500]}")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(requests * len(WAYS))))
    return found


def start(cluster: Cluster, server: Server, name: str) -> None:
    """Install all three variants."""
    policy = loader.load(name)
    for way in WAYS:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"bench-{way}"}}
        cluster.api.create(space, None)
    register(cluster.api, server.configurations(name), "bench-webhook")
    register(cluster.api, policies.objects([policy], "bench", versions.NEWEST), "bench-in-tree")
    for way in WAYS[1:]:
        webhooks.settled(lambda way=way: _repairs(cluster.api.create(pod(GPU), f"bench-{way}", dryRun="All")))


def _repairs(answer: Any) -> bool:
    return answer.status == 201 and "nvidia.com/gpu" in str(answer.object["spec"].get("tolerations"))


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="default")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=1000, help="of each kind, in each way")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    why_not = missing()
    if why_not:
        print(why_not, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, Cluster(folder) as cluster:
        server = Server(Path(folder))
        server.start()
        try:
            start(cluster, server, options.policy)
            medians = {
                kind: report(kind, measure(cluster.api, made, options.clients, options.requests))
                for kind, made in PODS.items()
            }
        finally:
            server.stop()
            cluster.api.close()
    plain, repaired = medians.values()
    missed = plain["in-tree"] > PLAIN * plain["none"] or repaired["in-tree"] > repaired["webhook"]
    return int(options.check and missed)


def report(kind: str, found: dict[str, list[float]]) -> dict[str, float]:
    """Print the times of one kind of pod; return the medians."""
    medians = {way: statistics.median(times) for way, times in found.items()}
    for way, times in found.items():
        p99 = statistics.quantiles(times, n=100)[98]
        factor = medians[way] / medians["none"]
        print(
            f"{kind:30} {way:8} p50 {medians[way] * 1000:6.1f} ms  p99 {p99 * 1000:6.1f} ms  {factor:4.2f} x none",
            flush=True,
        )
    return medians


if __name__ == "__main__":
    sys.exit(main())
