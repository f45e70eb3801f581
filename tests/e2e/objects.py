"""What tests make in the cluster that all of them share, and how it goes again.

The tests of a file share a cluster, and so do all files of a run, in any order: what a file leaves goes when it ends
(`leftovers`), what a test leaves the next ones find. A pod that requests GPUs is bound to the first node that has some,
by a scheduler that may be started only then.
"""

import contextlib

from e2e.webhooks import settled

from gpu_admission.registration.custom_kinds import plural


@contextlib.contextmanager
def space(api, name):
    """A namespace that is deleted at the end, with its pods."""
    made = api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, None)
    assert made.status == 201, made
    try:
        yield name
    finally:
        vacate(api, f"/api/v1/namespaces/{name}")


def vacate(api, path):
    """Delete a namespace, so that its pods are not created again, and then the pods.

    All else is for the controllers, in their own time; where none run it stays, and so does the namespace.
    """
    for what in (path, f"{path}/pods"):
        removed = api.delete(what, gracePeriodSeconds=0)
        assert removed.status == 200, removed
    for held in api.get(f"{path}/pods").object["items"]:
        freed = api.patch(f"{path}/pods/{held['metadata']['name']}", {"metadata": {"finalizers": None}})
        assert freed.status in {200, 404}, freed


def definition(group, kind):
    """A custom kind that takes any object at all."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"kind": kind, "plural": plural(kind), "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural(kind)}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def define(api, group, kind):
    """Have a custom kind served, for all tests of the file."""
    made = api.create(definition(group, kind), None)
    assert made.status in {201, 409}, made
    settled(lambda: api.get(f"/apis/{group}/v1/{plural(kind)}").status == 200)
