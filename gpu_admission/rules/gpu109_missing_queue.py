"""GPU109: a pod without the queue that the policy's backend needs."""

from __future__ import annotations

from gpu_admission.backends.refusal import QUEUE
from gpu_admission.core.rule import Rule

from . import occasions, sharing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU109"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods without a queue, where the policy has none for them."""
    yield from sharing.refusals(workload, policy, QUEUE)


RULE = Rule(
    id=ID,
    name="missing-queue",
    severity="error",
    since="0.1.0",
    summary="a pod without the queue that the policy's backend needs",
    rationale="""\
KAI schedules pods by queue, and reads the queue from the label `kai.scheduler/queue`. A pod without it is never
scheduled, and only the scheduler's log says why. A policy may name a queue for pods that have none (`backend.queue`);
the webhook then writes it (GPU101).""",
    references=("NVIDIA/KAI-Scheduler: docs/queues/README.md",),
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
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
  labels:
    kai.scheduler/queue: research
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    needs="request",
    check=check,
    when=occasions.backend_refuses,
    policy={"backend": {"name": "kai"}},
)
