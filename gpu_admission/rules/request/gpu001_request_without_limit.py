"""GPU001: a GPU in requests and not in limits."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, own_fields, resource_rename, triggers
from gpu_admission.workloads.container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU001"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find GPU resources in requests only; the repair copies the value to limits.

    Kubernetes requires a limit for every extended resource, so that a name with ``gpu`` in it need not be known. GPU004
    reports values that are unreadable or negative: they are not copied.
    """
    for gpu in (*common.gpus(workload), *resource_rename.unknown_requests(workload, policy)):
        if gpu.limit is not MISSING or common.limits_may_follow(workload, gpu.container):
            continue
        amount = gpu.quantity("requests")
        if amount is not None and not amount.is_negative:
            yield _problem(workload, gpu)
    yield from own_fields.unlimited(ID, workload)


def _problem(workload: Workload, gpu: GpuRequest) -> Problem:
    room = common.has_room(gpu.container, "limits")
    why = "and Kubernetes refuses a GPU that has no limit"
    if common.is_of_class(gpu):
        why = "where the resource of a device class belongs: Kubernetes accepts the pod, and never schedules it"
    return Problem(
        gpu.pointer("requests"),
        (common.setting(gpu, gpu.request, "requests"), f" but not in limits, {why}"),
        (
            f"write {gpu.name}: {format_value(gpu.request)} under resources.limits",
            " (Kubernetes copies it to requests by itself)",
        ),
        fix=(patch.add(ID, workload.document, gpu.pointer("limits"), gpu.request),) if room else (),
        safety="safe",
    )


RULE = Rule(
    id=ID,
    name="request-without-limit",
    severity="error",
    since="0.1.0",
    summary="a GPU in requests and not in limits",
    rationale="""\
A GPU cannot be overcommitted, so Kubernetes requires it in `limits`; given there alone, it is copied to `requests`.
Given in `requests` alone, a Pod is refused ("Limit must be set for non overcommitable resources"). A custom kind (a
PyTorchJob, an InferenceService, a RayCluster) is accepted, and its pods fail later, with only an event. That applies to
every extended resource, so a name with `gpu` in it is judged even if no device plugin is known to offer it.

Containers without an image in files count as patches of kustomize: their limit may be in the base.""",
    references=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        requests:
          nvidia.com/gpu: 1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        requests:
          nvidia.com/gpu: 1
        limits:
          nvidia.com/gpu: 1
""",
    check=check,
    when=triggers.amount_or_name_in_doubt,
    reads=Reads(bare_requests=True),
    reads_at_mutation=Reads(bare_requests=True),
    fix="safe",
)
