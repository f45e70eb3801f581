"""GPU503: a job with GPUs without a deadline or a time to live."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, format_value
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import time_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.time_limits import JobFields
    from gpu_admission.workloads.workload import Workload

ID = "GPU503"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find jobs with a GPU without a deadline or a time to live (by the policy), or with too long a deadline.

    One finding per object for what is missing, one per deadline that is too long.
    """
    fields = time_limits.fields_of(workload)
    if fields is None:
        return
    pods = [pod for pod in workload.pods if pod.wants_gpu]
    found = {pod.pointer: list(time_limits.deadlines(workload, fields, pod)) for pod in pods}
    place, around = time_limits.holder(workload, fields)
    has_deadline = all(found.values())
    if pods and not time_limits.is_limited(
        policy.guardrails.time_limit, has_deadline, as_dict(around).get(fields.ttl) is not None
    ):
        yield _missing(workload, policy, fields, place, around)
    for pod in pods:
        yield from _too_long(workload, policy, found[pod.pointer])


def _missing(
    workload: Workload, policy: Policy, fields: JobFields, place: Pointer, around: Mapping[str, Any] | None
) -> Problem:
    wanted, seconds = policy.guardrails.time_limit, policy.guardrails.deadline_seconds
    lacks = {"deadline": "no deadline", "ttl": "no time to live after its end", "any": "no time limit"}[wanted]
    repairable = around is not None and fields.deadline and wanted != "ttl" and seconds is not None
    path = (*place, time_limits.DEADLINE)
    return Problem(
        place if around else (*workload.pointer, "spec"),
        (
            f"this {workload.kind} requests GPUs and has {lacks}",
            ": a hung one keeps its GPUs forever" if wanted != "ttl" else ": it is kept forever when it has ended",
        ),
        _advice(fields, wanted),
        fix=(patch.add(ID, workload.document, path, seconds),) if repairable else (),
        safety="unsafe",
        evidence=(),
    )


def _advice(fields: JobFields, wanted: str) -> tuple[str, str]:
    where = ".".join(map(str, fields.path))
    inside = f"{where}.activeDeadlineSeconds" if fields.deadline else "activeDeadlineSeconds of each job or pod spec"
    return {
        "deadline": (f"set {inside}", " to the longest time that it may run"),
        "ttl": (f"set {where}.{fields.ttl}", ""),
        "any": (f"set {inside}", f" to the longest time that it may run, or {where}.{fields.ttl}"),
    }[wanted]


def _too_long(workload: Workload, policy: Policy, found: list[tuple[Pointer, Any]]) -> Iterator[Problem]:
    """Yield the shortest of a pod's deadlines where even that is longer than the policy allows."""
    longest = policy.guardrails.longest_seconds
    amounts = [(raw, place) for place, raw in found if isinstance(raw, int) and not isinstance(raw, bool)]
    if longest is None or not amounts:
        return
    seconds, place = min(amounts, key=lambda each: each[0])
    if seconds > longest:
        yield Problem(
            place,
            (
                f"this {workload.kind} requests GPUs for up to {format_value(seconds)} seconds",
                f", and this cluster's policy allows {longest}",
            ),
            f"set activeDeadlineSeconds to {longest} or less",
        )


_HEAD = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: train
spec:
"""
_TEMPLATE = """\
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: train
          image: example.com/train:1
          resources:
            limits:
              nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="job-time-limit",
    severity="warning",
    since="0.1.0",
    summary="a job with GPUs without a deadline or a time to live, or with a longer deadline than allowed",
    rationale="""\
A job that hangs (a rank that waits for another, a download that stalls) keeps its GPUs until it is deleted by hand.
`activeDeadlineSeconds` ends it; `ttlSecondsAfterFinished` deletes it some time after its end, with its pods. The policy
defines which of them jobs must have (`guardrails.jobs.require`: any, deadline or ttl) and how long a deadline may be
(`longestSeconds`). Judged are Jobs and CronJobs, Kubeflow's jobs, JobSets, RayJobs, Volcano's Jobs, Argo's Workflows
and KEDA's ScaledJobs, each by its own fields; a deadline in the pod spec counts for its pods. A Pod does not show the
limits of its job, so Pods are not judged.

The fix writes the policy's `deadlineSeconds`, where there is one. Whether that is enough only the author knows: it is
unsafe.""",
    references=(
        "https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup",
        "https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/",
        "open-policy-agent/gatekeeper-library: pull request 737",
    ),
    bad=f"{_HEAD}{_TEMPLATE}",
    good=f"{_HEAD}  activeDeadlineSeconds: 86400\n{_TEMPLATE}",
    policy={"guardrails": {"jobs": {"deadlineSeconds": 86400}}},
    admission_kinds=frozenset({TEMPLATE}),
    default="off",
    scope="request",
    check=check,
    fix="unsafe",
)
