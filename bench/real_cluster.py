"""The cost of audit and inspect on a real API server with 5,000 nodes and 50,000 pods.

    KUBEBUILDER_ASSETS=… python bench/real_cluster.py [--nodes 5000] [--pods 50000] [--workloads 5000]

Starts etcd and kube-apiserver as tests/e2e does, has the API server store one object of each sort, and copies those
in etcd under other names, uids, nodes and cards, all of the same length: what it lists then are the bytes that it would
have stored itself, without 65,000 creations. Nodes are a third each HAMi's, of whole GPUs and of dynamic resource
allocation; nine in ten workloads request a GPU, one in ten is privileged. Takes some ten minutes and 4 GiB.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import audit
import inspect_gpus
from e2e.client import collection
from e2e.cluster import Cluster, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NODE, WORKLOAD, POD, VOLUME = "99990", "99991", "999992", "zzzzv"  # placeholders for numbers in the copies
CARD = "GPU-fffffff0-0000-0000-0000-00000000000f"
SPACE = "team-99"
A_TRANSACTION = 60  # etcd takes up to 128 operations and 1.5 MB
KINDS = {
    "Node": "minions",
    "Pod": "pods",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "ResourceSlice": "resourceslices",
    "ResourceClaim": "resourceclaims",
}
HAMI, WHOLE, DRA, NONE = range(4)


class Store:
    """An etcd client, for its JSON gateway."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._url}/v3/kv/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def get(self, key: str) -> bytes:
        """Return the value of a key."""
        (found,) = self._post("range", {"key": base64.b64encode(key.encode()).decode()})["kvs"]
        return base64.b64decode(found["value"])

    def delete(self, key: str) -> None:
        """Delete a key."""
        self._post("deleterange", {"key": base64.b64encode(key.encode()).decode()})

    def put(self, pairs: Iterable[tuple[str, bytes]]) -> int:
        """Write keys and values; return how many."""
        count, batch = 0, []
        for key, value in pairs:
            both = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value).decode()}
            batch.append({"requestPut": both})
            count += 1
            if len(batch) == A_TRANSACTION:
                self._post("txn", {"success": batch})
                batch.clear()
        if batch:
            self._post("txn", {"success": batch})
        return count


class Templates:
    """One object of each kind as the API server stores it: its key, its bytes, and the uids in them."""

    def __init__(self, api: Any, store: Store) -> None:
        self._api = api
        self._store = store
        self._made: list[str] = []
        self.pods: dict[tuple[int, bool], bytes] = {}
        self.sets: dict[bool, tuple[bytes, bytes]] = {}
        self.uids: dict[str, bytes] = {}
        assert api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, None).status == 201
        cluster = inspect_gpus.Cluster(3, 3, 1.0)
        self.nodes = [self._node(cluster, kind) for kind in (HAMI, WHOLE, DRA)]
        device_class = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", **cluster.item("deviceclasses", 0)}
        assert api.create(device_class, None).status == 201
        self.slice = self._slice(cluster)
        self.claim = self._claim(cluster)
        for privileged in (False, True):
            self.sets[privileged] = self._workload(privileged)
            for kind in (HAMI, WHOLE, DRA, NONE):
                self.pods[kind, privileged] = self._pod(kind, privileged)

    def forget(self) -> None:
        """Delete the templates."""
        for key in self._made:
            self._store.delete(key)

    def _stored(self, obj: dict[str, Any], status: dict[str, Any] | None = None, *, wide: bool = False) -> bytes:
        namespace = None if wide else SPACE
        made = self._api.create(obj, namespace)
        assert made.status == 201, made
        name = obj["metadata"]["name"]
        if status is not None:
            done = self._api.patch(f"{collection(obj, namespace)}/{name}/status", {"status": status})
            assert done.status == 200, done
        key = f"/registry/{KINDS[obj['kind']]}/{'' if wide else SPACE + '/'}{name}"
        self._made.append(key)
        found = self._store.get(key)
        uid = made.object["metadata"]["uid"].encode()
        assert found.count(uid) == 1
        self._store.delete(key)
        return found.replace(uid, b"UID" * 12)

    def _node(self, cluster: inspect_gpus.Cluster, kind: int) -> bytes:
        node = cluster.item("nodes", kind)
        text = json.dumps(node).replace(f"node-{kind:05}", f"node-{NODE}")
        for card in range(inspect_gpus.CARDS):
            text = text.replace(inspect_gpus.uuid(kind, card), f"GPU-fffffff0-0000-0000-0000-{card:012x}")
        node = json.loads(text)
        return self._stored({"apiVersion": "v1", "kind": "Node", **node}, node.pop("status"), wide=True)

    def _slice(self, cluster: inspect_gpus.Cluster) -> bytes:
        text = json.dumps(cluster.item("resourceslices", 0)).replace("node-00002", f"node-{NODE}")
        made = json.loads(text)
        made["spec"]["pool"]["resourceSliceCount"] = 1
        return self._stored({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", **made}, wide=True)

    def _claim(self, cluster: inspect_gpus.Cluster) -> bytes:
        made = cluster.item("resourceclaims", 0)
        name = f"claim-{POD}"
        request = {"name": "gpu", "exactly": {"deviceClassName": inspect_gpus.DRIVER, "count": 1}}
        (result,) = made["status"]["allocation"]["devices"]["results"]
        result |= {
            "pool": f"node-{NODE}",
            "request": "gpu",
            "device": "gpu-5",
            "shareID": "11111111-1111-4111-8111-111111111111",
        }
        user = {"resource": "pods", "name": f"app-{WORKLOAD}-1-{POD}", "uid": "1"}
        claim = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": name}}
        claim["spec"] = {"devices": {"requests": [request]}}
        return self._stored(claim, {**made["status"], "reservedFor": [user]})

    def _spec(self, kind: int, *, privileged: bool) -> dict[str, Any]:
        spec = json.loads(json.dumps(audit.pod_spec(0, gpu=kind in {HAMI, WHOLE})).replace("VOLUME", VOLUME))
        for container in spec["containers"]:
            container["image"] = f"registry.example.com/team/app-{WORKLOAD}:1.2.3"
            container.pop("securityContext", None)
        main = spec["containers"][0]
        if privileged:
            main["securityContext"] = {"privileged": True}
        if kind == HAMI:
            for side in ("limits", "requests"):
                main["resources"][side] = {**main["resources"][side], "nvidia.com/gpumem": "4096"}
        if kind == DRA:
            spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": f"claim-{POD}"}]
            main["resources"] = {**main["resources"], "claims": [{"name": "gpu"}]}
        return spec

    def _workload(self, privileged: bool) -> tuple[bytes, bytes]:
        name, labels = f"app-{WORKLOAD}", {"app": f"app-{WORKLOAD}"}
        template = {"metadata": {"labels": labels}, "spec": self._spec(WHOLE, privileged=privileged)}
        spec = {"replicas": 10, "selector": {"matchLabels": labels}, "template": template}
        above = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
        }
        owner = audit.owner("Deployment", name, "DEP" * 12)
        below = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": f"{name}-1", "labels": labels}}
        below["metadata"] |= {"ownerReferences": owner}  # type: ignore[operator]
        return self._stored(above), self._stored({**below, "spec": spec})

    def _pod(self, kind: int, privileged: bool) -> bytes:
        name = f"app-{WORKLOAD}-1-{POD}"
        metadata = {"name": name, "generateName": f"app-{WORKLOAD}-1-", "labels": {"app": f"app-{WORKLOAD}"}}
        metadata |= {"ownerReferences": audit.owner("ReplicaSet", f"app-{WORKLOAD}-1", "SET" * 12)}
        if kind == HAMI:
            metadata |= {"annotations": {"hami.io/vgpu-devices-allocated": f"{CARD},NVIDIA,4096,10:;"}}
        spec = {**self._spec(kind, privileged=privileged), "nodeName": f"node-{NODE}"}
        status = {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "startTime": audit.TIMES}
        status["conditions"] = [
            {"type": each, "status": "True", "lastTransitionTime": audit.TIMES}
            for each in ("Ready", "PodScheduled", "Initialized", "ContainersReady")
        ]
        status["containerStatuses"] = [
            {"name": each, "ready": True, "restartCount": 0, "image": "registry.example.com/team/app:1.2.3",
             "imageID": "sha256:" + "0" * 64, "state": {"running": {"startedAt": audit.TIMES}}}
            for each in ("main", "proxy")
        ]  # fmt: skip
        return self._stored({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, status)


def uid(kind: int, number: int) -> bytes:
    """Return a uid of the right length."""
    return b"%08x-0000-4000-8000-%012x" % (kind, number)


def copies(
    made: Templates, nodes: range, workloads: range, pods: range, sizes: tuple[int, int, int]
) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and values of a part of the cluster; ``sizes`` are all nodes, workloads and pods."""
    for number in nodes:
        kind, node = number % 3, b"node-%05d" % number
        value = made.nodes[kind].replace(b"UID" * 12, uid(1, number)).replace(b"node-" + NODE.encode(), node)
        yield f"/registry/minions/{node.decode()}", value.replace(b"GPU-fffffff0", b"GPU-%08x" % number)
        if kind == DRA:
            value = made.slice.replace(b"UID" * 12, uid(2, number)).replace(b"node-" + NODE.encode(), node)
            yield f"/registry/resourceslices/{node.decode()}", value
    for number in workloads:
        space = b"team-%02d" % (number % 50)
        for kind, plural, suffix in ((3, "deployments", ""), (4, "replicasets", "-1")):
            value = made.sets[number % 10 == 0][kind - 3].replace(WORKLOAD.encode(), b"%05d" % number)
            value = value.replace(SPACE.encode(), space).replace(b"UID" * 12, uid(kind, number))
            yield (
                f"/registry/{plural}/{space.decode()}/app-{number:05}{suffix}",
                value.replace(b"DEP" * 12, uid(3, number)),
            )
    for number in pods:
        yield from _pod(made, number, sizes)


def _pod(made: Templates, number: int, sizes: tuple[int, int, int]) -> Iterator[tuple[str, bytes]]:
    node, workload = (number * each // sizes[2] for each in sizes[:2])
    kind = NONE if workload % 10 == 9 else node % 3
    space = b"team-%02d" % (workload % 50)

    def own(value: bytes) -> bytes:
        value = value.replace(WORKLOAD.encode(), b"%05d" % workload).replace(POD.encode(), b"%06d" % number)
        value = value.replace(SPACE.encode(), space).replace(b"node-" + NODE.encode(), b"node-%05d" % node)
        return value.replace(b"UID" * 12, uid(5, number)).replace(b"SET" * 12, uid(4, workload))

    card = number % inspect_gpus.CARDS
    value = own(made.pods[kind, workload % 10 == 0]).replace(VOLUME.encode(), b"%05d" % (number % 90_000 + 10_000))
    yield (
        f"/registry/pods/{space.decode()}/app-{workload:05}-1-{number:06}",
        value.replace(CARD.encode(), inspect_gpus.uuid(node, card).encode()),
    )
    if kind == DRA:
        claim = own(made.claim).replace(b"gpu-5", b"gpu-%d" % card)
        yield f"/registry/resourceclaims/{space.decode()}/claim-{number:06}", claim


def main() -> int:
    """Print the cost of each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--fractions", type=float, nargs="*", default=[0.1, 0.5, 1.0])
    options = parser.parse_args()
    if why_not := missing():
        print(why_not, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, Cluster(folder) as cluster:
        store = Store(cluster.store)
        made = Templates(cluster.api, store)
        before = (0, 0, 0)
        sizes = (options.nodes, options.workloads, options.pods)
        for fraction in options.fractions:
            now = tuple(int(each * fraction) for each in (options.nodes, options.workloads, options.pods))
            with cluster.without_api_server(signal.SIGTERM, 600):
                made.forget()
                parts = [range(one, other) for one, other in zip(before, now, strict=True)]
                written = store.put(copies(made, *parts, sizes))
            before = now  # type: ignore[assignment]
            print(f"{fraction:.0%}: {written} objects written", flush=True)
            audit.report(f"{now[0]} nodes, {now[1]} workloads, {now[2]} pods", str(cluster.kubeconfig))
            inspect_gpus.report(f"{now[0]} nodes, {now[2]} pods", str(cluster.kubeconfig))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
