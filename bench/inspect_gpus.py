"""The cost of an inventory: CPU as a multiple of a client that only lists and decodes, and peak memory.

    python bench/inspect_gpus.py [--nodes 5000] [--pods 50000] [--gpu-nodes 1.0]

A server on loopback serves a generated cluster page by page. Nodes are a third each HAMi's, with whole GPUs and with
dynamic resource allocation; pods are some 5 kB as an API server writes them, and each holds a part of its node's GPUs.
Both clients run in processes of their own over the same connection; the first decodes every page with Python's json
and does nothing else. It is run at a quarter, a half and all of the size, to show that it is linear.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from typing import Any

from generated_api import serve_cluster, usage

CARDS = 8
PER_CARD = 8
DRIVER = "gpu.nvidia.com"
KINDS = (
    ("", "v1", "nodes", "Node"),
    ("", "v1", "pods", "Pod"),
    ("resource.k8s.io", "v1", "deviceclasses", "DeviceClass"),
    ("resource.k8s.io", "v1", "resourceslices", "ResourceSlice"),
    ("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim"),
)
PATHS = {
    plural: f"/apis/{group}/{version}/{plural}" if group else f"/api/{version}/{plural}"
    for group, version, plural, _ in KINDS
}


def uuid(node: int, card: int) -> str:
    """Name a card as NVIDIA does."""
    return f"GPU-{node:08x}-0000-0000-0000-{card:012x}"


class Cluster:
    """The objects, made when a page is requested."""

    def __init__(self, nodes: int, pods: int, gpu_nodes: float) -> None:
        self.gpus = max(int(nodes * gpu_nodes), 1)
        self.counts = {"nodes": nodes, "pods": pods, "deviceclasses": 1, "resourceslices": 0, "resourceclaims": 0}
        self.counts["resourceslices"] = len([1 for node in range(self.gpus) if node % 3 == 2])
        self.counts["resourceclaims"] = len([1 for index in range(pods) if self.kind(index % nodes) == 2])
        self.claims = [index for index in range(pods) if self.kind(index % nodes) == 2]
        managed = {f"f:field{each}": {".": {}, "f:name": {}, "f:value": {}} for each in range(60)}
        self.managed = [{"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": managed}]

    def kind(self, node: int) -> int:
        """Return a node's type: 0 HAMi, 1 whole GPUs, 2 dynamic resource allocation, 3 without GPUs."""
        return node % 3 if node < self.gpus else 3

    def item(self, plural: str, index: int) -> dict[str, Any]:
        """Return an object."""
        return {
            "nodes": self._node,
            "pods": self._pod,
            "deviceclasses": self._class,
            "resourceslices": self._slice,
            "resourceclaims": self._claim,
        }[plural](index)

    def _node(self, index: int) -> dict[str, Any]:
        room = {"cpu": "64", "memory": "512Gi", "pods": "110"}
        annotations = {}
        if self.kind(index) == 0:
            room["nvidia.com/gpu"] = str(CARDS * PER_CARD)
            entry = {"count": PER_CARD, "devmem": 81920, "devcore": 100, "type": "NVIDIA-A100", "health": True}
            cards = [{"id": uuid(index, card), "index": card, **entry} for card in range(CARDS)]
            annotations["hami.io/node-nvidia-register"] = json.dumps(cards)
        elif self.kind(index) == 1:
            room["nvidia.com/gpu"] = str(CARDS)
        labels = {f"example.com/label-{each}": f"value-{each}" for each in range(40)}
        conditions = [
            {"type": each, "status": "True" if each == "Ready" else "False"} for each in ("Ready", "DiskPressure")
        ]
        images = [{"names": [f"registry.example.com/image-{each}:1"], "sizeBytes": 1000} for each in range(40)]
        return {
            "metadata": {"name": f"node-{index:05}", "labels": labels, "annotations": annotations},
            "spec": {},
            "status": {"capacity": room, "allocatable": room, "conditions": conditions, "images": images},
        }

    def _pod(self, index: int) -> dict[str, Any]:
        node = index % self.counts["nodes"]
        kind = self.kind(node)
        limits: dict[str, str] = {"cpu": "4", "memory": "16Gi"}
        annotations = {}
        if kind == 0:
            limits |= {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "4096"}
            annotations["hami.io/vgpu-devices-allocated"] = f"{uuid(node, index // 7 % CARDS)},NVIDIA,4096,10:;"
        elif kind == 1:
            limits["nvidia.com/gpu"] = "1"
        container = {
            "name": "main",
            "image": "registry.example.com/app:1",
            "env": [{"name": f"SETTING_{each}", "value": f"value of setting {each}"} for each in range(12)],
            "resources": {"limits": limits, "requests": limits},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
        claims = {"resourceClaims": [{"name": "gpu", "resourceClaimName": f"c{index}"}]} if kind == 2 else {}
        waits = index % 100 == 99
        return {
            "metadata": {
                "name": f"p{index:06}",
                "namespace": f"team-{index % 50:02}",
                "annotations": {} if waits else annotations,
                "managedFields": self.managed,
            },
            "spec": {
                "containers": [container, {**container, "name": "proxy", "resources": {}}],
                "volumes": [{"name": "data", "emptyDir": {}}],
                **claims,
                **({} if waits else {"nodeName": f"node-{node:05}"}),
            },
            "status": {"phase": "Pending" if waits else "Running"},
        }

    def _class(self, _: int) -> dict[str, Any]:
        expression = f"device.driver == '{DRIVER}'"
        return {"metadata": {"name": DRIVER}, "spec": {"selectors": [{"cel": {"expression": expression}}]}}

    def _slice(self, index: int) -> dict[str, Any]:
        name = f"node-{index * 3 + 2:05}"
        devices = [
            {
                "name": f"gpu-{card}",
                "attributes": {"productName": {"string": "NVIDIA H100"}, "uuid": {"string": uuid(index, card)}},
                "capacity": {"memory": {"value": "80Gi"}},
                "allowMultipleAllocations": True,
            }
            for card in range(CARDS)
        ]
        spec = {"driver": DRIVER, "nodeName": name, "pool": {"name": name, "generation": 1}, "devices": devices}
        return {"metadata": {"name": name}, "spec": spec}

    def _claim(self, number: int) -> dict[str, Any]:
        index = self.claims[number]
        pool = f"node-{index % self.counts['nodes']:05}"
        consumed = {"memory": "8Gi"}
        result = {"driver": DRIVER, "pool": pool, "device": f"gpu-{index // 7 % CARDS}", "consumedCapacity": consumed}
        status = {
            "allocation": {"devices": {"results": [result]}},
            "reservedFor": [{"resource": "pods", "name": f"p{index:06}"}],
        }
        return {"metadata": {"name": f"c{index}", "namespace": f"team-{index % 50:02}"}, "spec": {}, "status": status}

    def answer(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return the response to a GET, None for 404."""
        if path in ("/api", "/apis"):
            items = [_discovered(kind) for kind in KINDS if bool(kind[0]) == (path == "/apis")]
            return json.dumps({"kind": "APIGroupDiscoveryList", "items": items}).encode()
        plural = path.rpartition("/")[2]
        if plural not in self.counts:
            return None
        start, count = int(query.get("continue", 0)), self.counts[plural]
        end = min(start + int(query["limit"]), count)
        metadata = {"continue": str(end), "remainingItemCount": count - end} if end < count else {}
        items = [self.item(plural, index) for index in range(start, end)]
        return json.dumps({"kind": "List", "metadata": metadata, "items": items}, separators=(",", ":")).encode()


def _discovered(kind: tuple[str, str, str, str]) -> dict[str, Any]:
    group, version, plural, name = kind
    served = {"resource": plural, "responseKind": {"kind": name}, "scope": "Cluster", "verbs": ["list"]}
    return {"metadata": {"name": group}, "versions": [{"version": version, "resources": [served]}]}


def serve(port: multiprocessing.Queue[int], nodes: int, pods: int, gpu_nodes: float) -> None:
    """Serve a generated cluster until the process is ended."""
    serve_cluster(port, Cluster(nodes, pods, gpu_nodes))


def measured(results: multiprocessing.Queue[Any], what: str, config: str) -> None:
    """Run one client; report CPU without the imports that both need, memory, and the result."""
    from gpu_admission.cluster.connect import ConnectOptions, connect  # noqa: PLC0415 - not in the server

    connection = connect(ConnectOptions(kubeconfig=config))
    connection.get("/api")
    begun = usage()[0]
    if what == "list":
        objects = sum(_listed(connection, path) for path in PATHS.values())
        results.put((usage()[0] - begun, usage()[1], f"{objects} objects"))
        return
    from gpu_admission.cluster.gpu_inventory import collect  # noqa: PLC0415
    from gpu_admission.inventory import report  # noqa: PLC0415
    from gpu_admission.inventory.sections import sections  # noqa: PLC0415

    inventory = collect(connection)
    collected = usage()[0] - begun
    held = sum(1 for _, pool in inventory.pools() for _ in pool.holdings())
    found = f"{held} holdings, {len(inventory.waiting)} waiting, {len(sections(inventory))} sections"
    began = time.process_time()
    size = len(json.dumps(report.as_data(inventory)))
    results.put((collected, usage()[1], f"{found}; as JSON {size >> 20} MiB in {time.process_time() - began:.2f} s"))


def _listed(connection: Any, path: str) -> int:
    objects, token = 0, ""
    while True:
        page = json.loads(connection.get(path, {"limit": "500", **({"continue": token} if token else {})}))
        objects += len(page["items"])
        token = page["metadata"].get("continue")
        if not token:
            return objects


def run(what: str, config: str) -> tuple[float, float, str]:
    """Run a client in a separate process; return its measurements."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measured, args=(results, what, config))
    process.start()
    found: tuple[float, float, str] = results.get(timeout=1200)
    process.join()
    return found


def report(title: str, config: str) -> None:
    """Run both clients and print their costs."""
    listing, inspecting = run("list", config), run("inspect", config)
    print(f"{title}, {listing[2]} ({inspecting[2]})")
    print(f"  list and decode: {listing[0]:6.2f} s CPU, {listing[1]:4.0f} MiB")
    ratio = inspecting[0] / listing[0]
    print(f"  inspect:         {inspecting[0]:6.2f} s CPU, {inspecting[1]:4.0f} MiB, {ratio:.2f} times the CPU")


def main() -> int:
    """Print the cost of each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--gpu-nodes", type=float, default=1.0, help="how many of the nodes have GPUs [all]")
    parser.add_argument("--fractions", type=float, nargs="*", default=[0.25, 0.5, 1.0])
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for fraction in options.fractions:
        nodes, pods = int(options.nodes * fraction), int(options.pods * fraction)
        queue = context.Queue()
        server = context.Process(target=serve, args=(queue, nodes, pods, options.gpu_nodes), daemon=True)
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "config")
            with open(config, "w", encoding="utf-8") as file:
                json.dump(
                    {
                        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{queue.get()}"}}],
                        "users": [{"name": "u", "user": {}}],
                        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                        "current-context": "x",
                    },
                    file,
                )
            report(f"{nodes} nodes, {pods} pods", config)
        server.terminate()
        server.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
