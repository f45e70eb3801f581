"""Objects as a cluster has them: with owners, times, a node, and notes on who wrote what."""

import itertools

_UIDS = itertools.count(1)
CREATED = "2026-11-01T00:00:00Z"
BAD = {"privileged": {"privileged": True}}


def metadata(name, namespace="team", owner=None, **rest):
    found = {"name": name, "namespace": namespace, "uid": f"uid-{next(_UIDS)}", "creationTimestamp": CREATED, **rest}
    if owner is not None:
        found["ownerReferences"] = [reference(owner)]
    return found


def reference(owner):
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }


def spec(gpus=1, **container):
    """A pod spec; without limits for GPUs it has nothing to do with them."""
    resources = {"limits": {"nvidia.com/gpu": gpus}} if gpus else {}
    return {"containers": [{"name": "train", "image": "example.com/train:1", "resources": resources, **container}]}


FRACTION = spec("500m")  # the API server takes it in custom kinds
NAILED = spec() | {"nodeName": "node-1"}


def managed(*extra, fields=()):
    """managedFields: the author's entry, with what else it wrote, and entries of others (annotations only)."""
    annotations = {f"f:{key}": {} for key in fields}
    author = {
        "f:spec": {"f:containers": {}, **{f"f:{each}": {} for each in extra}},
        "f:metadata": {"f:annotations": annotations},
    }
    scheduler = {"f:metadata": {"f:annotations": {"f:written-by-the-scheduler": {}}}}
    return [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": author},
        {"manager": "scheduler", "operation": "Update", "fieldsV1": scheduler},
        {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]


def pod(name, body=None, owner=None, *, phase="Running", **rest):
    pod_spec = dict(spec() if body is None else body)
    rest.setdefault("managedFields", managed())
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, owner=owner, **rest),
        "spec": pod_spec,
        "status": {"phase": phase},
    }


def workload(kind, name, body=None, owner=None, api_version="apps/v1", *, status=None, **rest):
    template = {"metadata": {"labels": {"app": name}}, "spec": spec() if body is None else body}
    inner = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata(name, owner=owner, **rest),
        "spec": {"replicas": 1, "selector": {}, **inner},
        **({"status": status} if status else {}),
    }
