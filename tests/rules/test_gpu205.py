"""GPU205: what Knative refuses, by itself and under KServe."""

import pytest

from gpu_admission.rules.placement import gpu205_serverless_field
from rules.table import Found, Row, container, template, verify


def knative(*containers, kind="Service", **spec):
    return template(kind, *(containers or (container(gpu=1),)), api_version="serving.knative.dev/v1", **spec)


def kserve(mode=None, **predictor):
    made = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "llm"},
        "spec": {"predictor": {"model": {"resources": {"limits": {"nvidia.com/gpu": 1}}}, **predictor}},
    }
    if mode:
        made["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": mode}
    return made


def refused(field, flag, place="/spec/template/spec"):
    return Found(f"{place}/{field}", "warning", (field, flag, "config-features"))


FIELD_VALUES = {
    "affinity": {"nodeAffinity": {}},
    "hostIPC": True,
    "hostPID": True,
    "initContainers": [container("setup")],
    "nodeSelector": {"pool": "gpu"},
    "priorityClassName": "high",
    "runtimeClassName": "nvidia",
    "schedulerName": "volcano",
    "shareProcessNamespace": True,
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [{}],
}
PREDICTOR = "/spec/predictor"
SCHEDULER = "kubernetes.podspec-schedulername"

ROWS = [
    *(
        Row(f"Knative, {field}", knative(**{field: value}), (refused(field, f"kubernetes.podspec-{flag}"),))
        for field, value in FIELD_VALUES.items()
        for flag in [{"initContainers": "init-containers"}.get(field, field.lower())]
    ),
    Row(
        "a claim is refused whatever the flags say",
        knative(resourceClaims=[{"name": "gpu"}]),
        (
            Found(
                "/spec/template/spec/resourceClaims",
                "warning",
                ("resourceClaims is not allowed by any feature flag", "remove resourceClaims"),
            ),
        ),
    ),
    Row(
        "two fields, two findings",
        knative(nodeSelector={"a": "b"}, tolerations=[{"operator": "Exists"}]),
        (
            refused("nodeSelector", "kubernetes.podspec-nodeselector"),
            refused("tolerations", "kubernetes.podspec-tolerations"),
        ),
    ),
    Row(
        "a Configuration",
        knative(kind="Configuration", schedulerName="volcano"),
        (refused("schedulerName", SCHEDULER),),
    ),
    Row("empty fields are unset", knative(schedulerName="", tolerations=[], nodeSelector={}, affinity=None)),
    Row("no GPU, no business of ours", knative(container(), nodeSelector={"a": "b"})),
    Row(
        "but a scheduler that shares GPUs",
        knative(container(), schedulerName="volcano"),
        (refused("schedulerName", SCHEDULER),),
    ),
    Row("a scheduler that is not a string", knative(container(), schedulerName=["volcano"])),
    Row(
        "KServe",
        kserve(schedulerName="volcano"),
        (Found(f"{PREDICTOR}/schedulerName", "warning", ("KServe", "volcano", SCHEDULER, "RawDeployment")),),
    ),
    Row(
        "KServe, serverless by name",
        kserve("Serverless", schedulerName="x"),
        (refused("schedulerName", SCHEDULER, PREDICTOR),),
    ),
    *(
        Row(f"KServe, {mode}", kserve(mode, schedulerName="volcano"))
        for mode in ("RawDeployment", "Standard", "ModelMesh")
    ),
    Row("KServe over several nodes", kserve(schedulerName="volcano", workerSpec={"size": 2})),
    Row(
        "Cloud Run by annotation",
        {**knative(nodeSelector={"a": "b"}), "metadata": {"annotations": {"run.googleapis.com/launch-stage": "BETA"}}},
    ),
    Row("Cloud Run by node selector", knative(nodeSelector={"run.googleapis.com/accelerator": "nvidia-l4"})),
    Row(
        "Kubernetes' own Service",
        {"apiVersion": "v1", "kind": "Service", "spec": {"template": {"spec": {"nodeName": "n"}}}},
    ),
    Row("a Deployment", template("Deployment", container(gpu=1), schedulerName="volcano")),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_serverless_field(row):
    verify("GPU205", row)


def test_every_field_with_a_flag_has_a_row():
    assert set(FIELD_VALUES) == {field for field, flag in gpu205_serverless_field.FLAGS.items() if flag}
