import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, requesting, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

FOUND = (
    Found(
        REQUEST, "error", ['container "train" sets nvidia.com/gpu: 1', "not in limits", "resources.limits"], fix="safe"
    ),
)

CASES = [
    Row("limits only", one({"limits": {GPU: 1}})),
    Row("both", one({"requests": {GPU: 1}, "limits": {GPU: 1}})),
    Row("both, unequal, is another rule's", one({"requests": {GPU: 1}, "limits": {GPU: 2}})),
    Row("no gpu", one({"requests": {"cpu": 1}})),
    Row("an extended resource that is no gpu", one({"requests": {"example.com/licence": 1}})),
    *[
        Row(
            f"an unknown name with gpu in it: {name}",
            one({"requests": {name: 1}}),
            (Found(REQUESTS + name.replace("/", "~1"), "error", name, fix="safe"),),
            fixed=one({"requests": {name: 1}, "limits": {name: 1}}),
            origin=origin,
        )
        for name in ("example.com/gpu", "keti.com/mpsGPU", "nvidia.com/gpu0", "nvidia.com/GRID_vgpu-1Q")
        for origin in ("file", "admission")
    ],
    Row("an unknown name with a limit", one({"requests": {"example.com/gpu": 1}, "limits": {"example.com/gpu": 1}})),
    Row("a misspelt name is GPU007's", one({"requests": {"nvidia.com/gpus": 1}})),
    Row("a placeholder for a name", one({"requests": {"{{ .Values.gpu }}/x": 1}})),
    Row("no extended resource, which is GPU007's", one({"requests": {"gpu": 1, "a_b.com/gpu": 1}})),
    Row("gpu in what is not a name's amount", one({"requests": {"example.com/gpu": [1]}})),
    Row(
        "requests only",
        one({"requests": {GPU: 1}}),
        FOUND,
        fixed=one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Row(
        "the same at admission, on a Pod",
        one({"requests": {GPU: 1}}),
        FOUND,
        fixed=one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
        origin="admission",
    ),
    Row(
        "limits hold something else",
        one({"requests": {GPU: 1}, "limits": {"memory": "1Gi"}}),
        FOUND,
        fixed=one({"requests": {GPU: 1}, "limits": {"memory": "1Gi", GPU: 1}}),
    ),
    Row(
        "limits are null, which Kubernetes reads as absent",
        one({"requests": {GPU: 1}, "limits": None}),
        FOUND,
        fixed=one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Row(
        "the spelling is kept",
        one({"requests": {GPU: "1000m"}}),
        (Found(REQUEST, "error", 'nvidia.com/gpu: "1000m"', fix="safe"),),
        fixed=one({"requests": {GPU: "1000m"}, "limits": {GPU: "1000m"}}),
    ),
    Row(
        "a zero needs its limit too",
        one({"requests": {GPU: 0}}),
        (Found(REQUEST, fix="safe"),),
        fixed=one({"requests": {GPU: 0}, "limits": {GPU: 0}}),
    ),
    Row(
        "every container and every resource, init containers and sidecars as well",
        pod(
            requesting({"requests": {GPU: 1, "nvidia.com/gpumem": 4000}}),
            requesting({"requests": {"amd.com/gpu": 1}}, name="amd"),
            initContainers=[
                requesting({"requests": {GPU: 1}}, name="setup"),
                requesting({"requests": {GPU: 1}}, name="proxy", restartPolicy="Always"),
            ],
        ),
        (
            Found(REQUEST, "error", 'container "train"', fix="safe"),
            Found(REQUESTS + "nvidia.com~1gpumem", "error", "nvidia.com/gpumem: 4000", fix="safe"),
            Found("/spec/containers/1/resources/requests/amd.com~1gpu", "error", 'container "amd"', fix="safe"),
            Found(
                "/spec/initContainers/0/resources/requests/nvidia.com~1gpu",
                "error",
                'init container "setup"',
                fix="safe",
            ),
            Found(
                "/spec/initContainers/1/resources/requests/nvidia.com~1gpu",
                "error",
                'sidecar container "proxy"',
                fix="safe",
            ),
        ),
        fixed=pod(
            requesting(
                {
                    "requests": {GPU: 1, "nvidia.com/gpumem": 4000},
                    "limits": {GPU: 1, "nvidia.com/gpumem": 4000},
                }
            ),
            requesting({"requests": {"amd.com/gpu": 1}, "limits": {"amd.com/gpu": 1}}, name="amd"),
            initContainers=[
                requesting({"requests": {GPU: 1}, "limits": {GPU: 1}}, name="setup"),
                requesting({"requests": {GPU: 1}, "limits": {GPU: 1}}, name="proxy", restartPolicy="Always"),
            ],
        ),
    ),
    Row("an unreadable amount is GPU004's", one({"requests": {GPU: "one"}})),
    Row("a negative amount is GPU004's", one({"requests": {GPU: -1}})),
    Row("a placeholder", one({"requests": {GPU: "${GPUS}"}})),
    Row(
        "a patch of kustomize: the limit may stand in the base",
        pod({"name": "train", "resources": {"requests": {GPU: 1}}}),
    ),
    Row(
        "resources without a container, in a custom kind",
        {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "spec": {"trainer": {"resourcesPerNode": {"requests": {GPU: 2}}}},
        },
        (
            Found(
                "/spec/trainer/resourcesPerNode/requests/nvidia.com~1gpu",
                "error",
                '"trainer" of the TrainJob sets',
                fix="safe",
            ),
        ),
        fixed={
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "spec": {"trainer": {"resourcesPerNode": {"requests": {GPU: 2}, "limits": {GPU: 2}}}},
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU001", case)
