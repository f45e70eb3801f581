"""Occasions: what an object must have for certain rules to find anything in it, looked up once for all of them.

Most pods give most rules nothing to say. An occasion is cheap and necessary: where it does not hold, no rule that
names it has a finding (a test compares both ways on random objects); where it holds, the rules themselves look.
"""

from __future__ import annotations

from gpu_admission.core.shape import mapping, text

from . import markers, sharing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Container, Workload

_VARIABLES = frozenset({*markers.DEVICE_LISTS, *markers.SWITCHES, *markers.ISOLATION_SWITCHES})
_FIELDS = (("annotations", markers.TRUSTED_ANNOTATIONS), ("labels", markers.TRUSTED_LABELS))
_OPT_OUTS = frozenset([key for key, _, _ in markers.OPT_OUT_LABELS])
_INJECTORS = (markers.CDI_DOMAIN, *markers.NRI_DEVICE_DOMAINS)  # those of CDI through NRI hold one of the latter
_SERVERLESS = frozenset({"serving.knative.dev", "serving.kserve.io"})


def amount_in_doubt(workload: Workload, _policy: Policy) -> bool:
    """Tell whether any GPU is asked for in another way than by a limit of a whole number above zero."""
    return any([not gpu.sound for pod in workload.pods for gpu in pod.gpus])


def concerns_backend(workload: Workload, policy: Policy) -> bool:
    """Tell whether the policy's backend has anything to say on a pod: most ask for whole cards where none is shared."""
    return any(sharing.of_pods(workload, policy))


def serverless(workload: Workload, _policy: Policy) -> bool:
    """Tell whether the kind is one that Knative may run."""
    return workload.group in _SERVERLESS


def sets_gpu_variables(workload: Workload, _policy: Policy) -> bool:
    """Tell whether a container sets a variable that has to do with GPUs, or takes some that nobody can tell."""
    for pod in workload.pods:
        for container in pod.containers:
            said = container.memo.get("sets GPU variables")
            if said is None:
                said = container.memo["sets GPU variables"] = _sets_gpu_variables(container)
            if said:
                return True
    return False


def _sets_gpu_variables(container: Container) -> bool:
    names = container.env_names
    if container.spec.get("envFrom") or not _VARIABLES.isdisjoint(names):
        return True
    joined = " ".join(names)  # one search through all names: nothing is missed, and few pods have a false alarm
    return any([prefix in joined for prefix in markers.ISOLATION_PREFIXES])


def mounts_node(workload: Workload, _policy: Policy) -> bool:
    """Tell whether a pod mounts a path of its node."""
    for pod in workload.pods:
        volumes = pod.spec.get("volumes")
        if isinstance(volumes, list) and any(["hostPath" in volume for volume in volumes if isinstance(volume, dict)]):
            return True
    return False


def bears_marks(workload: Workload, _policy: Policy) -> bool:
    """Tell whether a pod's annotations or labels are of those that schedulers and container runtimes believe."""
    for pod in workload.pods:
        for field, owners in _FIELDS:
            keys = list(map(text, mapping(pod.metadata.get(field))))  # a file may have other keys than texts
            if owners.may_be(keys) or not _OPT_OUTS.isdisjoint(keys):
                return True
            joined = " ".join(keys)
            if any([domain in joined for domain in _INJECTORS]):
                return True
    return False
