"""GPU101: requests in other names than the backend's."""

import copy

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.table import Found, Row, container, pod, template, verify

MEM = "gpu-admission.io/gpu-mem"
AT = "/spec/containers/0/resources/limits/gpu-admission.io~1gpu-mem"
VGPU = {"backend": {"name": "volcano-vgpu"}}
KAI = {"backend": {"name": "kai", "queue": "default"}}
DRA = {"backend": {"name": "dra", "template": "gpu"}}
BARE = {"name": "train", "image": "example.com/train:1"}


def limits(said, **fields):
    return container(gpu=said, **fields)


def queued(kind, one, **metadata):
    made = template(kind, one, api_version="batch/v1" if kind == "Job" else "apps/v1")
    if metadata:
        made["spec"]["template"]["metadata"] = metadata
    return {**made, "metadata": {"name": "w", "labels": {"kueue.x-k8s.io/queue-name": "q"}}}


def both(limits, requests=None):
    return {**BARE, "resources": {"limits": dict(limits), "requests": dict(requests or limits)}}


def safe(pointer, *words):
    return Found(pointer, "info", words, "safe")


ROWS = [
    Row(
        "portable memory",
        pod(limits({MEM: "8Gi"})),
        (safe(AT, 'requests gpu-admission.io/gpu-mem: "8Gi"', "volcano.sh/vgpu-memory: 8192"),),
        VGPU,
        pod(limits({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192})),
    ),
    Row(
        "in limits and requests, beside other resources",
        pod(both({"cpu": "4", MEM: "8Gi"}, {"cpu": "2", MEM: "8Gi"})),
        (safe(AT),),
        {"backend": {"name": "gpushare"}},
        pod({**BARE, "resources": {"limits": {"cpu": "4", "aliyun.com/gpu-mem": 8}, "requests": {"cpu": "2"}}}),
    ),
    Row(
        "amounts that are rounded up say so",
        pod(limits({"volcano.sh/gpu-memory": "5000"})),
        (safe("/spec/containers/0/resources/limits/volcano.sh~1gpu-memory", "rounded up by 120Mi to whole GiB"),),
        {"backend": {"name": "gpushare"}},
        pod(limits({"aliyun.com/gpu-mem": 5})),
    ),
    Row(
        "a template gets limits only, and its pods the annotations",
        template("Deployment", both({MEM: "8Gi"})),
        (safe("/spec/template" + AT),),
        KAI,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "w"},
            "spec": {
                "template": {
                    "metadata": {
                        "labels": {"app": "w", "kai.scheduler/queue": "default"},
                        "annotations": {"gpu-memory": "8192"},
                    },
                    "spec": {"containers": [BARE]},
                }
            },
        },
    ),
    Row(
        "claims",
        pod(limits({MEM: "8Gi"})),
        (safe(AT, "the template has to give at least 8Gi"),),
        DRA,
        pod(
            {**BARE, "resources": {"claims": [{"name": "gpu"}]}},
            resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
        ),
    ),
    Row(
        "a pod of the backend without the queue that the policy has for it",
        pod(container(gpu=1)),
        (safe("/spec/containers/0/resources/limits/nvidia.com~1gpu", "lacks the label kai.scheduler/queue: default"),),
        KAI,
        pod(container(gpu=1), labels={"kai.scheduler/queue": "default"}),
    ),
    Row(
        "Kueue counts what stands in the template",
        queued("Job", limits({MEM: "8Gi"})),
        (safe("/spec/template" + AT, f"Kueue counts what is written here, {MEM}", "resources.transformations"),),
        VGPU,
        queued("Job", limits({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192})),
    ),
    Row(
        "Kueue counts nothing of an annotation",
        queued("Job", limits({MEM: "8Gi"})),
        (safe("/spec/template" + AT, "nothing of what it becomes", "leave the file as it is"),),
        KAI,
        queued("Job", BARE, annotations={"gpu-memory": "8192"}, labels={"app": "w", "kai.scheduler/queue": "default"}),
    ),
    Row(
        "requests only",
        pod({**BARE, "resources": {"requests": {MEM: "8Gi"}}}),
        (safe(AT.replace("limits", "requests")),),
        VGPU,
        pod(limits({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192})),
    ),
    Row("the backend's own words", pod(limits({"volcano.sh/vgpu-number": "1"})), (), VGPU),
    Row(
        "a name that the policy says is served as it is",
        pod(container(gpu=1)),
        (),
        {**VGPU, "resources": {"extra": ["nvidia.com/gpu"]}},
    ),
    Row("GPUs of another vendor", pod(limits({"amd.com/gpu": 1})), (), VGPU),
    Row("zero of a foreign resource", pod(limits({"aliyun.com/gpu-mem": 0})), (), VGPU),
    Row("no GPU", pod(container()), (), VGPU),
    Row("a placeholder", pod(limits({MEM: "${MEMORY}"})), (), VGPU),
    Row("an amount that Kubernetes refuses", pod(limits({MEM: "8GB"})), (), VGPU),
    Row("two sides that differ", pod(both({MEM: "8Gi"}, {MEM: "4Gi"})), (), VGPU),
]
# The claims of a pod are no GPU resource that Kubernetes' defaults would touch, but the row of the table of
# requests only is: a Pod gets no limits from its requests.
ONE_SIDED = {"requests only"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in ONE_SIDED], ids=lambda row: row.name)
def test_portable_request(row):
    verify("GPU101", row)


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in ONE_SIDED], ids=lambda row: row.name)
def test_one_side(row):
    engine = Engine(rules.ALL, Policy("t", row.policy).selecting(frozenset({"GPU101"})))
    assert engine.mutate(row.object).object == row.fixed


def admit(document, spec):
    return Engine(rules.ALL, Policy("t", spec).selecting(frozenset({"GPU101"}))).mutate(document, "admission").object


def test_a_pod_gets_limits_and_requests():
    after = admit(pod(both({MEM: "8Gi", "cpu": "1"})), VGPU)
    wanted = {"cpu": "1", "volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192}
    assert after["spec"]["containers"][0]["resources"] == {"limits": wanted, "requests": wanted}


@pytest.mark.parametrize("missing", [None, {}])
def test_metadata_that_is_missing_or_null_is_made(missing):
    document = pod(both({MEM: "8Gi"}))
    document["metadata"] = missing
    after = admit(document, KAI)
    assert after["metadata"] == {"annotations": {"gpu-memory": "8192"}, "labels": {"kai.scheduler/queue": "default"}}


def test_annotations_and_labels_that_are_null_are_made():
    document = pod(both({MEM: "8Gi"}))
    document["metadata"].update(annotations=None, labels=None)
    after = admit(document, KAI)
    assert after["metadata"]["annotations"] == {"gpu-memory": "8192"}
    assert after["metadata"]["labels"] == {"kai.scheduler/queue": "default"}


def test_two_containers_are_translated_one_after_the_other():
    document = pod(both({MEM: "8Gi"}), {**both({MEM: "30Gi"}), "name": "other"})
    after = admit(document, {"backend": {"name": "exclusive"}})
    assert [one["resources"]["limits"] for one in after["spec"]["containers"]] == [{"nvidia.com/gpu": 1}] * 2
    terms = after["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    values = [said["values"] for said in terms["nodeSelectorTerms"][0]["matchExpressions"]]
    assert ["30719"] in values


@pytest.mark.parametrize("spec", [KAI, DRA])
def test_where_the_pods_metadata_or_placement_cannot_be_written_nothing_is_and_the_advice_says_so(spec):
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "llm"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "x"}, "resources": {"limits": {MEM: "8Gi"}}}}},
    }
    before = copy.deepcopy(service)
    engine = Engine(rules.ALL, Policy("t", spec).selecting(frozenset({"GPU101"})))
    (finding,) = engine.validate(service)
    assert finding.fix is None
    assert "Pods are translated when they are admitted" in finding.advice
    assert engine.mutate(service).object == before


def test_a_kserve_model_is_translated_where_only_resources_are_written():
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "llm"},
        "spec": {"predictor": {"model": {"resources": {"limits": {MEM: "8Gi"}}}}},
    }
    engine = Engine(rules.ALL, Policy("t", VGPU).selecting(frozenset({"GPU101"})))
    after = engine.mutate(service).object
    assert after["spec"]["predictor"]["model"]["resources"]["limits"] == {
        "volcano.sh/vgpu-number": 1,
        "volcano.sh/vgpu-memory": 8192,
    }


def test_of_pods_kueue_counts_what_admission_has_left():
    engine = Engine(rules.ALL, Policy("t", VGPU).selecting(frozenset({"GPU101"})))
    labelled = pod(limits({MEM: "8Gi"}), labels={"kueue.x-k8s.io/queue-name": "q"})
    for document in (labelled, queued("Deployment", limits({MEM: "8Gi"}))):
        (finding,) = engine.validate(document)
        assert "Kueue" not in finding.advice
    (finding,) = engine.validate(queued("StatefulSet", limits({MEM: "8Gi"})))
    assert "Kueue counts what is written here" in finding.advice
