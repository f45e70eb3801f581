"""GPU109: a pod that names its queue where the policy's backend does not find it."""

from __future__ import annotations

from gpu_admission.backends.rejection import QUEUE
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import backend_plan, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Problem
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU109"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find pods that name an empty queue, or one in the wrong place."""
    yield from backend_plan.refusals(workload, policy, QUEUE)


RULE = Rule(
    id=ID,
    name="missing-queue",
    severity="error",
    since="0.1.0",
    summary="a pod whose queue the policy's backend does not find",
    rationale="""\
KAI schedules pods by queue. It takes the label `kai.scheduler/queue` of the object that owns the pod, else the pod's
own, else the name in a label `project`, and else its `default-queue`: a pod without any is valid. One whose label is
empty is never scheduled, and only the scheduler's log has the reason (an error); one that names the queue in an
annotation goes to another queue than its author meant (a warning). A policy may name a queue for pods that have none
(`backend.queue`); the webhook then writes it (GPU101), and copies Run:ai's older label `runai/queue`.""",
    references=(
        "kai-scheduler/KAI-Scheduler: docs/queues/README.md",
        "kai-scheduler/KAI-Scheduler: pkg/podgrouper/podgrouper/plugins/defaultgrouper/default_grouper.go",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
  labels:
    kai.scheduler/queue: ""
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
    scope="request",
    check=check,
    when=triggers.backend_refuses,
    policy={"backend": {"name": "kai"}},
)
