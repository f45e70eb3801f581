import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader
from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Row("limits only", one({"limits": {GPU: 1}})),
    Row("requests only is GPU001's", one({"requests": {GPU: 1}})),
    Row("unequal is GPU002's", one({"limits": {GPU: 1}, "requests": {GPU: 2}})),
    Row("unreadable is GPU004's", one({"limits": {GPU: "x"}, "requests": {GPU: "x"}})),
    Row(
        "the emptied mapping goes too",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        (
            Found(
                REQUEST,
                "info",
                ["nvidia.com/gpu: 1 in requests", "leave nvidia.com/gpu out of resources.requests"],
                fix="safe",
            ),
        ),
        fixed=one({"limits": {GPU: 1}}),
    ),
    Row(
        "what else is requested stays",
        one({"limits": {GPU: 1}, "requests": {GPU: "1", "cpu": 2}}),
        (Found(REQUEST, "info", '"1"', fix="safe"),),
        fixed=one({"limits": {GPU: 1}, "requests": {"cpu": 2}}),
    ),
    Row(
        "several, and nothing else",
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {GPU: 1, "nvidia.com/gpumem": 10}}),
        (Found(REQUEST, "info", fix="safe"), Found(REQUESTS + "nvidia.com~1gpumem", "info", fix="safe")),
        fixed=one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}}),
    ),
    Row(
        "several, of which one differs",
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {GPU: 1, "nvidia.com/gpumem": 9}}),
        (Found(REQUEST, "info", fix="safe"),),
        fixed=one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {"nvidia.com/gpumem": 9}}),
    ),
    Row(
        "a Pod at admission, where the copy has been made",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        origin="admission",
    ),
    Row(
        "a patch of kustomize may override the base's request",
        pod({"name": "train", "resources": {"limits": {GPU: 2}, "requests": {GPU: 2}}}),
    ),
    Row("a placeholder on both sides", one({"limits": {GPU: "$N"}, "requests": {GPU: "$N"}})),
    Row(
        "strict policies make it an error",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        (Found(REQUEST, "error", fix="safe"),),
        fixed=one({"limits": {GPU: 1}}),
        policy={"rules": {"GPU005": "deny"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU005", case)


REPEATED = {"resources": {"limits": {"nvidia.com/gpu": 2}, "requests": {"nvidia.com/gpu": 2}}}
SPEC = {"containers": [{"name": "c", "image": "example.com/c:1", **REPEATED}]}
KSERVE = "serving.kserve.io/v1beta1"
MERGED = [
    (KSERVE, "InferenceService", {"predictor": {"model": {"modelFormat": {"name": "vllm"}, **REPEATED}}}),
    (KSERVE, "InferenceService", {"predictor": {"model": {}, "workerSpec": SPEC}}),
    ("serving.kserve.io/v1alpha1", "LLMInferenceService", {"template": SPEC}),
    ("serving.kserve.io/v1alpha1", "LLMInferenceServiceConfig", {"template": SPEC}),
    ("ome.io/v1beta1", "InferenceService", {"engine": {"runner": {"image": "i", "name": "r", **REPEATED}}}),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease", {"values": {"server": REPEATED}}),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease", {"values": {"podSpec": SPEC}}),
    ("argoproj.io/v1alpha1", "Application", {"source": {"helm": {"valuesObject": {"server": REPEATED}}}}),
    ("trainer.kubeflow.org/v1alpha1", "TrainJob", {"trainer": {"resourcesPerNode": REPEATED["resources"]}}),
]
WHOLE = [
    (KSERVE, "InferenceService", {"predictor": SPEC}),
    ("serving.kserve.io/v1alpha1", "ClusterServingRuntime", SPEC),
    ("apps/v1", "Deployment", {"template": {"spec": SPEC}}),
]


def merged_findings(api_version, kind, spec):
    engine = Engine(rules.ALL, loader.load("default"))
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    return {finding.rule for finding in engine.validate(obj)} & {"GPU005", "GPU201"}


@pytest.mark.parametrize("given", MERGED, ids=lambda given: given[1])
def test_what_is_merged_over_another_is_left_alone(given):
    assert merged_findings(*given) == set()


@pytest.mark.parametrize("given", WHOLE, ids=lambda given: given[1])
def test_what_is_whole_is_not(given):
    assert "GPU005" in merged_findings(*given)
