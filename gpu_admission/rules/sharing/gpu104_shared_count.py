"""GPU104: more than one share of a time-sliced or MPS resource."""

from __future__ import annotations

from gpu_admission.backends.rejection import SHARED_COUNT
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU104"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find containers that request several shares."""
    yield from backend_plan.refusals(workload, policy, SHARED_COUNT)


RULE = Rule(
    id=ID,
    name="shared-count",
    severity="error",
    since="0.1.0",
    summary="more than one share of a time-sliced or MPS resource",
    rationale="""\
A time-sliced or MPS resource counts shares of cards. Two shares may be of one card and give no more than one does, so
NVIDIA's device plugin can be configured to refuse such a request (`failRequestsGreaterThanOne`, the default for MPS but
not for time-slicing), but only on the node: the pod is scheduled, fails with UnexpectedAdmissionError, and must be
deleted by hand. The policy's parameter of that name must match this cluster's plugin.""",
    references=(
        "NVIDIA/k8s-device-plugin: README.md#shared-access-to-gpus",
        "NVIDIA/k8s-device-plugin: internal/rm/rm.go",
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
        limits:
          nvidia.com/gpu: 1
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "time-slicing", "failRequestsGreaterThanOne": True}},
)
