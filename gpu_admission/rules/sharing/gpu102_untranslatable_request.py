"""GPU102: a request that the policy's backend cannot honour."""

from __future__ import annotations

from gpu_admission.backends.rejection import UNTRANSLATABLE
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU102"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find requests that can be neither served nor translated."""
    yield from backend_plan.refusals(workload, policy, UNTRANSLATABLE)


RULE = Rule(
    id=ID,
    name="untranslatable-request",
    severity="error",
    since="0.1.0",
    summary="a request that the policy's backend cannot honour",
    rationale="""\
Sharing systems have different capabilities: some give a container one card only, some cannot limit compute, some cannot
express a whole card. A request that the policy's backend cannot honour is refused at once, with the reason and what
would work; it is never served with less than was requested, and never left to stay Pending forever. Where one container
of a pod is refused, no other is translated either. Requests that no backend can honour are refused as well: no memory
at all (`aliyun.com/gpu-mem: 0`; leave the key out instead), memory of no GPU, more GPUs than any node has.""",
    references=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
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
          gpu-admission.io/gpu-mem: 8Gi
          gpu-admission.io/gpu-count: 2
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
          aliyun.com/gpu-mem: 8
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "gpushare"}},
)
