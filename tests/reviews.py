"""Objects, and the AdmissionReviews that the API server would send of them."""

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def pod(resources=None, **spec):
    container = {"name": "train", "image": "example.com/train:1", "resources": resources or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container], **spec}}


def deployment(resources):
    inner = pod(resources)
    template = {"metadata": {"labels": {"app": "a"}}, "spec": inner["spec"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}


def review(obj, operation="CREATE", *, old=None, namespace="research", user="alice", subresource=None, **extra):
    group, _, version = obj.get("apiVersion", "v1").rpartition("/") if obj else ("", "", "v1")
    request = {
        "uid": UID,
        "kind": {"group": group, "version": version, "kind": (obj or {}).get("kind", "Pod")},
        "operation": operation,
        "namespace": namespace,
        "userInfo": {"username": user},
        "object": obj,
        "oldObject": old,
        **extra,
    }
    if subresource:
        request["subResource"] = subresource
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
