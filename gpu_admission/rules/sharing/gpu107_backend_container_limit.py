"""GPU107: a container that the policy's backend does not count."""

from __future__ import annotations

from gpu_admission.backends.rejection import CONTAINERS
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU107"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find init, sidecar and second GPU containers where the backend serves only one."""
    yield from backend_plan.refusals(workload, policy, CONTAINERS)


RULE = Rule(
    id=ID,
    name="backend-container-limit",
    severity="error",
    since="0.1.0",
    summary="a container that the policy's backend does not count",
    rationale="""\
Several sharing systems read only `spec.containers`, and some only one container of a pod. The request of an init
container or a second container is then not counted, or counted twice: it starts without a GPU, or on one that is
allocated to others. Kubernetes does not detect it.""",
    references=(
        "AliyunContainerService/gpushare-scheduler-extender: pkg/utils/pod.go",
        "NVIDIA/KAI-Scheduler: docs/gpu-sharing/README.md",
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
          aliyun.com/gpu-mem: 4
    - name: watch
      image: example.com/watch:1
      resources:
        limits:
          aliyun.com/gpu-mem: 4
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
          aliyun.com/gpu-mem: 4
    - name: watch
      image: example.com/watch:1
""",
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "gpushare"}},
)
