"""GPU108: a percentage of a GPU that is not from 1 to 100."""

from __future__ import annotations

from gpu_admission.backends.rejection import PERCENT
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU108"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find cores and percentages of memory out of range."""
    yield from backend_plan.refusals(workload, policy, PERCENT)


RULE = Rule(
    id=ID,
    name="percent-out-of-range",
    severity="error",
    since="0.1.0",
    summary="a percentage of a GPU that is not from 1 to 100",
    rationale="""\
Compute, and memory given as a part of a card, are percentages of one GPU: 150 is not one and a half GPUs, and 0 is not
"all of it". Depending on the system, the pod stays Pending forever, or the limit is dropped silently. For more than one
GPU, request several, with the percentage of each.""",
    references=(
        "Project-HAMi/HAMi: docs/config.md",
        "Project-HAMi/volcano-vgpu-device-plugin: README.md",
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
          nvidia.com/gpu: 1
          nvidia.com/gpucores: 150
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
          nvidia.com/gpucores: 100
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "hami"}},
)
