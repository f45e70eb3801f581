"""The choice of a backend for one pod, under the policy that derives it from the request.

A policy whose backend is ``any`` is for an unknown cluster: the linter's default. Each pod is judged by
the backend whose resource names or annotations it uses, with that backend's default parameters.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_str

from . import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod

PER_POD = "any"
_WHOLE = "exclusive"
_PORTABLE = "portable"
# Schedulers that identify the system of whole cards: Volcano's and Koordinator's place pods of any system.
BY_SCHEDULER = {"hami-scheduler": "hami", "kai-scheduler": "kai"}


def is_per_pod(policy: Policy) -> bool:
    """Return whether the policy derives the backend from each pod."""
    return policy.backend.name == PER_POD


def backend_name(pod: Pod, policy: Policy) -> str:
    """Return the name of the backend that a pod is judged by: the policy's, or that of the names that it uses.

    Of several systems in one pod the first counts; the others are rejected as a mixture, or ignored. Whole GPUs and MIG
    devices do not belong to a sharing system unless the pod names the scheduler of one that uses these names, and
    requests in only the portable names to none that is known.
    """
    if not is_per_pod(policy):
        return policy.backend.name
    name: str | None = pod.cache.get("backend")
    if name is None:
        name = pod.cache["backend"] = _resolved(pod)
    return name


def _resolved(pod: Pod) -> str:
    systems = {gpu.resource.system: None for gpu in pod.gpus}
    for system in systems:
        if system in known.SHARES_CARDS:
            return system
    if pod.annotated:
        from . import kai_annotations  # noqa: PLC0415 - start-up time: few pods have such annotations

        if kai_annotations.asked(pod, pod.metadata, certain=False):
            return kai_annotations.SYSTEM
    if _PORTABLE in systems:
        return PER_POD
    return BY_SCHEDULER.get(as_str(pod.spec.get("schedulerName")), _WHOLE) if systems else _WHOLE
