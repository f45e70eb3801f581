"""GPU105: more memory on one GPU than any card of the cluster has."""

from __future__ import annotations

from gpu_admission.backends.rejection import EXCEEDS
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU105"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find amounts beyond the largest card of the policy, if it names any."""
    yield from backend_plan.refusals(workload, policy, EXCEEDS)


RULE = Rule(
    id=ID,
    name="memory-exceeds-card",
    severity="error",
    since="0.1.0",
    summary="more memory on one GPU than any card of the cluster has",
    rationale="""\
A share is a share of one card. A request for more memory than the largest card has is accepted by Kubernetes and by
every sharing system, and the pod stays Pending forever. The cards come from the policy's `cluster.cards`; without them
this rule reports nothing.""",
    references=(
        "Project-HAMi/HAMi: docs/config.md",
        "AliyunContainerService/gpushare-scheduler-extender: docs/userguide.md",
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
          nvidia.com/gpumem: 65536
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
          nvidia.com/gpumem: 32768
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "hami"}, "cluster": {"cards": [{"model": "A100-40"}]}},
)
