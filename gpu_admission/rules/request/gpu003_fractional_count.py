"""GPU003: an amount of a GPU resource that is not a whole number."""

from __future__ import annotations

from gpu_admission.backends import known, per_pod
from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, own_fields, triggers
from gpu_admission.workloads.resources import PORTABLE_MEMORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from gpu_admission.core.finding import Sentence
    from gpu_admission.core.quantity import Quantity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU003"

_COUNTABLE = (2**63 - 1) // 1000  # the API server's test multiplies by a thousand, in 64 bits


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find amounts that Kubernetes does not accept as whole numbers, each mistake once."""
    for gpu in common.gpus(workload):
        limit, request = gpu.quantity("limits"), gpu.quantity("requests")
        if _fractional(limit):
            yield _problem(gpu, "limits", policy)
        if _fractional(request) and request != limit and not _comparable(limit):
            yield _problem(gpu, "requests", policy)
    yield from own_fields.fractional(workload)


def _fractional(amount: Quantity | None) -> bool:
    return amount is not None and not amount.is_negative and not amount.is_integer


def _comparable(limit: Quantity | None) -> bool:
    """Return whether GPU002 already finds that a fractional request differs from this limit."""
    return limit is not None and not limit.is_negative and limit.is_integer


def _problem(gpu: GpuRequest, side: Literal["limits", "requests"], policy: Policy) -> Problem:
    raw = gpu.limit if side == "limits" else gpu.request
    return Problem(gpu.pointer(side), (common.setting(gpu, raw, side), f", {_reason(gpu, side)}"), _advice(gpu, policy))


def _reason(gpu: GpuRequest, side: Literal["limits", "requests"]) -> str:
    amount = gpu.quantity(side)
    if amount is not None and amount.ceil() > _COUNTABLE:
        return "a number too large for Kubernetes' test of whole numbers"
    if gpu.resource.unit == "device":
        return "and Kubernetes only allocates whole GPUs"
    return "and Kubernetes only accepts whole numbers for it"


def _advice(gpu: GpuRequest, policy: Policy) -> Sentence:
    """Return what to write instead: whole units, or the share of a card that this cluster offers."""
    backend = policy.backend
    if gpu.resource.unit != "device":
        return f"write {gpu.name} as a whole number" + (", say 8Gi" if gpu.name == PORTABLE_MEMORY else "")
    whole = f"write a whole number, say {gpu.name}: 1"
    if gpu.resource.vendor not in {"nvidia", "any"}:
        return whole
    if backend.name in known.SHARED_BY_MEMORY:
        return whole, f"; to share one GPU, request memory instead: {PORTABLE_MEMORY}: 8Gi"
    if backend.name in known.SHARED_BY_COUNT:
        shared = "nvidia.com/gpu.shared" if backend.parameters.get("renameByDefault") else "nvidia.com/gpu"
        return f"write {shared}: 1", f", which in this cluster is a share of a GPU already ({backend.name})"
    if per_pod.is_per_pod(policy):
        return whole, "; to share one GPU, request memory in the names of your cluster's sharing system"
    return whole, "; the policy in force shares no GPU between containers"


RULE = Rule(
    id=ID,
    name="fractional-count",
    severity="error",
    since="0.1.0",
    summary="an amount of a GPU resource that is not a whole number",
    rationale="""\
Kubernetes counts GPUs, and everything else that a device plugin offers, in integers: half a GPU (`0.5`, `"500m"`) is
refused ("must be an integer"). A GPU is shared in other ways: by a slice of its memory, or by a resource that is a
share already. The policy's `backend` defines which of them this cluster offers, and the advice names it. The test is
the same as the API server's: `"1Ei"` overflows its arithmetic and is refused as well. There is no fix: only the author
knows whether half a GPU should be rounded up or shared.""",
    references=(
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, ValidateResourceQuantityValue",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata: {name: notebook}
spec:
  containers:
    - name: notebook
      image: example.com/notebook:1
      resources:
        limits:
          nvidia.com/gpu: 0.5
""",
    good="""\
apiVersion: v1
kind: Pod
metadata: {name: notebook}
spec:
  containers:
    - name: notebook
      image: example.com/notebook:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    scope="request",
    check=check,
    when=triggers.amount_in_doubt,
)
