"""GPU004: an amount of a GPU resource that is not a Kubernetes quantity, or is negative."""

from __future__ import annotations

from gpu_admission.core import quantity
from gpu_admission.core.finding import Problem
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, triggers
from gpu_admission.workloads.resources import PORTABLE_MEMORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from gpu_admission.core.finding import Sentence
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import GpuRequest
    from gpu_admission.workloads.workload import Workload

ID = "GPU004"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find amounts that do not parse or are negative; one in both requests and limits is found once."""
    for gpu in common.gpus(workload):
        for side, raw in gpu.sides():
            amount = gpu.quantity(side)
            if amount is not None and not amount.is_negative:
                continue
            if side == "limits" or not _same(raw, gpu.limit):
                yield _problem(gpu, side, raw)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _problem(gpu: GpuRequest, side: Literal["limits", "requests"], raw: Any) -> Problem:
    advice = f"write a plain whole number, say {gpu.name}: {1 if gpu.resource.unit == 'device' else 8}"
    if gpu.name == PORTABLE_MEMORY:
        advice = f"write an amount of bytes, say {gpu.name}: 8Gi"
    message: Sentence = (common.setting(gpu, raw, side), ", and an amount cannot be negative")
    try:
        quantity.parse(raw)
    except quantity.QuantityError as error:
        message = f"{gpu.container.label} sets {gpu.name} in {side}, but {error}"
    return Problem(gpu.pointer(side), message, advice)


RULE = Rule(
    id=ID,
    name="invalid-quantity",
    severity="error",
    since="0.1.0",
    summary="an amount of a GPU resource that is not a Kubernetes quantity, or is negative",
    rationale="""\
An amount is a number with at most one suffix (`1`, `"2"`, `8Gi`). Text, booleans, lists, thousands separators, other
digits than 0 to 9 or a wrong suffix (`1K`) do not decode, and the API server refuses them before any other check, often
with a message about Go types. In YAML an unquoted `yes` or `on` is a boolean. A negative amount decodes and is refused
too.""",
    references=(
        "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/",
        "kubernetes/apimachinery: pkg/api/resource/quantity.go",
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
        limits:
          nvidia.com/gpu: one
    - name: log
      image: example.com/log:1
      resources:
        limits:
          nvidia.com/gpu: -1
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
        limits:
          nvidia.com/gpu: 1
    - name: log
      image: example.com/log:1
""",
    scope="request",
    check=check,
    when=triggers.amount_in_doubt,
)
