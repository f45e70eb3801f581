"""GPU503: time limits of jobs with GPUs."""

import pytest

from rules.guardrail_pods import at, owned, settings
from rules.table import Row, container, pod, template, verify


def job(*around, kind="Job", api_version="batch/v1", gpu=1, **spec):
    made = template(kind, container(gpu=gpu), api_version=api_version, **spec)
    for fields in around:
        made["spec"] |= fields
    return made


def at_path(kind, api_version, path, fields, template_at):
    """An object of a kind with a GPU pod at one place, and fields at another."""
    made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "w"}}
    for place, value in ((template_at, {"containers": [container(gpu=1)]}), (path, fields)):
        here = made
        for token in place.split("/")[:-1]:
            here = here.setdefault(token, {})
        last = place.rpartition("/")[2]
        here[last] = {**here.get(last, {}), **value} if isinstance(value, dict) else value
    return made


OTHER_KINDS = [
    ("CronJob", "batch/v1", "spec/jobTemplate/spec", "spec/jobTemplate/spec/template/spec"),
    ("PyTorchJob", "kubeflow.org/v1", "spec/runPolicy", "spec/pytorchReplicaSpecs/Worker/template/spec"),
    ("MPIJob", "kubeflow.org/v2beta1", "spec/runPolicy", "spec/mpiReplicaSpecs/Worker/template/spec"),
    ("RayJob", "ray.io/v1", "spec", "spec/rayClusterSpec/headGroupSpec/template/spec"),
    ("ScaledJob", "keda.sh/v1alpha1", "spec/jobTargetRef", "spec/jobTargetRef/template/spec"),
]
NO_LIMIT = at("/spec", "this Job", "no time limit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
REPAIRED = settings(jobs={"require": "deadline", "deadlineSeconds": 60})
TIME = [
    Row("no limit", job(), (NO_LIMIT,)),
    Row("null is no limit", job({"activeDeadlineSeconds": None, "ttlSecondsAfterFinished": None}), (NO_LIMIT,)),
    Row("a deadline", job({"activeDeadlineSeconds": 60})),
    Row("a time to live", job({"ttlSecondsAfterFinished": 0})),
    Row("a deadline of the pods", job(activeDeadlineSeconds=60)),
    Row("no GPU", job(gpu=None)),
    Row(
        "a deadline is wanted",
        job({"ttlSecondsAfterFinished": 0}),
        (NO_LIMIT._replace(words=("no deadline", "hung"), fix="unsafe"),),
        REPAIRED,
        job({"ttlSecondsAfterFinished": 0, "activeDeadlineSeconds": 60}),
    ),
    Row(
        "a time to live is wanted",
        job({"activeDeadlineSeconds": 60}),
        (NO_LIMIT._replace(words=("no time to live", "spec.ttlSecondsAfterFinished")),),
        settings(jobs={"require": "ttl"}),
    ),
    Row(
        "too long",
        job({"activeDeadlineSeconds": 100}),
        (at("/spec/activeDeadlineSeconds", "up to 100 seconds", "allows 60"),),
        settings(jobs={"longestSeconds": 60}),
    ),
    Row(
        "the shorter one counts",
        job({"activeDeadlineSeconds": 100}, activeDeadlineSeconds=60),
        (),
        settings(jobs={"longestSeconds": 60}),
    ),
    Row(
        "what is not a number is not compared",
        job({"activeDeadlineSeconds": "x"}),
        (),
        settings(jobs={"longestSeconds": 1}),
    ),
    Row("a Deployment runs forever", template("Deployment", container(gpu=1))),
    Row("a Pod does not show its Job's limits", owned(pod(container(gpu=1)), "batch/v1", "Job")),
    *(
        row
        for kind, version, path, where in OTHER_KINDS
        for row in (
            Row(f"{kind} with a deadline", at_path(kind, version, path, {"activeDeadlineSeconds": 9}, where)),
            Row(f"{kind} with a time to live", at_path(kind, version, path, {"ttlSecondsAfterFinished": 9}, where)),
            Row(
                f"{kind} without",
                at_path(kind, version, path, {"x": 1}, where),
                (at(f"/{path}", f"this {kind}", path.replace("/", ".")),),
            ),
        )
    ),
    Row(
        "a JobSet's jobs have deadlines of their own",
        {
            "apiVersion": "jobset.x-k8s.io/v1alpha2",
            "kind": "JobSet",
            "metadata": {"name": "w"},
            "spec": {"replicatedJobs": [{"name": "a", "template": job({"activeDeadlineSeconds": 9})}]},
        },
    ),
    Row(
        "Volcano's Job has none",
        at_path(
            "Job",
            "batch.volcano.sh/v1alpha1",
            "spec/tasks",
            [{"template": {"spec": {"containers": [container(gpu=1)]}}}],
            "spec/x",
        ),
        (NO_LIMIT._replace(words=("of each job or pod spec", "spec.ttlSecondsAfterFinished")),),
        settings(jobs={"deadlineSeconds": 60}),
    ),
]


@pytest.mark.parametrize("row", TIME, ids=lambda row: row.name)
def test_job_time_limit(row):
    verify("GPU503", row)
