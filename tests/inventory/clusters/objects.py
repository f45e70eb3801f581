"""Nodes and pods of a cluster, and the inventory of one."""

import json

from gpu_admission.inventory.collector import Collector

GIB = 2**30
MIB = 2**20
UUID = "GPU-11111111-1111-1111-1111-111111111111"
UUID2 = "GPU-22222222-2222-2222-2222-222222222222"


def node(name, resources=None, *, labels=None, annotations=None, **spec):
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "110", **(resources or {})}
    return {
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
        "spec": spec,
        "status": {
            "capacity": amounts,
            "allocatable": dict(amounts),
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": f"10.0.0.{len(name)}"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name, where=None, limits=None, *, annotations=None, labels=None, namespace="team-a", message="", **spec):
    resources = {"limits": dict(limits or {}), "requests": dict(limits or {})} if limits else {}
    container = {"name": "main", "image": "example.com/train:1", "resources": resources}
    conditions = [{"type": "PodScheduled", "status": "False", "message": message}] if message else []
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}, "labels": labels or {}},
        "spec": {"containers": [container], **({"nodeName": where} if where else {}), **spec},
        "status": {"phase": "Running" if where else "Pending", "conditions": conditions},
    }


def collected(cluster, policy=None):
    """The inventory of a cluster: a mapping of lists of raw objects."""
    collector = Collector(policy)
    for kind, add in (
        ("classes", collector.add_class),
        ("slices", collector.add_slice),
        ("devices", collector.add_device),
        ("nodes", collector.add_node),
        ("claims", collector.add_claim),
        ("pods", collector.add_pod),
    ):
        for each in cluster.get(kind, ()):
            add(json.loads(json.dumps(each)))
    return collector.finish()


def pool_of(inventory, name, backend=None):
    """The one pool of a node (of a backend)."""
    found = [pool for at, pool in inventory.pools() if at.name == name and (backend is None or pool.backend == backend)]
    assert len(found) == 1, [(pool.backend, pool.resource) for pool in found]
    return found[0]
