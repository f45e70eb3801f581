"""In-tree policies on a real API server, compared with the engine's findings for the same pods and rules."""

import copy
import re
from collections import defaultdict
from typing import NamedTuple

from e2e.webhooks import settled
from touching import containers

from gpu_admission import rules
from gpu_admission.backends import hami_vendors
from gpu_admission.core.finding import ACTION_OF
from gpu_admission.engine.engine import Engine
from gpu_admission.registration import gpu_names
from gpu_admission.registration.in_tree import checks, policies, repairs
from gpu_admission.rules import consequences, resource_rename
from gpu_admission.workloads import resources

ROOT = "/apis/admissionregistration.k8s.io/v1"
PLURAL = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
EXEMPT = "kube-system"  # in which no in-tree policy judges
VERSION = (1, 36)
FIELDS = ("limits", "requests", "claims")  # of resources; the API server drops others
# Which refusals of a sharing backend only the webhook knows, and what it makes of pods that it would translate.
OF_BACKENDS = frozenset({"GPU101", "GPU102", "GPU103", "GPU104", "GPU105", "GPU106", "GPU107", "GPU108", "GPU109"})
_ID = re.compile(r"\b(GPU\d{3}) [a-z]+")
# A pod that each policy repairs or refuses, whatever its backend: it tells when the policies are in force.
PROBE = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}


class InTree:
    """The policies of one GPUPolicy in force on an API server; errors of expressions refuse the pod."""

    def __init__(self, api, policy, *, before=(), probe=True):
        self.api = api
        self.policy = policy
        self.objects = policies.objects([*before, policy], "parity", VERSION)
        self._probe = probe

    def __enter__(self):
        for obj in self.objects:
            made = copy.deepcopy(obj)
            if "failurePolicy" in made["spec"]:
                made["spec"]["failurePolicy"] = "Fail"
            answer = self.api.request("POST", f"{ROOT}/{PLURAL[obj['kind']]}", made)
            assert answer.status == 201, answer.message[-3000:]
        self._wait(in_force=True)
        return self

    def __exit__(self, *_):
        for obj in reversed(self.objects):
            self.api.delete(f"{ROOT}/{PLURAL[obj['kind']]}/{obj['metadata']['name']}")
        self._wait(in_force=False)

    def _wait(self, *, in_force):
        """Wait until every policy acts on a pod that it is for; an audit leaves no trace in an answer."""
        actions = {obj["metadata"]["name"].rpartition("-")[2] for obj in self.objects} - {"audit"}
        if not self._probe:
            return
        for action in sorted(actions):
            settled(lambda what=action: (what in self.acts(bad_for(what))) == in_force)

    def acts(self, pod):
        answer = self.create(pod)
        found = set()
        if answer.status == 403:
            found.add("deny")
        if answer.warnings:
            found.add("warn")
        if answer.status == 201 and "void" in str(answer.object["spec"]):
            found.add("repair")
        return found

    def create(self, pod):
        return self.api.create(pod, "default", dryRun="All")


def bad_for(action):
    """A pod for which an in-tree policy of an action has a finding under every backend."""
    container = {"name": "c", "image": "i"}
    if action == "deny":
        container["env"] = [PROBE]
    elif action == "repair":
        container["env"] = [{"name": "CUDA_VERSION", "value": "12"}]
    elif action == "warn":
        container["env"] = [{"name": "NVIDIA_GDS", "value": "enabled"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": [container]}}


def exported(policy):
    """The rules of which anything is enforced in-tree under a policy."""
    judged = {check.rule.id for check in checks.of(policy)} | {rule.id for rule in repairs.rules_of(policy)}
    return [rule for rule in rules.ALL if rule.id in judged - OF_BACKENDS]


class Outcome(NamedTuple):
    """What becomes of a pod: ``found`` are rules by action, ``applied`` those that repaired it.

    ``refused`` tells that a sharing backend refuses it, for which there is the webhook.
    """

    status: int
    object: dict | None
    found: dict
    applied: tuple
    refused: bool = False


class Expected:
    """What the engine makes of a pod with the rules that are exported: ``status``, ``object``, rules by action."""

    def __init__(self, api, policy, *, sharing=False):
        self._api = api
        self._policy = policy
        backends = [rule for rule in rules.ALL if rule.id in OF_BACKENDS] if sharing else []
        chosen = {*exported(policy), *backends}
        self._engine = Engine([rule for rule in rules.ALL if rule in chosen], policy)

    def of(self, pod):
        """Status, object, rules by action, and rules that repaired."""
        mutation = self._engine.mutate(as_sent(pod), "admission")
        found = defaultdict(set)
        made = {**mutation.object, "metadata": {**mutation.object["metadata"], "namespace": EXEMPT}}
        answer = self._api.create(made, EXEMPT, dryRun="All")
        if answer.status != 201:
            return Outcome(answer.status, None, found, mutation.applied)
        made = answer.object
        made["metadata"]["namespace"] = "default"
        for finding in self._engine.validate(made, "admission"):
            action = consequences.at_validation(
                rules.BY_ID[finding.rule], ACTION_OF[finding.severity], finding.fix, self._policy
            )
            found[action].add(finding.rule)
        refused = not OF_BACKENDS.isdisjoint(found["deny"])
        for action in found:
            found[action] -= OF_BACKENDS
        return Outcome(403 if found["deny"] else 201, made, found, mutation.applied, refused)


def as_sent(pod):
    """A pod as an admission policy is shown it: limits copied to requests, a scheduler named, no unknown fields."""
    made = copy.deepcopy(pod)
    spec = made["spec"]
    spec.setdefault("schedulerName", "default-scheduler")
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = {name: each for name, each in (container.get("resources") or {}).items() if name in FIELDS}
        container["resources"] = resources
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    return made


def rules_in(messages):
    return {rule for message in messages for rule in _ID.findall(message)}


def comparable(obj):
    """What of an admitted pod is compared: everything but what differs between two namespaces, in the order of names."""
    spec = copy.deepcopy(obj["spec"])
    spec["tolerations"] = sorted(spec.get("tolerations") or (), key=str)
    metadata = obj["metadata"]
    return {"spec": spec, "labels": metadata.get("labels"), "annotations": metadata.get("annotations")}


# Why in-tree policies may say something else of a pod than the engine does: each is documented with its rule.
EXCEPTIONS = {
    "a sub-path that depends on variables (GPU304)": lambda pod, _: any(
        "$" in mount.get("subPathExpr", "") for each in containers(pod) for mount in each.get("volumeMounts") or ()
    ),
    "other vendors' cards in HAMi's words (GPU202)": lambda pod, policy: (
        policy.backend.name == "hami"
        and any(hami_vendors.gathered(dict.fromkeys(amounts(each))) for each in containers(pod))
    ),
    "a variable that refers to others (GPU301, GPU308)": lambda pod, _: any(
        "$" in str(each.get("value", "")) for container in containers(pod) for each in container.get("env") or ()
    ),
    "a claim that the policy knows to be a GPU's": lambda pod, policy: any(
        policy.claims.templates.match(each.get("resourceClaimTemplateName"))
        or policy.claims.claims.match(each.get("resourceClaimName"))
        for each in pod["spec"].get("resourceClaims") or ()
    ),
    "a sum over several resources or containers (GPU009)": lambda pod, policy: (
        bool(policy.limits.get("perPod")) and sum(len(set(amounts(each))) for each in containers(pod)) > 1
    ),
    "a slip in the domain of a name, or in that of a class (GPU302)": lambda pod, policy: any(
        policy.classify(name) is None and resource_rename.meant(name, policy) and not _is_of_a_vendor(name, policy)
        for each in containers(pod)
        for name in amounts(each)
    ),
}


def _is_of_a_vendor(name, policy):
    known = {each.partition("/")[0] for each in gpu_names.names(policy)}
    return name.partition("/")[0] in known and not name.startswith(resources.CLASS_PREFIX)


def amounts(container):
    resources = container.get("resources") or {}
    return [name for side in ("limits", "requests") for name in resources.get(side) or ()]


def exceptions(pod, policy):
    """The documented reasons why the two may differ on a pod."""
    return [reason for reason, holds in EXCEPTIONS.items() if holds(pod, policy)]


def is_for_the_backend(pod, policy):
    """Whether the policy's backend would translate or refuse a pod, which in-tree policies do not."""
    engine = Engine(rules.ALL, policy)
    mutation = engine.mutate(as_sent(pod), "admission")
    found = {finding.rule for finding in engine.remaining(mutation) if finding.severity == "error"}
    return not OF_BACKENDS.isdisjoint({*found, *mutation.applied})


def disagreement(answer, expected):
    """What an API server with in-tree policies and the engine say differently of a pod, or None."""
    status, made, found = expected.status, expected.object, expected.found
    if made is None:
        return None if answer.refused else f"in-tree {answer.status}, the API server refuses what the engine made of it"
    if answer.status != status:
        return f"in-tree {answer.status} {answer.message[:300]}, the engine {status} {dict(found)}"
    if status == 403 and rules_in([answer.message]) != found["deny"]:
        return f"in-tree denies {sorted(rules_in([answer.message]))}, the engine {sorted(found['deny'])}"
    if status in {201, 403} and rules_in(answer.warnings) != found["warn"]:
        return f"in-tree warns of {sorted(rules_in(answer.warnings))}, the engine of {sorted(found['warn'])}"
    if status == 201 and comparable(answer.object) != comparable(made):
        return f"in-tree makes {difference(comparable(answer.object), comparable(made))}"
    return None


def difference(one, other, place=""):
    """The first place in which two raw values differ, and both."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return difference(one.get(key), other.get(key), f"{place}/{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            if pair[0] != pair[1]:
                return difference(*pair, f"{place}/{number}")
    return f"{place}: {one!r}, the engine {other!r}"


def container(name="c", **fields):
    return {"name": name, "image": "i", **fields}


def pod(*containers, metadata=None, **spec):
    every = list(containers) or [container()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", **(metadata or {})},
        "spec": {"containers": every, **spec},
    }


GPU = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
SHOWN = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
