"""GPU103: requests that cannot be combined in one container or pod."""

from __future__ import annotations

from gpu_admission.backends.rejection import MIXED
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU103"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find whole cards beside shares, two systems, and two vendors in one container or pod."""
    yield from backend_plan.refusals(workload, policy, MIXED)


RULE = Rule(
    id=ID,
    name="mixed-sharing",
    severity="error",
    since="0.1.0",
    summary="requests that cannot be combined in one container or pod",
    rationale="""\
One GPU requested in the names of two systems (portable and native, say, after a copy from elsewhere) is requested
twice, or in two different amounts, and it is unclear which is meant. A container that requests a whole GPU and a share
or a MIG device gets both and sees one. GPUs of two vendors are almost never in one node, so that a container that
requests both stays Pending forever.""",
    references=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
        "NVIDIA/k8s-device-plugin: README.md",
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
          amd.com/gpu: 1
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
    policy={},
)
