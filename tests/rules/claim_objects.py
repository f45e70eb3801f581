"""Claims, templates, classes and pods that use them, for the tests of the rules on claims."""

from gpu_admission import rules
from gpu_admission.core import pointer
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads.claim_index import ClaimIndex

V1 = "resource.k8s.io/v1"


def exactly(name="gpu", device_class="gpu.nvidia.com", **fields):
    return {"name": name, "exactly": {"deviceClassName": device_class, **fields}}


def selected(expression, device_class="gpu.nvidia.com"):
    return claim(exactly(device_class=device_class, selectors=[{"cel": {"expression": expression}}]))


def configured(parameters, driver="gpu.nvidia.com", device_class="gpu.nvidia.com", **fields):
    return claim(
        exactly(device_class=device_class, **fields),
        config=[{"requests": ["gpu"], "opaque": {"driver": driver, "parameters": parameters}}],
    )


def claim(*requests, name="c", namespace=None, **devices):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": V1,
        "kind": "ResourceClaim",
        "metadata": metadata,
        "spec": {"devices": {"requests": list(requests), **devices}},
    }


def template(*requests, name="one", namespace=None, **devices):
    made = claim(*requests, name=name, namespace=namespace, **devices)
    return {**made, "kind": "ResourceClaimTemplate", "spec": {"spec": made["spec"]}}


def device_class(name, *, extended=None, driver=None):
    spec = {}
    if driver:
        spec["selectors"] = [{"cel": {"expression": f'device.driver == "{driver}"'}}]
    if extended:
        spec["extendedResourceName"] = extended
    return {"apiVersion": V1, "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def container(*claims, name="train", **resources):
    used = [each if isinstance(each, dict) else {"name": each} for each in claims]
    given = {**resources, **({"claims": used} if used else {})}
    return {"name": name, "image": f"example.com/{name}:1", **({"resources": given} if given else {})}


def entry(name="gpu", template="one", **fields):
    return {"name": name, "resourceClaimTemplateName": template, **fields}


def pod(claims, *containers, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"resourceClaims": claims, "containers": list(containers), **spec},
    }


def workload(kind, claims, *containers, api_version="apps/v1", **spec):
    made = pod(claims, *containers)
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "w"},
        "spec": {**spec, "template": {"metadata": {"labels": {"app": "w"}}, "spec": made["spec"]}},
    }


def engine(*documents, policy=None, only=None):
    """An engine that has seen documents as the linter's has those of its input."""
    made = Policy("claims", policy or {})
    if only:
        made = made.selecting(frozenset(only))
    index = ClaimIndex()
    index.enter(documents)
    return Engine(rules.ALL, made, index)


def found(*documents, policy=None, prefix="GPU4"):
    """The findings in documents of one input: rule, place, severity."""
    judged = engine(*documents, policy=policy)
    return [
        (each.rule, pointer.to_text(each.pointer), each.severity)
        for document in documents
        for each in judged.validate(document)
        if each.rule.startswith(prefix)
    ]


def wording(*documents, policy=None):
    judged = engine(*documents, policy=policy)
    return " ".join(f"{each.message}; {each.advice}" for one in documents for each in judged.validate(one))


def fixed(document, *others, only=None):
    """A document with all fixes applied."""
    return engine(document, *others, only=only).mutate(document, unsafe=True, consent=True).object
