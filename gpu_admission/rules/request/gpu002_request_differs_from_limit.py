"""GPU002: a GPU's request and its limit are not the same amount."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, own_fields, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU002"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find GPU resources whose request and limit are unequal by value (``1`` and ``"1000m"`` are equal).

    Limits that Kubernetes does not accept are not compared: GPU003 reports fractions and GPU004 the others.
    """
    for gpu in common.gpus(workload):
        limit, request = gpu.quantity("limits"), gpu.quantity("requests")
        if limit is None or request is None or limit.is_negative or request.is_negative:
            continue
        if limit.is_integer and request != limit:
            yield _problem(gpu)
    yield from own_fields.unequal(ID, workload)


def _problem(gpu: GpuRequest) -> Problem:
    why = "and Kubernetes refuses a GPU whose request differs from its limit"
    if common.is_of_class(gpu):
        why = "and devices of a class cannot be overcommitted"
    return Problem(
        gpu.pointer("requests"),
        (common.setting(gpu, gpu.request, "requests"), f" but {format_value(gpu.limit)} in limits, {why}"),
        (f"leave {gpu.name} out of resources.requests", f", or write {format_value(gpu.limit)} there as well"),
        fix=(patch.replace(ID, gpu.pointer("requests"), gpu.limit),),
        safety="unsafe",
        evidence=(gpu.limit, gpu.request),
    )


RULE = Rule(
    id=ID,
    name="request-differs-from-limit",
    severity="error",
    since="0.1.0",
    summary="a GPU's request and limit are not the same amount",
    rationale="""\
Memory and CPU may have a request below the limit: they can be overcommitted. A GPU cannot: Kubernetes refuses a Pod
whose GPU request is not equal to its limit ("must be equal to nvidia.com/gpu limit of 1"). In a custom kind the mistake
is accepted, and its pods fail later. Amounts are compared by value: `1`, `"1"` and `"1000m"` are the same.

The fix assumes that the limit is correct, which only the author knows: it is unsafe.""",
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
          cpu: 4
          nvidia.com/gpu: 1
        limits:
          cpu: 8
          nvidia.com/gpu: 2
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
          cpu: 4
          nvidia.com/gpu: 2
        limits:
          cpu: 8
          nvidia.com/gpu: 2
""",
    scope="request",
    check=check,
    when=triggers.amount_in_doubt,
    fix="unsafe",
)
