"""Policies that are fine and policies that are not, and who refuses them: the API server by the CRD, or only the loader."""

from gpu_admission.backends import registry
from gpu_admission.backends.per_pod import PER_POD


def policy(spec, name="p", **metadata):
    body = {"apiVersion": "gpu-admission.io/v1alpha1", "kind": "GPUPolicy", "metadata": {"name": name, **metadata}}
    return body if spec is None else {**body, "spec": spec}


def _cards(*cards, **more):
    return {"cluster": {"cards": list(cards)}, **more}


def _card(**more):
    return _cards({"model": "A100-80", **more})


def _toleration(**more):
    return {"tolerations": [{"key": "a", **more}]}


def _guardrails(**more):
    return {"guardrails": more}


GOOD = {
    "no spec": None,
    "empty spec": {},
    "nulls": {"schedulerName": None, "runtimeClassName": None, "match": None, "backend": None, "limits": None},
    "a resource that a class stands for": {
        "cluster": {"claims": {"extendedResources": {"example.com/card": "gpu.amd.com"}}}
    },
    "off as kubectl reads it": {"rules": {"GPU001": False}},
    "off as JSON has it": {"rules": {"GPU001": "off"}},
    "settings of a rule": {"rules": {"GPU001": {"action": "warn", "fix": False}, "GPU002": {"action": False}}},
    "settings that say nothing": {"rules": {"GPU001": {}}},
    "memory as a number": _cards({"model": "Own", "memory": 85899345920}),
    "memory as a text": _cards({"model": "Own", "memory": "80Gi"}),
    "memory in thousands": _cards({"model": "Own", "memory": "80e9"}),
    "another name of a card": _cards({"model": "A30"}),
    "profiles of a card": _cards(
        {"model": "Own", "memory": "96Gi", "profiles": [{"name": "1g.12gb", "memory": "11Gi", "count": 7}]}
    ),
    "profiles without a memory": _cards({"model": "Own", "profiles": [{"name": "1g.12gb", "memory": "11Gi"}]}),
    "strategy single": _card(profile="1g.10gb", mig="single") | {"backend": {"name": "mig", "strategy": "single"}},
    "an extra resource": {"resources": {"extra": ["example.com/gpu", "a/B_c.d"]}},
    "a resource of a vendor": {"backend": {"name": "exclusive", "vendor": "intel", "resource": "gpu.intel.com/xe"}},
    "toleration with a value": _toleration(operator="Equal", value="x"),
    "toleration with an empty value": _toleration(operator="Exists", value=""),
    "shared memory": _guardrails(sharedMemory={"gpus": 2, "size": "16Gi"}),
    "jobs": _guardrails(jobs={"longestSeconds": 60, "deadlineSeconds": 60}),
    "node labels": _guardrails(nodes={"add": [{"key": "example.com/a", "value": ""}]}),
    "a path": {"workloads": [{"apiVersion": "a/v1", "kind": "B", "podSpecs": ["/spec/*/a~1b"]}]},
    "every pod": {"visibleDevices": {"gpuLess": "void", "everyPod": True}},
    "claims": {"cluster": {"claims": {"templates": ["gpu-*"], "claims": ["a"], "classes": ["b"]}}},
    "parameters of dra": {
        "backend": {"name": "dra", "template": "gpu", "sharing": "time-slicing", "timeSlice": "Short"}
    },
    **{f"backend {name}": {"backend": {"name": name}} for name in (*registry.NAMES, PER_POD) if name != "mig"},
}

# Refused by the API server and by the loader.
BAD = {
    "unknown key": {"mod": "warn"},
    "unknown rule": {"rules": {"GPU999": "deny"}},
    "a rule's name": {"rules": {"request-without-limit": "deny"}},
    "unknown action": {"rules": {"GPU001": "allow"}},
    "true as an action": {"rules": {"GPU001": True}},
    "a number as an action": {"rules": {"GPU001": 5}},
    "a negative number as an action": {"rules": {"GPU001": -1}},
    "a list as an action": {"rules": {"GPU001": ["deny"]}},
    "unknown action of an object": {"rules": {"GPU001": {"action": "allow"}}},
    "true as an action of an object": {"rules": {"GPU001": {"action": True}}},
    "a text as fix": {"rules": {"GPU001": {"fix": "no"}}},
    "rules as a list": {"rules": ["GPU001"]},
    "unknown mode": {"mode": "enforced"},
    "unknown backend": {"backend": {"name": "volcano-gpu"}},
    "backend without a name": {"backend": {"replicas": 2}},
    "backend as a text": {"backend": "mig"},
    "a parameter of another backend": {"backend": {"name": "mig", "replicas": 2}},
    "too few replicas": {"backend": {"name": "mps", "replicas": 1}},
    "a choice of another parameter": {"backend": {"name": "mps", "hostIPC": "refuse"}},
    "a factor of zero": {"backend": {"name": "hami", "memoryFactor": 0}},
    "a queue without a name": {"backend": {"name": "kai", "queue": ""}},
    "a template that is no name": {"backend": {"name": "dra", "template": "GPU_1"}},
    "a resource without a domain": {"resources": {"extra": ["gpu"]}},
    "a resource of Kubernetes": {"resources": {"extra": ["a.kubernetes.io/gpu"]}},
    "a resource of a quota": {"resources": {"extra": ["requests.example.com/gpu"]}},
    "a resource in capitals": {"resources": {"extra": ["Example.com/gpu"]}},
    "a resource that ends in a hyphen": {"resources": {"extra": ["example.com/gpu-"]}},
    "a resource of a domain that is too long": {"resources": {"extra": [f"{'a' * 61}.{'b' * 61}.{'c' * 121}.d/gpu"]}},
    "a resource of a vendor without a domain": {"backend": {"name": "exclusive", "resource": "xe"}},
    "strategy single without a card": {"backend": {"name": "mig", "strategy": "single"}},
    "strategy single with a card of mixed": _card(profile="1g.10gb", mig="mixed")
    | {"backend": {"name": "mig", "strategy": "single"}},
    "an unknown card": _cards({"model": "A100-8O"}),
    "a card without a model": _cards({"memory": "80Gi"}),
    "a card without a unit": _cards({"model": "Own", "memory": "80"}),
    "a card without memory": _cards({"model": "Own", "memory": 0}),
    "a card with negative memory": _cards({"model": "Own", "memory": "-80Gi"}),
    "a card with a memory that is none": _cards({"model": "Own", "memory": "80 Gi"}),
    "a card with an empty memory": _cards({"model": "Own", "memory": ""}),
    "a card of two terabytes": _cards({"model": "Own", "memory": "2Ti"}),
    "a card with a fraction as a number": _cards({"model": "Own", "memory": 80.5}),
    "a card cut into nothing": _card(mig="single"),
    "a card with an unknown strategy": _card(mig="both"),
    "a profile that is none": _card(profiles=[{"name": "1g", "memory": "10Gi"}]),
    "a profile without memory": _card(profiles=[{"name": "1g.10gb"}]),
    "a profile that does not fit": _card(memory="80Gi", profiles=[{"name": "1g.10gb", "memory": "81Gi"}]),
    "profiles that do not fit": _card(memory="80Gi", profiles=[{"name": "1g.10gb", "memory": "20Gi", "count": 5}]),
    "a profile twice": _card(
        memory="80Gi", profiles=[{"name": "1g.10gb", "memory": "9Gi"}, {"name": "1g.10gb", "memory": "9Gi"}]
    ),
    "a toleration without a key": {"tolerations": [{"operator": "Exists"}]},
    "a toleration with a value too many": _toleration(operator="Exists", value="x"),
    "a toleration with a value and no operator": _toleration(value="x"),
    "a toleration with an unknown effect": _toleration(effect="NoScheduling"),
    "a deadline beyond the longest": _guardrails(jobs={"longestSeconds": 60, "deadlineSeconds": 61}),
    "shared memory of zero": _guardrails(sharedMemory={"size": 0}),
    "shared memory that is none": _guardrails(sharedMemory={"size": "16 Gi"}),
    "shared memory of half a byte": _guardrails(sharedMemory={"size": "500m"}),
    "a label's key that is none": _guardrails(nodes={"add": [{"key": "a b", "value": "c"}]}),
    "no namespaces where GPUs may be": _guardrails(namespaces=[]),
    "a match without namespaces": {"match": {}},
    "a match with none": {"match": {"namespaces": []}},
    "a match with an empty one": {"match": {"namespaces": [""]}},
    "a path without a slash": {"workloads": [{"apiVersion": "a/v1", "kind": "B", "podSpecs": ["spec"]}]},
    "an empty path": {"workloads": [{"apiVersion": "a/v1", "kind": "B", "podSpecs": [""]}]},
    "a path with a stray tilde": {"workloads": [{"apiVersion": "a/v1", "kind": "B", "podSpecs": ["/a~b"]}]},
    "a kind without a version": {"workloads": [{"kind": "B", "podSpecs": ["/spec"]}]},
    "a negative limit": {"limits": {"perPod": -1}},
    "a limit as a text": {"limits": {"perPod": "8"}},
    "a text for exempt namespaces": {"exempt": {"namespaces": "kube-system"}},
    "spec as a list": [],
}

# Not in the schema: tables of cards, and sums. The API server accepts it, the loader refuses it, the status reports it.
ONLY_THE_LOADER = {
    "a profile that the card does not have": _card(profile="9g.90gb"),
    "a card that MIG does not cut": _cards({"model": "Own", "memory": "48Gi", "mig": "mixed"}),
    "an unknown key of a rule's settings": {"rules": {"GPU001": {"action": "deny", "fx": False}}},
    "a resource without a domain that a class stands for": {
        "cluster": {"claims": {"extendedResources": {"card": "gpu.amd.com"}}}
    },
    "profiles that do not fit into a card of the table": _card(profiles=[{"name": "1g.10gb", "memory": "81Gi"}]),
}

# Names that the API server takes for objects and that no policy has.
BAD_NAMES = ("a.b", "a" * 64)
