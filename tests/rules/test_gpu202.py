"""GPU202: the scheduler of the sharing backend."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

MEM = "gpu-admission.io/gpu-mem"
VGPU = {"backend": {"name": "volcano-vgpu"}}
KSERVE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"template": {"spec": {"containers": [container(gpu={"volcano.sh/vgpu-number": 1})]}}},
}


def vcjob(name, **spec):
    """A Job of Volcano's with a scheduler for all its pods."""
    template = {"spec": {**spec, "containers": [vgpu()]}}
    return {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"schedulerName": name, "tasks": [{"name": "t", "replicas": 1, "template": template}]},
    }


def vgpu(**fields):
    return container(gpu={"volcano.sh/vgpu-number": 1}, **fields)


UNSET = (
    Found(
        "/spec/containers/0/resources/limits/volcano.sh~1vgpu-number",
        "info",
        ("schedulerName is not set", "schedulerName: volcano"),
        "safe",
    ),
)
CHOSEN = (Found("/spec/schedulerName", "error", ('schedulerName is "mine"', "or leave it out")),)

ROWS = [
    Row("another one, on purpose", pod(vgpu(), schedulerName="mine"), CHOSEN, VGPU),
    Row(
        "another one, which the policy overwrites",
        pod(vgpu(), schedulerName="mine"),
        (CHOSEN[0]._replace(fix="safe"),),
        {**VGPU, "overwriteSchedulerName": True},
        pod(vgpu(), schedulerName="volcano"),
    ),
    Row("the backend's", pod(vgpu(), schedulerName="volcano"), (), VGPU),
    Row("the policy's own", pod(vgpu(), schedulerName="v2"), (), {**VGPU, "schedulerName": "v2"}),
    Row("a Job of Volcano's names it for its pods", vcjob("volcano"), (), VGPU),
    Row(
        "a Job of Volcano's that names another one",
        vcjob("mine"),
        (Found("/spec/schedulerName", "error", ("mine", "volcano allocates", "into the pods' templates")),),
        VGPU,
    ),
    Row(
        "a pod of such a Job that names its own",
        vcjob("mine", schedulerName="volcano"),
        (),
        VGPU,
    ),
    Row(
        "of a product with the same names, in a cluster that nobody knows",
        pod(container(), annotations={"gpu-fraction": "0.5"}, schedulerName="runai-scheduler"),
        (),
        {"backend": {"name": "any"}},
    ),
    Row(
        "of a product that this cluster does not run",
        pod(container(), annotations={"gpu-fraction": "0.5"}, schedulerName="runai-scheduler"),
        (Found("/spec/schedulerName", "error", ("runai-scheduler", "kai-scheduler"), None),),
        {"backend": {"name": "kai", "queue": "q"}},
    ),
    Row("no GPU", pod(container()), (), VGPU),
    Row("another vendor's GPU", pod(container(gpu={"amd.com/gpu": 1})), (), VGPU),
    Row(
        "a backend of the default scheduler",
        pod(container(gpu={"aliyun.com/gpu-mem": 3})),
        (),
        {"backend": {"name": "gpushare"}},
    ),
    Row("Knative refuses the field", KSERVE, (), VGPU),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_scheduler_name(row):
    verify("GPU202", row)


# Where nothing stands in a file the finding is at the request; Kubernetes' default gives it a place of its own.
SET = [
    (pod(vgpu()), UNSET[0].pointer),
    (pod(vgpu(), schedulerName=""), "/spec/schedulerName"),
    (pod(vgpu(), schedulerName=None), "/spec/schedulerName"),
    (pod(vgpu(), uid="of-a-cluster", schedulerName="default-scheduler"), "/spec/schedulerName"),
    (template("Deployment", vgpu()), "/spec/template" + UNSET[0].pointer),
]


@pytest.mark.parametrize(("document", "place"), SET)
def test_an_unset_scheduler_is_set(document, place):
    from gpu_admission import rules
    from gpu_admission.core import pointer
    from gpu_admission.engine.engine import Engine
    from gpu_admission.policy.model import Policy

    engine = Engine(rules.ALL, Policy("t", VGPU).selecting(frozenset({"GPU202"})))
    (finding,) = engine.validate(document)
    assert (finding.severity, finding.fix, pointer.to_text(finding.pointer)) == ("info", "safe", place)
    after = engine.mutate(document).object
    spec = after["spec"] if document["kind"] == "Pod" else after["spec"]["template"]["spec"]
    assert spec["schedulerName"] == "volcano"
    assert engine.validate(after) == []


def test_the_default_scheduler_is_named_in_a_file():
    from gpu_admission import rules
    from gpu_admission.engine.engine import Engine
    from gpu_admission.policy.model import KEEP_SCHEDULER, Policy

    engine = Engine(rules.ALL, Policy("t", {**VGPU, KEEP_SCHEDULER: True}).selecting(frozenset({"GPU202"})))
    document = pod(vgpu(), schedulerName="default-scheduler")
    (finding,) = engine.validate(document)
    assert (finding.severity, finding.fix) == ("info", "unsafe")
    assert "is set to default-scheduler explicitly" in finding.message
    assert engine.mutate(document).object == document
    assert engine.mutate(document, unsafe=True, consent=True).object["spec"]["schedulerName"] == "volcano"
    assert engine.mutate(document, "admission").object["spec"]["schedulerName"] == "volcano"


def test_a_pod_that_must_be_refused_is_left_alone():
    from gpu_admission import rules
    from gpu_admission.engine.engine import Engine
    from gpu_admission.policy.model import Policy

    document = pod(container(gpu={MEM: "8Gi", "gpu-admission.io/gpu-core": 200}))
    assert Engine(rules.ALL, Policy("t", VGPU).selecting(frozenset({"GPU202"}))).validate(document) == []
