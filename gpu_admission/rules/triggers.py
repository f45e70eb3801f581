"""Triggers: necessary conditions for rules to have findings, evaluated once per object for all rules.

Most rules have no finding in most pods, and calling each of them would dominate the cost of a review. So one scan of a
pod records what is unusual in it, and each rule names the trigger that it needs. A trigger is cheap and necessary:
where it does not hold, no rule that names it has a finding (a test compares both on random objects); where it holds,
the rule is called.
"""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.core.raw import as_dict, as_str
from gpu_admission.engine.rule import Trigger
from gpu_admission.workloads import kind_traits

from . import backend_plan, gpu_markers, runtime_variables, toleration_slips, tolerations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

(
    _AMOUNT, _NAME, _VARIABLE, _PRIVILEGE, _LIST_MOUNT, _HOST_PATH, _HOST_NAMESPACE, _NODE_NAME, _TAINT, _MARK,
    _SELECTOR, _NODE_SELECTOR, _CLAIM, _BOTH_SIDES, _KEY, _RUNTIME_CLASS, _SCHEDULER, _SEVERAL,
) = (1 << place for place in range(18))  # fmt: skip
_PLAN, _REFUSAL, _WRITING = 1, 2, 4
_QUEUE = "kai.scheduler/queue"  # a label that only KAI reads
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_RESOURCES_FIELDS = frozenset({"claims", "limits", "requests"})
_CONTAINER_FIELDS = frozenset(  # kubernetes/api: core/v1/types.go, Container and EphemeralContainer
    ("name", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources", "resizePolicy",
     "restartPolicy", "restartPolicyRules", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe",
     "startupProbe", "lifecycle", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy",
     "securityContext", "stdin", "stdinOnce", "tty", "targetContainerName")
)  # fmt: skip
_VARIABLES = runtime_variables.NAMES
_PREFIXES = runtime_variables.PREFIXES
_SELECTORS = frozenset(runtime_variables.CARD_SELECTORS)
_FOLDER = gpu_markers.DEVICE_LIST_MOUNT.rpartition("/")[2]  # every spelling of the path contains it
_LETTERS = 4  # that distinguish most keys from relevant ones; every pattern has more before its star
_BEGINNINGS = frozenset(
    [
        key[:_LETTERS]
        for keys in (
            gpu_markers.TRUSTED_ANNOTATIONS,
            gpu_markers.TRUSTED_LABELS,
            [key for key, _, _ in (*gpu_markers.OPT_OUT_LABELS, *gpu_markers.OPT_OUT_ANNOTATIONS)],
            gpu_markers.NRI_CDI_DOMAINS,
            gpu_markers.NRI_DEVICE_DOMAINS,
            gpu_markers.CRIO_DEVICES,
        )
        for key in keys
    ]
)
_SERVERLESS, _CLAIM_OBJECT, _NO_POD, _LIMITS = 1, 2, 4, 8
_KINDS: dict[str, int] = {
    "serving.knative.dev": _SERVERLESS | _NO_POD,
    "serving.kserve.io": _SERVERLESS | _NO_POD,
    "resource.k8s.io": _CLAIM_OBJECT | _NO_POD,
    "apps": 0,
    "batch": 0,
}
_ORDINARY = "nvidia.com/gpu"
_CLAIM_FIELDS = frozenset({"claims", "resourceClaims"})


def _survey(workload: Workload, policy: Policy) -> int:
    """Return everything unusual in an object's pods."""
    found = _AMOUNT | _NAME if (workload.group, workload.kind) in kind_traits.OWN_GPU_FIELDS else 0
    values = policy.visible_devices
    if values.get("everyPod") or values.get("served", "leave") != "leave":
        found |= _SEVERAL
    for pod in workload.pods:
        found |= _of_spec(pod.spec, policy) | _of_metadata(pod.metadata)
        if len(pod.containers) != 1 or len(pod.gpus) != 1 or pod.gpus[0].name != _ORDINARY:
            found |= _SEVERAL
        for container in pod.containers:
            noted = container.cache.get("survey")
            if noted is None:
                noted = container.cache["survey"] = _of_resources(container) | _of_container(container)
            found |= noted
    return found


def _of_spec(spec: Mapping[str, Any], policy: Policy) -> int:
    found = _NODE_NAME if spec.get("nodeName") else 0
    if "resourceClaims" in spec or "claims" in spec or "resources" in spec:
        found |= _CLAIM
    if spec.get("nodeSelector") or "nodeAffinity" in as_dict(spec.get("affinity")):
        found |= _NODE_SELECTOR
    if policy.runtime_class or spec.get("runtimeClassName"):
        found |= _RUNTIME_CLASS
    if spec.get("schedulerName") or policy.backend.name in known.READS_ANNOTATIONS:
        found |= _SCHEDULER
    if spec.get("hostPID") or spec.get("hostIPC"):
        found |= _HOST_NAMESPACE
    volumes = spec.get("volumes")
    if isinstance(volumes, list) and any(["hostPath" in volume for volume in volumes if isinstance(volume, dict)]):
        found |= _HOST_PATH
    given = spec.get("tolerations")
    if isinstance(given, list):
        entries = [each for each in given if isinstance(each, dict)]
        ordinary = tolerations.ordinary(policy).issuperset([as_str(each.get("key")) for each in entries])
        if not ordinary or not all([toleration_slips.is_sound(each) for each in entries]):
            found |= _TAINT
    return found


def _of_metadata(metadata: Mapping[str, Any]) -> int:
    found = _SCHEDULER if _QUEUE in as_dict(metadata.get("labels")) else 0
    # In a file, keys need not be strings.
    keys = list(map(as_str, (*as_dict(metadata.get("annotations")), *as_dict(metadata.get("labels")))))
    if not _BEGINNINGS.isdisjoint([key[:_LETTERS] for key in keys]) or gpu_markers.CDI_DOMAIN in " ".join(keys):
        found |= _MARK
    return found


def _of_resources(container: Container) -> int:
    if not container.resources:
        return 0
    found = 0
    if any([not gpu.is_valid for gpu in container.gpus]):
        found |= _AMOUNT
    resources = container.resources
    if len(resources) > 2 or not _CLAIM_FIELDS.isdisjoint(resources):
        found |= _CLAIM
    if not _RESOURCES_FIELDS.issuperset(resources):
        found |= _KEY
    count = len(container.gpus)
    if count and any([gpu.resource.sharing == "partition" for gpu in container.gpus]):
        found |= _NAME  # not every card offers a profile
    if count and any([gpu.name in container.requests for gpu in container.gpus]):
        found |= _BOTH_SIDES
    if len((container.limits.keys() | container.requests.keys()) - _STANDARD) != count:
        found |= _NAME
        if "claims" in container.limits or "claims" in container.requests:
            found |= _CLAIM
    return found


def _of_container(container: Container) -> int:
    spec, found = container.spec, 0
    names = container.env_names
    if spec.get("envFrom") or names_gpu_variable(names):
        found = _VARIABLE
    if not _SELECTORS.isdisjoint(names):
        found |= _SELECTOR
    if not _CONTAINER_FIELDS.issuperset(spec):
        found |= _KEY if _CLAIM_FIELDS.isdisjoint(spec) else _KEY | _CLAIM
    context = spec.get("securityContext")
    if isinstance(context, dict) and (context.get("privileged") or context.get("capabilities")):
        found |= _PRIVILEGE
    if mounts_device_list(spec):
        found |= _LIST_MOUNT
    return found


def names_gpu_variable(names: Collection[str]) -> bool:
    """Return whether any of a container's variables may concern GPUs."""
    if not names:
        return False
    if not _VARIABLES.isdisjoint(names):
        return True
    joined = " ".join(names)  # one search through all names: no false negatives, few false positives
    for prefix in _PREFIXES:  # noqa: SIM110 - called for every container of every pod
        if prefix in joined:
            return True
    return False


def mounts_device_list(container: Mapping[str, Any]) -> bool:
    """Return whether a raw container may mount something below the folder whose entries are read as cards."""
    mounts = container.get("volumeMounts")
    if not isinstance(mounts, list):
        return False
    return _FOLDER in " ".join([as_str(mount.get("mountPath")) for mount in mounts if isinstance(mount, dict)])


def _backend(workload: Workload, policy: Policy) -> int:
    found = 0
    for _, plan in backend_plan.of_pods(workload, policy):
        found |= _PLAN
        if plan.rejections:
            found |= _REFUSAL
        if plan.translations or plan.completion.touches_pod:
            found |= _WRITING
    return found


def _kind(workload: Workload, policy: Policy) -> int:
    found = _KINDS.get(workload.group, _NO_POD)
    if workload.kind == "Pod" and not workload.group:
        found = 0
    return found | _LIMITS if policy.limits or policy.cards else found


amount_in_doubt = Trigger(_survey, _AMOUNT)
"""A GPU is requested in another way than by a limit of a whole number above zero."""
unknown_name = Trigger(_survey, _NAME)
"""A requested resource is neither Kubernetes' own nor a GPU that any cluster may offer."""
amount_or_name_in_doubt = Trigger(_survey, _AMOUNT | _NAME)
"""Either of these."""
gpu_variable = Trigger(_survey, _VARIABLE)
"""A container sets a variable that concerns GPUs, or takes unknown ones."""
card_selector = Trigger(_survey, _SELECTOR)
"""A container sets a variable by which a program selects among the cards that it has."""
privilege = Trigger(_survey, _PRIVILEGE)
"""A container is privileged, or adds or drops capabilities."""
device_list_mount = Trigger(_survey, _LIST_MOUNT)
"""A container mounts something below the folder whose entries are read as a list of cards."""
host_path = Trigger(_survey, _HOST_PATH)
"""A pod mounts a path of its node."""
node_in_hand = Trigger(_survey, _PRIVILEGE | _HOST_PATH)
"""A container has privileges, or a pod mounts a path of its node."""
host_namespace = Trigger(_survey, _HOST_NAMESPACE)
"""A pod shares its node's processes or memory."""
node_name = Trigger(_survey, _NODE_NAME)
"""A pod names its node."""
node_selector = Trigger(_survey, _NODE_SELECTOR)
"""A pod selects its node by labels."""
odd_toleration = Trigger(_survey, _TAINT)
"""A pod tolerates a taint that is neither Kubernetes' own nor one of GPU nodes, or in a way that is refused."""
scheduler_mark = Trigger(_survey, _MARK)
"""A pod has annotations or labels that schedulers and container runtimes trust."""
backend_concerned = Trigger(_backend, _PLAN)
"""The policy's backend is concerned: most pods request whole cards where none is shared."""
backend_refuses = Trigger(_backend, _REFUSAL)
"""The policy's backend rejects something of a request."""
backend_writes = Trigger(_backend, _WRITING)
"""The policy's backend needs a translation or an addition."""
serverless = Trigger(_kind, _SERVERLESS)
"""The kind is one that Knative may run."""
claim_object = Trigger(_kind, _CLAIM_OBJECT)
"""The kind is one of resource.k8s.io: a claim, a template of claims, a class of devices."""
no_workload = Trigger(_kind, _NO_POD)
"""The object is neither a Pod nor of the groups of Kubernetes' own workloads: a quota, an autoscaler, a queue, …"""
limits = Trigger(_kind, _LIMITS)
"""The policy limits how many GPUs may be requested, or defines how many a node has."""
request_beside_limit = Trigger(_survey, _BOTH_SIDES)
"""A container has a GPU among its requests."""
unknown_key = Trigger(_survey, _KEY)
"""A container, or its resources, has a field that Kubernetes does not have there."""
runtime_class = Trigger(_survey, _RUNTIME_CLASS)
"""A pod names its runtime class, or the policy has one."""
named_scheduler = Trigger(_survey, _SCHEDULER)
"""A pod names its scheduler, or KAI's queue, or the policy's backend reads annotations."""
value_for_runtime = Trigger(_survey, _SEVERAL | _VARIABLE | _AMOUNT | _NAME | _CLAIM)
"""Anything but pods of one container with nvidia.com/gpu and no variable, for which the policy has no value."""
pod_claim = Trigger(_survey, _CLAIM)
"""A pod has resource claims, or uses some, or has misplaced ones."""
