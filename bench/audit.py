"""The cost of an audit: CPU as a multiple of a client that only lists and decodes, and peak memory.

    python bench/audit.py [--pods 50000] [--workloads 5000] [--gpu-share 0.5]

A server on loopback serves a generated cluster page by page: Deployments with their ReplicaSets and pods, each pod
about 5 kB as an API server writes it, owners, status and managedFields included. Both clients run in processes of
their own and use the official client's connection; the first decodes every page with Python's json and does nothing
else, the second is the audit. It is run at a quarter, a half and all of the size, to show that it is linear.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from functools import lru_cache

from generated_api import serve_cluster, usage

KINDS = (
    ("", "v1", "pods", "Pod"),
    ("apps", "v1", "deployments", "Deployment"),
    ("apps", "v1", "replicasets", "ReplicaSet"),
)
TIMES = "2026-11-01T00:00:00Z"


def pod_spec(number: int, *, gpu: bool) -> dict:
    """Return the spec of a workload's pods; ``VOLUME`` is a placeholder for a generated name."""
    limits = {"cpu": "4", "memory": "16Gi", **({"nvidia.com/gpu": "1"} if gpu else {})}
    variables = [{"name": f"SETTING_{each}", "value": f"value of setting {each}"} for each in range(12)]
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {
            "name": "kube-api-access-VOLUME",
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": True,
        },
    ]
    container = {
        "name": "main",
        "image": f"registry.example.com/team/app-{number}:1.2.3",
        "command": ["python", "-m", "app"],
        "env": variables,
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": limits, "requests": limits},
        "volumeMounts": mounts,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        # One workload in ten has a finding.
        **({"securityContext": {"privileged": True}} if number % 10 == 0 else {}),
    }
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "kube-api-access-VOLUME", "projected": {"sources": sources, "defaultMode": 420}},
        ],
        "containers": [container, {**container, "name": "proxy", "securityContext": {}, "resources": {}}],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
    }


def _managed(spec: dict) -> list:
    fields = {
        "f:image": {},
        "f:env": {
            f'k:{{"name":"{each["name"]}"}}': {".": {}, "f:name": {}, "f:value": {}}
            for each in spec["containers"][0]["env"]
        },
    }
    containers = {
        f'k:{{"name":"{each["name"]}"}}': {".": {}, "f:name": {}, "f:resources": {}, **fields}
        for each in spec["containers"]
    }
    author = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {"f:containers": containers, "f:dnsPolicy": {}},
    }
    status = {
        "f:status": {
            "f:conditions": {".": {}, 'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}},
            "f:phase": {},
        }
    }
    return [
        {
            "manager": "kube-controller-manager",
            "operation": "Update",
            "apiVersion": "v1",
            "time": TIMES,
            "fieldsType": "FieldsV1",
            "fieldsV1": author,
        },
        {
            "manager": "kubelet",
            "operation": "Update",
            "apiVersion": "v1",
            "time": TIMES,
            "fieldsType": "FieldsV1",
            "fieldsV1": status,
            "subresource": "status",
        },
    ]


def owner(kind: str, name: str, uid: str) -> list:
    """Return ownerReferences with a controller."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": name,
            "uid": uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


class Cluster:
    """The objects, made when a page is requested."""

    def __init__(self, pods: int, workloads: int, gpu_share: float) -> None:
        self.counts = {"pods": pods, "deployments": workloads, "replicasets": workloads}
        self._workloads = workloads
        self._gpu_share = gpu_share
        self.template = lru_cache(maxsize=4096)(self._template)

    def _template(self, number: int) -> tuple[str, str]:
        """The JSON of a workload's pod spec, and of the managedFields of its pods."""
        spec = pod_spec(number, gpu=(number * 7919) % 1000 < self._gpu_share * 1000)
        return json.dumps(spec), json.dumps(_managed(spec))

    def item(self, plural: str, index: int) -> str:
        """Return the JSON of an object."""
        number = index % self._workloads
        name, namespace = f"app-{number:05}", f"team-{number % 50:02}"
        spec, managed = self.template(number)
        metadata = {"namespace": namespace, "creationTimestamp": TIMES, "resourceVersion": "1", "labels": {"app": name}}
        if plural == "pods":
            above = owner("ReplicaSet", f"{name}-1", f"set-{number}")
            metadata |= {
                "name": f"{name}-1-{index:06}",
                "generateName": f"{name}-1-",
                "uid": f"pod-{index}",
                "ownerReferences": above,
            }
            status = {
                "phase": "Running",
                "conditions": [
                    {"type": each, "status": "True", "lastTransitionTime": TIMES}
                    for each in ("Ready", "PodScheduled", "Initialized")
                ],
                "podIP": "10.0.0.1",
                "containerStatuses": [
                    {
                        "name": each,
                        "ready": True,
                        "restartCount": 0,
                        "image": "registry.example.com/team/app:1.2.3",
                        "imageID": "sha256:" + "0" * 64,
                    }
                    for each in ("main", "proxy")
                ],
            }
            body = spec.replace("VOLUME", f"{index % 90000 + 10000}")
            head = f'{{"metadata":{json.dumps(metadata)[:-1]},"managedFields":{managed}}}'
            node = f'"nodeName":"node-{index % 5000}"'
            return f'{head},"spec":{{{node},{body[1:]},"status":{json.dumps(status)}}}'.replace(": ", ":").replace(
                ", ", ","
            )
        if plural == "replicasets":
            metadata |= {
                "name": f"{name}-1",
                "uid": f"set-{number}",
                "ownerReferences": owner("Deployment", name, f"dep-{number}"),
            }
        else:
            metadata |= {"name": name, "uid": f"dep-{number}"}
        template = f'{{"metadata":{{"labels":{{"app":"{name}"}}}},"spec":{spec}}}'
        return f'{{"metadata":{json.dumps(metadata)},"spec":{{"replicas":10,"selector":{{}},"template":{template}}}}}'

    def answer(self, path: str, query: dict) -> bytes | None:
        """Return the response to a GET, None for 404."""
        plural = path.rpartition("/")[2]
        if path in ("/api", "/apis"):
            items = [
                {
                    "metadata": {"name": group},
                    "versions": [
                        {
                            "version": version,
                            "resources": [
                                {
                                    "resource": plural,
                                    "responseKind": {"kind": kind},
                                    "scope": "Namespaced",
                                    "verbs": ["list"],
                                }
                            ],
                        }
                    ],
                }
                for group, version, plural, kind in KINDS
                if bool(group) == (path == "/apis")
            ]
            return json.dumps({"kind": "APIGroupDiscoveryList", "items": items}).encode()
        if plural == "customresourcedefinitions":
            return b'{"items":[]}'
        if plural not in self.counts:
            return None
        start = int(query.get("continue", 0))
        end = min(start + int(query["limit"]), self.counts[plural])
        token = (
            f'"continue":"{end}","remainingItemCount":{self.counts[plural] - end}' if end < self.counts[plural] else ""
        )
        items = ",".join(self.item(plural, index) for index in range(start, end))
        return f'{{"kind":"List","metadata":{{{token}}},"items":[{items}]}}'.encode()


def serve(port: multiprocessing.Queue, pods: int, workloads: int, gpu_share: float) -> None:
    """Serve a generated cluster until the process is ended."""
    serve_cluster(port, Cluster(pods, workloads, gpu_share))


def measured(results: multiprocessing.Queue, what: str, config: str) -> None:
    """Run one client and report: CPU after the imports that both need, memory, seconds to the first finding."""
    from gpu_admission.cluster.connect import ConnectOptions, connect  # noqa: PLC0415 - not in the server

    connection = connect(ConnectOptions(kubeconfig=config))
    begun, started = usage()[0], time.monotonic()
    first = None
    if what == "audit":
        from gpu_admission.audit.run import audit  # noqa: PLC0415
        from gpu_admission.policyfile import loader  # noqa: PLC0415

        def progress(_: str, result: object, __: int) -> None:
            nonlocal first
            if first is None and result.count:
                first = time.monotonic() - started

        found = audit(connection, loader.load("default"), progress=progress)
        objects = found.objects
        detail = f"{found.count} rows, {len(found.errors)} problems"
    else:
        objects, detail = 0, ""
        for root in ("/api/v1/pods", "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets"):
            token = ""
            while True:
                page = json.loads(connection.get(root, {"limit": "500", **({"continue": token} if token else {})}))
                objects += len(page["items"])
                token = page["metadata"].get("continue")
                if not token:
                    break
    cpu, memory = usage()
    results.put((cpu - begun, memory, time.monotonic() - started, first, objects, detail))


def run(what: str, config: str) -> tuple:
    """Run a client in a separate process; return its measurements."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measured, args=(results, what, config))
    process.start()
    found = results.get(timeout=1200)
    process.join()
    return found


def report(title: str, config: str) -> None:
    """Run both clients and print their costs."""
    listing, auditing = run("list", config), run("audit", config)
    cpu, memory, seconds, first, objects, detail = auditing
    print(f"{title}, {objects} objects ({detail})")
    print(f"  list and decode: {listing[0]:6.2f} s CPU, {listing[1]:4.0f} MiB")
    print(f"  audit:           {cpu:6.2f} s CPU, {memory:4.0f} MiB, {cpu / listing[0]:.2f} times the CPU,", end=" ")
    print(f"{cpu / objects * 1e6:.0f} µs an object, first finding after {(first or 0) / seconds:.1%} of the time")


def generated(pods: int, workloads: int, gpu_share: float) -> None:
    """Measure on a generated cluster of this size."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    server = context.Process(target=serve, args=(queue, pods, workloads, gpu_share), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config")
        content = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{queue.get()}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        with open(config, "w", encoding="utf-8") as file:
            json.dump(content, file)
        report(f"{pods} pods, {workloads} workloads", config)
    server.terminate()
    server.join()


def main() -> int:
    """Print the cost of each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--gpu-share", type=float, default=0.5)
    parser.add_argument("--fractions", type=float, nargs="*", default=[0.25, 0.5, 1.0])
    parser.add_argument("--kubeconfig", help="measure on this cluster instead: it is only read")
    options = parser.parse_args()
    if options.kubeconfig:
        report(options.kubeconfig, options.kubeconfig)
        return 0
    for fraction in options.fractions:
        generated(int(options.pods * fraction), int(options.workloads * fraction), options.gpu_share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
