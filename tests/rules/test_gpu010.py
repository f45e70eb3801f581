import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check

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
    Case("requests", quota({"requests.nvidia.com/gpu": 8, "limits.cpu": 4, "pods": 3})),
    Case(
        "limits",
        quota({"limits.nvidia.com/gpu": 8}),
        (Expected("/spec/hard/limits.nvidia.com~1gpu", "error", ["limits nothing", "requests.nvidia.com/gpu: 8"]),),
    ),
    Case("bare", quota({GPU: "8"}), (Expected("/spec/hard/nvidia.com~1gpu", "error", "requests.nvidia.com/gpu"),)),
    Case(
        "limits beside requests",
        quota({"requests.nvidia.com/gpu": 8, "limits.nvidia.com/gpu": 8}),
        (Expected("/spec/hard/limits.nvidia.com~1gpu", "error", "stands there already"),),
    ),
    Case(
        "a slice", quota({"limits.nvidia.com/mig-1g.5gb": 8}), (Expected("/spec/hard/limits.nvidia.com~1mig-1g.5gb"),)
    ),
    Case("HAMi reads limits", quota({"limits.nvidia.com/gpu": 8}), policy={"backend": {"name": "hami"}}),
    Case("HAMi's own names tell", quota({"limits.nvidia.com/gpu": 2, "limits.nvidia.com/gpumem": 2000})),
    Case(
        "HAMi does not read the bare name",
        quota({GPU: 8}),
        (Expected("/spec/hard/nvidia.com~1gpu"),),
        policy={"backend": {"name": "hami"}},
    ),
    Case(
        "OpenShift",
        {
            "apiVersion": "quota.openshift.io/v1",
            "kind": "ClusterResourceQuota",
            "spec": {"quota": {"hard": {"limits.nvidia.com/gpu": 1}}},
        },
        (Expected("/spec/quota/hard/limits.nvidia.com~1gpu"),),
    ),
    Case(
        "Kubeflow",
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Profile",
            "spec": {"resourceQuotaSpec": {"hard": {"limits.nvidia.com/gpu": 1}}},
        },
        (Expected("/spec/resourceQuotaSpec/hard/limits.nvidia.com~1gpu"),),
    ),
    Case(
        "another kind",
        {"apiVersion": "example.com/v1", "kind": "ResourceQuota", "spec": {"hard": {"limits.nvidia.com/gpu": 1}}},
    ),
    Case(
        "in a List",
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [quota({"requests.nvidia.com/gpu": 1}), quota({"limits.nvidia.com/gpu": 1})],
        },
        (Expected("/items/1/spec/hard/limits.nvidia.com~1gpu"),),
    ),
    Case(
        "a portable name, under which no Pod is created",
        quota({"requests.gpu-admission.io/gpu-mem": "80Gi", "requests.nvidia.com/gpu": 4}),
        (
            Expected(
                "/spec/hard/requests.gpu-admission.io~1gpu-mem",
                "warning",
                ["limits nothing", "translates the request for hami", "names that Pods arrive with"],
            ),
        ),
        policy={"backend": {"name": "hami"}},
    ),
    Case(
        "a portable name among limits is one finding",
        quota({"limits.gpu-admission.io/gpu-count": 8}),
        (Expected("/spec/hard/limits.gpu-admission.io~1gpu-count", "warning"),),
    ),
    Case(
        "equal defaults",
        limit_range(default={GPU: 1}, defaultRequest={GPU: "1"}),
        (Expected(ITEM + "default/nvidia.com~1gpu", "warning", ["every container", "sidecars"]),),
    ),
    Case(
        "a default alone is copied to the request",
        limit_range(default={GPU: 1}),
        (Expected(ITEM + "default/nvidia.com~1gpu", "warning", "every container"),),
    ),
    Case("a default of none", limit_range(default={GPU: 0})),
    Case(
        "a name that does not exist",
        limit_range(default={"nvidia.com/gpus": 1}, max={"nvidia.com/gpus": 1}),
        (Expected(ITEM + "default/nvidia.com~1gpus", "error", ["nvidia.com/gpus", "requests.nvidia.com/gpu"]),),
    ),
    Case("a name of nobody's", limit_range(default={"example.com/licence": 1})),
    Case(
        "half a card",
        quota({"requests.nvidia.com/gpu": "500m", "requests.nvidia.com/gpumem": "0.5"}),
        (Expected("/spec/hard/requests.nvidia.com~1gpu", "warning", "whole"),),
    ),
    Case("placeholders", quota({"requests.{{ .Values.gpu }}": 1, "requests.$GPU_NAME": 1})),
    Case("ordinary items", quota({"requests.cpu": 1, "count/pods": 3, "pods": 1, "requests.example.com/licence": 1})),
    Case("objects of an API that begins like a GPU's", quota({"count/jobs.batch": 3, "count/gpus.example.com": 1})),
    Case("a range without gpus", limit_range(default={"cpu": 0.5}, max={"cpu": 4})),
    Case(
        "a fraction",
        limit_range(default={GPU: 0.5}),
        (Expected(ITEM + "default/nvidia.com~1gpu", "error", "not a whole number"),),
    ),
    Case(
        "unreadable",
        limit_range(default={GPU: "half"}),
        (Expected(ITEM + "default/nvidia.com~1gpu", "error", "not a whole number"),),
    ),
    Case("negative", limit_range(default={GPU: -1}), (Expected(ITEM + "default/nvidia.com~1gpu"),)),
    Case(
        "unequal",
        limit_range(default={GPU: 2}, defaultRequest={GPU: 1}),
        (Expected(ITEM + "defaultRequest/nvidia.com~1gpu", "error", "differs from its default 2"),),
    ),
    Case(
        "a request alone",
        limit_range(defaultRequest={GPU: 1}),
        (Expected(ITEM + "defaultRequest/nvidia.com~1gpu", "error", "a request without a limit"),),
    ),
    Case(
        "a minimum alone becomes the request",
        limit_range(min={GPU: 1}),
        (Expected(ITEM + "min/nvidia.com~1gpu", "error", "request without a limit"),),
    ),
    Case(
        "a maximum alone becomes the default",
        limit_range(max={GPU: 4}),
        (Expected(ITEM + "max/nvidia.com~1gpu", "error", ["also the default", "ResourceQuota"]),),
    ),
    Case("a maximum of none", limit_range(max={GPU: 0})),
    Case("a maximum with a default of none", limit_range(max={GPU: 4}, default={GPU: 0})),
    Case(
        "a maximum for whole pods",
        limit_range("Pod", max={GPU: 4}),
        (Expected(ITEM + "max/nvidia.com~1gpu", "error", "refuse every pod"),),
    ),
    Case("of another type", limit_range("PersistentVolumeClaim", max={GPU: 4})),
    Case("a placeholder", limit_range(max={GPU: "${MAX_GPUS}"})),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU010", case)
