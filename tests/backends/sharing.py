"""Pods and policies for the tests of the sharing backends."""

import copy

from gpu_admission import rules
from gpu_admission.backends import plan as plans
from gpu_admission.backends import registry
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import workload as workloads

MEM = "gpu-admission.io/gpu-mem"
COUNT = "gpu-admission.io/gpu-count"
CORE = "gpu-admission.io/gpu-core"

SHARING = [rule for rule in rules.ALL if rule.id.startswith("GPU1") or rule.id == "GPU202"]

# What each backend needs to accept most requests: the parameters of its shipped policy.
POLICIES = {
    backend.name: {
        "backend": {"name": backend.name, **backend.sample},
        "cluster": {"cards": list(backend.sample_cards)},
    }
    for backend in registry.ALL
}

HAMI_CLASS = "hami-core-gpu.project-hami.io"
# Parameters of a policy for its DRA driver.
DRA_PARAMETERS = {
    "nvidia": {},
    "memory": {"consumableShares": "memory"},
    "unlimited": {"consumableShares": "unlimited"},
    "count": {"consumableShares": "count", "sharesPerDevice": 4},
    "time-slicing": {"sharing": "time-slicing", "timeSlice": "Long"},
    "time-slicing of shares": {"sharing": "time-slicing", "consumableShares": "count", "sharesPerDevice": 4},
    "mps": {"sharing": "mps"},
    "amd": {"deviceClass": "gpu.amd.com"},
    "amd of another class": {"deviceClass": "gpu.amd.com-spx", "driver": "amd"},
    "intel": {"driver": "intel"},
    "hami": {"deviceClass": HAMI_CLASS},
}


def policy(name, cards=(), **parameters):
    """A policy of a backend, with further parameters and cards."""
    said = copy.deepcopy(POLICIES[name])
    said["backend"].update(parameters)
    if cards:
        said["cluster"] = {"cards": [{"model": card} if isinstance(card, str) else card for card in cards]}
    return Policy("test", said)


def container(limits=None, name="main", **fields):
    """A container of a Pod at admission: limits are copied to requests."""
    made = {"name": name, "image": "example.com/image:1", **fields}
    if limits:
        made["resources"] = {"limits": dict(limits), "requests": dict(limits)}
    return made


def pod(limits=None, *, containers=None, annotations=None, labels=None, **spec):
    """A Pod as it arrives in admission."""
    metadata = {"name": "pod"}
    if annotations:
        metadata["annotations"] = annotations
    if labels:
        metadata["labels"] = labels
    listed = containers if containers is not None else [container(limits)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"schedulerName": "default-scheduler", **spec, "containers": listed},
    }


def admitted(policy, document, origin="admission"):
    """The document after the rules on sharing, and the remaining findings."""
    review = Engine(SHARING, policy).review(document, origin)
    return review.mutation.object, [finding for finding in review.findings if not finding.repaired]


def found(policy, document, origin="admission"):
    """The IDs of the findings on a document as it stands, without the two that admission repairs."""
    findings = Engine(SHARING, policy).validate(document, origin)
    return sorted(finding.rule for finding in findings if finding.fix != "safe")


def messages(policy, document, rule, origin="admission"):
    """The findings of one rule on a document."""
    return [f.message for f in Engine(SHARING, policy).validate(document, origin) if f.rule == rule]


def resources(document, index=0):
    """The GPU resources of a container; its limits and requests are the same or the test fails."""
    said = document["spec"]["containers"][index].get("resources", {})
    assert said.get("limits") == said.get("requests")
    return said.get("limits")


def understood(policy, document):
    """The portable requests that the policy's own backend reads in a pod, by the container's name."""
    (view,) = workloads.read(document, policy, "admission")
    (pod,) = view.pods
    plan = plans.work_out(pod, document["metadata"], ("metadata",), policy)
    return {one.container.name: one.request for one in plan.asked if one.native}
