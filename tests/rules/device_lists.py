"""Containers whose variables select NVIDIA's devices, and what GPU301 finds in them."""

from rules.table import Found, Row, container, pod

NAME = "NVIDIA_VISIBLE_DEVICES"
VOID = {"name": NAME, "value": "void"}
PLACE = "/spec/containers/0/env"


def shows(place=f"{PLACE}/0/value", *words, fix="unsafe", severity="error"):
    return (Found(place, severity, words, fix),)


def sets(value, gpu=None):
    return pod(container(gpu=gpu, env=[{"name": NAME, "value": value}]))


def idle(name, *entries, at=None, words=(), left=None, key="value"):
    """A GPU-less container: the last entry of the name becomes void."""
    at = len(entries) - 1 if at is None else at
    left = [*entries[:at], VOID, *entries[at + 1 :]] if left is None else left
    found = shows(f"{PLACE}/{at}/{key}", NAME, *words)
    return Row(name, pod(container(env=list(entries))), found, {}, pod(container(env=left)))


def taken(**source):
    return {"name": NAME, "valueFrom": source}


MAP_REF = {"configMapKeyRef": {"name": "settings", "key": "gpus"}}
