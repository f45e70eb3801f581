"""What the rules say of a pod, and what may bring a pod to the webhook although they say nothing."""

import json
import re

from gpu_admission import rules
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import gpu_markers, host_paths, runtime_variables
from gpu_admission.webhook.review.handler import Decider
from gpu_admission.workloads import resource_typos
from gpu_admission.workloads import workload as workloads

EVERY_RULE = Policy("every-rule", {"rules": {rule.id: "deny" for rule in rules.ALL}})
POLICIES = {**{name: loader.load(name) for name in loader.shipped()}, EVERY_RULE.name: EVERY_RULE}


class Judge:
    """The webhook's decision under one policy, on pods that are created or changed."""

    def __init__(self, policy):
        self.policy = policy
        self._decide = Decider(lambda _: policy)

    def says(self, obj, old=None, subresource=""):
        """The rules that say anything of a pod (denials and warnings and notes), and those that must be heard."""
        request = {
            "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "UPDATE" if old else "CREATE",
            "namespace": "default", "object": obj, "oldObject": old, "subResource": subresource,
        }  # fmt: skip
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
        anything, must = set(), set()
        for endpoint in ("mutate", "validate"):
            record = self._decide(body, endpoint).record
            found = [*record.get("rules", ()), *((rule, "repair") for rule in record.get("applied", ()))]
            anything |= {rule for rule, _ in found}
            must |= {rule for rule, action in found if action != "audit" or self._is_noted_on_purpose(rule)}
        return anything, must

    def _is_noted_on_purpose(self, rule):
        setting = self.policy.settings.get(rule)
        return setting is not None and setting.action == "audit"

    def names_a_gpu(self, obj):
        """Whether every rule sees the pod anyway."""
        return any(view.scope == "request" for view in workloads.read(obj, self.policy, "admission"))


def containers(obj):
    return [c for key in ("containers", "initContainers", "ephemeralContainers") for c in obj["spec"].get(key) or ()]


def _variables(obj):
    return [
        e
        for c in containers(obj)
        for e in c.get("env") or ()
        if e["name"] in {*gpu_markers.DEVICE_LISTS, *gpu_markers.SWITCHES}
    ]


def _paths(obj):
    hosts = [v["hostPath"]["path"] for v in obj["spec"].get("volumes") or () if "hostPath" in v]
    return hosts + [m["mountPath"] for c in containers(obj) for m in c.get("volumeMounts") or ()]


def _amounts(obj):
    return {name for c in containers(obj) for name in (c.get("resources") or {}).get("limits") or ()}


def _near_a_known_domain(name):
    domain, _, rest = name.partition("/")
    known = resource_typos.resources.known_names()
    return any(domain == each.partition("/")[0] or rest == each.partition("/")[2] for each in known)


# Why a pod may be sent although no rule has a finding: each is rare, bounded, and costs more to distinguish in CEL.
WIDER = {
    "several entries of one variable, of which the last is harmless":
        lambda obj: len({e["name"] for e in _variables(obj)}) < len(_variables(obj)),
    "a variable that is harmless for what it is made of, or in a way that the list of harmless values does not know":
        lambda obj: any(e.get("value") not in {"", "none", "void", "disabled", None} for e in _variables(obj)),
    "one of NVIDIA's features with another value than enabled, which is the only one that counts":
        lambda obj: any(e["name"] in runtime_variables.FEATURES for e in _variables(obj)),
    "an envFrom whose prefix begins a name that env sets itself":
        lambda obj: any(f.get("prefix") and e["name"].startswith(f["prefix"]) for c in containers(obj) for f in c.get("envFrom") or () for e in c.get("env") or ()),
    "an annotation that could opt out, and does not":
        lambda obj: any(key in (obj["metadata"].get("annotations") or ()) for key, _, _ in gpu_markers.OPT_OUT_ANNOTATIONS),
    "an envFrom that could make an image an old one, of a container that sets its list":
        lambda obj: any(f.get("prefix") and name.startswith(f["prefix"]) for c in containers(obj) for f in c.get("envFrom") or () for name in runtime_variables.LEGACY),
    "devices that are no cards, injected by annotation":
        lambda obj: any(key.partition("/")[0] in {*gpu_markers.NRI_DEVICE_DOMAINS, *gpu_markers.CRIO_DEVICES} for key in obj["metadata"].get("annotations") or ()),
    "NVIDIA's runtime class on a pod that is blinded or has a claim":
        lambda obj: obj["spec"].get("runtimeClassName") in gpu_markers.NVIDIA_RUNTIME_CLASSES,
    "a path with .., a relative one, one in a root under /proc, or one that only begins as a device list":
        lambda obj: any(re.search(r"(^|/)\.\.(/|$)|^[^/]|/proc/.*/(root|cwd)(/|$)", p) or host_paths.normal(p).startswith(gpu_markers.DEVICE_LIST_MOUNT) for p in _paths(obj)),
    "a sub-path of a folder above devices that leads to none of them":
        lambda obj: any("subPath" in m or "subPathExpr" in m for c in containers(obj) for m in c.get("volumeMounts") or ()),
    "two slips in one half of a name whose other half is a GPU vendor's":
        lambda obj: any(_near_a_known_domain(name) for name in _amounts(obj)),
    "a sub-path that depends on variables, of a folder above devices":
        lambda obj: any("$" in m.get("subPathExpr", "") for c in containers(obj) for m in c.get("volumeMounts") or ()),
    "a long path":
        lambda obj: any(len(p) > 200 for p in _paths(obj)),
    "a quota's word before the name of a resource":
        lambda obj: any(name.startswith(("requests.", "limits.")) for name in _amounts(obj)),
}  # fmt: skip


def wider(obj):
    """The reasons why a pod of which the rules say nothing may come."""
    return [reason for reason, holds in WIDER.items() if holds(obj)]
