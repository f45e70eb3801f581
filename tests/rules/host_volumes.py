"""Pods that mount paths of the node."""

from rules.table import container, pod

PLACE = "/spec/volumes/0/hostPath/path"


def mounting(path, gpu=None):
    return pod(container(gpu=gpu), volumes=[{"name": "dev", "hostPath": {"path": path}}])


def sub(root, *, role="containers", origin_env=(), annotations=None, gpu=None, **mount):
    entry = container(
        gpu=gpu if role == "containers" else None,
        volumeMounts=[{"name": "v", "mountPath": "/x", **mount}],
        env=list(origin_env),
    )
    made = pod(
        entry if role == "containers" else container("other", gpu=gpu),
        annotations=annotations,
        volumes=[{"name": "v", "hostPath": {"path": root}}],
    )
    if role != "containers":
        made["spec"][role] = [entry]
    return made
