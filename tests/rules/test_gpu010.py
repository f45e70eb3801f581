import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"


def quota(hard, **more):
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard, **more}}


def limit_range(kind="Container", **item):
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": kind, **item}]},
    }


ITEM = "/spec/limits/0/"

CASES = [
    Row("requests", quota({"requests.nvidia.com/gpu": 8, "limits.cpu": 4, "pods": 3})),
    Row(
        "limits",
        quota({"limits.nvidia.com/gpu": 8}),
        (Found("/spec/hard/limits.nvidia.com~1gpu", "error", ["limits nothing", "requests.nvidia.com/gpu: 8"]),),
    ),
    Row("bare", quota({GPU: "8"}), (Found("/spec/hard/nvidia.com~1gpu", "error", "requests.nvidia.com/gpu"),)),
    Row(
        "limits beside requests",
        quota({"requests.nvidia.com/gpu": 8, "limits.nvidia.com/gpu": 8}),
        (Found("/spec/hard/limits.nvidia.com~1gpu", "error", "is there already"),),
    ),
    Row("a slice", quota({"limits.nvidia.com/mig-1g.5gb": 8}), (Found("/spec/hard/limits.nvidia.com~1mig-1g.5gb"),)),
    Row("HAMi reads limits", quota({"limits.nvidia.com/gpu": 8}), policy={"backend": {"name": "hami"}}),
    Row("HAMi's own names tell", quota({"limits.nvidia.com/gpu": 2, "limits.nvidia.com/gpumem": 2000})),
    Row(
        "HAMi does not read the bare name",
        quota({GPU: 8}),
        (Found("/spec/hard/nvidia.com~1gpu"),),
        policy={"backend": {"name": "hami"}},
    ),
    Row(
        "OpenShift",
        {
            "apiVersion": "quota.openshift.io/v1",
            "kind": "ClusterResourceQuota",
            "spec": {"quota": {"hard": {"limits.nvidia.com/gpu": 1}}},
        },
        (Found("/spec/quota/hard/limits.nvidia.com~1gpu"),),
    ),
    Row(
        "Kubeflow",
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Profile",
            "spec": {"resourceQuotaSpec": {"hard": {"limits.nvidia.com/gpu": 1}}},
        },
        (Found("/spec/resourceQuotaSpec/hard/limits.nvidia.com~1gpu"),),
    ),
    Row(
        "another kind",
        {"apiVersion": "example.com/v1", "kind": "ResourceQuota", "spec": {"hard": {"limits.nvidia.com/gpu": 1}}},
    ),
    Row(
        "in a List",
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [quota({"requests.nvidia.com/gpu": 1}), quota({"limits.nvidia.com/gpu": 1})],
        },
        (Found("/items/1/spec/hard/limits.nvidia.com~1gpu"),),
    ),
    Row(
        "a portable name, under which no Pod is created",
        quota({"requests.gpu-admission.io/gpu-mem": "80Gi", "requests.nvidia.com/gpu": 4}),
        (
            Found(
                "/spec/hard/requests.gpu-admission.io~1gpu-mem",
                "warning",
                ["limits nothing", "translates the request for hami", "names that Pods arrive with"],
            ),
        ),
        policy={"backend": {"name": "hami"}},
    ),
    Row(
        "a portable name among limits is one finding",
        quota({"limits.gpu-admission.io/gpu-count": 8}),
        (Found("/spec/hard/limits.gpu-admission.io~1gpu-count", "warning"),),
    ),
    Row(
        "equal defaults",
        limit_range(default={GPU: 1}, defaultRequest={GPU: "1"}),
        (Found(ITEM + "default/nvidia.com~1gpu", "warning", ["every container", "sidecars"]),),
    ),
    Row(
        "a default alone is copied to the request",
        limit_range(default={GPU: 1}),
        (Found(ITEM + "default/nvidia.com~1gpu", "warning", "every container"),),
    ),
    Row("a default of none", limit_range(default={GPU: 0})),
    Row(
        "a name that does not exist",
        limit_range(default={"nvidia.com/gpus": 1}, max={"nvidia.com/gpus": 1}),
        (Found(ITEM + "default/nvidia.com~1gpus", "error", ["nvidia.com/gpus", "requests.nvidia.com/gpu"]),),
    ),
    Row("a name of nobody's", limit_range(default={"example.com/licence": 1})),
    Row(
        "half a card",
        quota({"requests.nvidia.com/gpu": "500m", "requests.nvidia.com/gpumem": "0.5"}),
        (Found("/spec/hard/requests.nvidia.com~1gpu", "warning", "whole"),),
    ),
    Row("placeholders", quota({"requests.{{ .Values.gpu }}": 1, "requests.$GPU_NAME": 1})),
    Row("ordinary items", quota({"requests.cpu": 1, "count/pods": 3, "pods": 1, "requests.example.com/licence": 1})),
    Row("objects of an API that begins like a GPU's", quota({"count/jobs.batch": 3, "count/gpus.example.com": 1})),
    Row("a range without gpus", limit_range(default={"cpu": 0.5}, max={"cpu": 4})),
    Row(
        "a fraction",
        limit_range(default={GPU: 0.5}),
        (Found(ITEM + "default/nvidia.com~1gpu", "error", "not a whole number"),),
    ),
    Row(
        "unreadable",
        limit_range(default={GPU: "half"}),
        (Found(ITEM + "default/nvidia.com~1gpu", "error", "not a whole number"),),
    ),
    Row("negative", limit_range(default={GPU: -1}), (Found(ITEM + "default/nvidia.com~1gpu"),)),
    Row(
        "unequal",
        limit_range(default={GPU: 2}, defaultRequest={GPU: 1}),
        (Found(ITEM + "defaultRequest/nvidia.com~1gpu", "error", "differs from its default 2"),),
    ),
    Row(
        "a request alone",
        limit_range(defaultRequest={GPU: 1}),
        (Found(ITEM + "defaultRequest/nvidia.com~1gpu", "error", "a request without a limit"),),
    ),
    Row(
        "a minimum alone becomes the request",
        limit_range(min={GPU: 1}),
        (Found(ITEM + "min/nvidia.com~1gpu", "error", "request without a limit"),),
    ),
    Row(
        "a maximum alone becomes the default",
        limit_range(max={GPU: 4}),
        (Found(ITEM + "max/nvidia.com~1gpu", "error", ["also the default", "ResourceQuota"]),),
    ),
    Row("a maximum of none", limit_range(max={GPU: 0})),
    Row("a maximum with a default of none", limit_range(max={GPU: 4}, default={GPU: 0})),
    Row(
        "a maximum for whole pods",
        limit_range("Pod", max={GPU: 4}),
        (Found(ITEM + "max/nvidia.com~1gpu", "error", "refuse every pod"),),
    ),
    Row("of another type", limit_range("PersistentVolumeClaim", max={GPU: 4})),
    Row("a placeholder", limit_range(max={GPU: "${MAX_GPUS}"})),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU010", case)
