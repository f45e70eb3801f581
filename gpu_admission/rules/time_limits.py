"""The fields in which kinds of jobs limit their time and their life after the end (for GPU503).

Sources: k8s.io/api batch/v1 (JobSpec); kubeflow/training-operator pkg/apis/kubeflow.org/v1 (RunPolicy); jobset
api/jobset/v1alpha2 (JobSetSpec); ray-project/kuberay apis/ray/v1 (RayJobSpec); volcano apis batch/v1alpha1 (JobSpec);
argo-workflows workflow/v1alpha1 (WorkflowSpec); keda apis/keda/v1alpha1 (ScaledJobSpec).
"""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.guardrails import TimeLimit
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

DEADLINE = "activeDeadlineSeconds"
TTL = "ttlSecondsAfterFinished"
OF_JOBS = (DEADLINE, TTL)  # in the spec of Kubernetes' own Jobs


class JobFields:
    """The place of a kind's time limits.

    ``path`` is the path of their mapping from the object; ``deadline`` is whether it has activeDeadlineSeconds, ``ttl``
    is the key of the time to live after the end. ``has_jobs`` means that pod templates are in specs of Kubernetes' own
    Jobs, which have deadlines of their own.
    """

    __slots__ = ("deadline", "has_jobs", "path", "ttl")

    def __init__(self, path: str, *, deadline: bool = True, ttl: str = TTL, has_jobs: bool = False) -> None:
        self.path: Pointer = tuple(path.split("/"))
        self.deadline = deadline
        self.ttl = ttl
        self.has_jobs = has_jobs


_KUBEFLOW = JobFields("spec/runPolicy")
_KINDS: dict[str, dict[str, JobFields]] = {
    "batch": {"Job": JobFields("spec"), "CronJob": JobFields("spec/jobTemplate/spec")},
    "kubeflow.org": dict.fromkeys(
        ("PyTorchJob", "TFJob", "MPIJob", "JAXJob", "PaddleJob", "XGBoostJob", "MXJob"), _KUBEFLOW
    ),
    "jobset.x-k8s.io": {"JobSet": JobFields("spec", deadline=False, has_jobs=True)},
    "ray.io": {"RayJob": JobFields("spec"), "RayCronJob": JobFields("spec/jobTemplate")},
    "batch.volcano.sh": {
        "Job": JobFields("spec", deadline=False),
        "CronJob": JobFields("spec/jobTemplate/spec", deadline=False),
    },
    "argoproj.io": {
        "Workflow": JobFields("spec", ttl="ttlStrategy"),
        "CronWorkflow": JobFields("spec/workflowSpec", ttl="ttlStrategy"),
    },
    "keda.sh": {"ScaledJob": JobFields("spec/jobTargetRef")},
}


def fields_of(workload: Workload) -> JobFields | None:
    """Return the place of the object's time limits, None where it is not a job."""
    return _KINDS.get(workload.group, {}).get(workload.kind)


def is_limited(wanted: TimeLimit, has_deadline: bool, has_ttl: bool) -> bool:
    """Return whether a job has the limit that a policy requires."""
    return {"any": has_deadline or has_ttl, "deadline": has_deadline, "ttl": has_ttl}[wanted]


def holder(workload: Workload, fields: JobFields) -> tuple[Pointer, Mapping[str, Any] | None]:
    """Return the pointer to the time limits (even if missing), and their mapping, which may be empty.

    It is None where the value there is not a mapping.
    """
    here: Any = workload.object
    for token in fields.path:
        here = pointers.child(here, token)
    return (*workload.pointer, *fields.path), as_dict(here) if isinstance(here, dict | None) else None


def deadlines(workload: Workload, fields: JobFields, pod: Pod) -> Iterator[tuple[Pointer, Any]]:
    """Yield every deadline that ends a pod of the job, raw, with its pointer."""
    around: list[tuple[Pointer, object]] = [(pod.pointer, pod.spec)]
    if fields.deadline:
        around.append(holder(workload, fields))
    if fields.has_jobs:
        place = pod.pointer[:-2]
        around.append((place, pointers.resolve(workload.document, place)))
    for place, found in around:
        raw = as_dict(found).get(DEADLINE)
        if raw is not None:
            yield (*place, DEADLINE), raw
