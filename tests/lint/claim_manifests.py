"""Templates, classes and pods with claims, for the tests of translating them."""

from gpu_admission.backends import registry

CLASS = "gpu.nvidia.com"
HAMI = "hami-core-gpu.project-hami.io"
TARGETS = [name for name in registry.NAMES if name != "dra"]


def template(*requests, name="gpu", **devices):
    spec = {"spec": {"devices": {"requests": list(requests), **devices}}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": spec,
    }


def request(name="gpu", device_class=CLASS, *, cel=(), capacity=None, **fields):
    exactly = {"deviceClassName": device_class, **fields}
    if cel:
        exactly["selectors"] = [{"cel": {"expression": each}} for each in cel]
    if capacity:
        exactly["capacity"] = {"requests": capacity}
    return {"name": name, "exactly": exactly}


def pod(*claims, containers=None, **spec):
    """A pod whose one container uses all its claims, which are named like their templates."""
    entries = [{"name": claim, "resourceClaimTemplateName": claim} for claim in claims]
    container = {"name": "a", "image": "i", "resources": {"claims": [{"name": claim} for claim in claims]}}
    listed = containers if containers is not None else [container]
    named = {"resourceClaims": entries} if entries else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {**named, "containers": listed, **spec},
    }


def least(amount, domain=CLASS):
    return f"device.capacity['{domain}'].memory.compareTo(quantity('{amount}')) >= 0"


def profile(name):
    return f"device.attributes['{CLASS}'].profile == '{name}'"


def limits(documents, index=0):
    (found,) = [one for one in documents if one["kind"] == "Pod"]
    return found["spec"]["containers"][index].get("resources", {}).get("limits")


def device_class(name, extended=None, driver=CLASS):
    spec = {"selectors": [{"cel": {"expression": f"device.driver == '{driver}'"}}]}
    if extended:
        spec["extendedResourceName"] = extended
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def asking(**limits):
    return pod(containers=[{"name": "a", "image": "i", "resources": {"limits": limits}}])
