import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, container, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

FOUND = (Expected(REQUEST, "error", ['container "train" sets nvidia.com/gpu: 1', "not in limits", "resources.limits"]),)

CASES = [
    Case("limits only", one({"limits": {GPU: 1}})),
    Case("both", one({"requests": {GPU: 1}, "limits": {GPU: 1}})),
    Case("both, unequal, is another rule's", one({"requests": {GPU: 1}, "limits": {GPU: 2}})),
    Case("no gpu", one({"requests": {"cpu": 1}})),
    Case("an extended resource that is no gpu", one({"requests": {"example.com/licence": 1}})),
    *[
        Case(
            f"an unknown name with gpu in it: {name}",
            one({"requests": {name: 1}}),
            (Expected(REQUESTS + name.replace("/", "~1"), "error", name),),
            one({"requests": {name: 1}, "limits": {name: 1}}),
            origin=origin,
        )
        for name in ("example.com/gpu", "keti.com/mpsGPU", "nvidia.com/gpu0", "nvidia.com/GRID_vgpu-1Q")
        for origin in ("file", "admission")
    ],
    Case("an unknown name with a limit", one({"requests": {"example.com/gpu": 1}, "limits": {"example.com/gpu": 1}})),
    Case("a misspelt name is GPU007's", one({"requests": {"nvidia.com/gpus": 1}})),
    Case("a placeholder for a name", one({"requests": {"{{ .Values.gpu }}/x": 1}})),
    Case("no extended resource, which is GPU007's", one({"requests": {"gpu": 1, "a_b.com/gpu": 1}})),
    Case("gpu in what is not a name's amount", one({"requests": {"example.com/gpu": [1]}})),
    Case(
        "requests only",
        one({"requests": {GPU: 1}}),
        FOUND,
        one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Case(
        "the same at admission, on a Pod",
        one({"requests": {GPU: 1}}),
        FOUND,
        one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
        origin="admission",
    ),
    Case(
        "limits hold something else",
        one({"requests": {GPU: 1}, "limits": {"memory": "1Gi"}}),
        FOUND,
        one({"requests": {GPU: 1}, "limits": {"memory": "1Gi", GPU: 1}}),
    ),
    Case(
        "limits are null, which Kubernetes reads as absent",
        one({"requests": {GPU: 1}, "limits": None}),
        FOUND,
        one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Case(
        "the spelling is kept",
        one({"requests": {GPU: "1000m"}}),
        (Expected(REQUEST, "error", 'nvidia.com/gpu: "1000m"'),),
        one({"requests": {GPU: "1000m"}, "limits": {GPU: "1000m"}}),
    ),
    Case(
        "a zero needs its limit too",
        one({"requests": {GPU: 0}}),
        (Expected(REQUEST),),
        one({"requests": {GPU: 0}, "limits": {GPU: 0}}),
    ),
    Case(
        "every container and every resource, init containers and sidecars as well",
        pod(
            container({"requests": {GPU: 1, "nvidia.com/gpumem": 4000}}),
            container({"requests": {"amd.com/gpu": 1}}, name="amd"),
            initContainers=[
                container({"requests": {GPU: 1}}, name="setup"),
                container({"requests": {GPU: 1}}, name="proxy", restartPolicy="Always"),
            ],
        ),
        (
            Expected(REQUEST, "error", 'container "train"'),
            Expected(REQUESTS + "nvidia.com~1gpumem", "error", "nvidia.com/gpumem: 4000"),
            Expected("/spec/containers/1/resources/requests/amd.com~1gpu", "error", 'container "amd"'),
            Expected("/spec/initContainers/0/resources/requests/nvidia.com~1gpu", "error", 'init container "setup"'),
            Expected("/spec/initContainers/1/resources/requests/nvidia.com~1gpu", "error", 'sidecar container "proxy"'),
        ),
        pod(
            container(
                {
                    "requests": {GPU: 1, "nvidia.com/gpumem": 4000},
                    "limits": {GPU: 1, "nvidia.com/gpumem": 4000},
                }
            ),
            container({"requests": {"amd.com/gpu": 1}, "limits": {"amd.com/gpu": 1}}, name="amd"),
            initContainers=[
                container({"requests": {GPU: 1}, "limits": {GPU: 1}}, name="setup"),
                container({"requests": {GPU: 1}, "limits": {GPU: 1}}, name="proxy", restartPolicy="Always"),
            ],
        ),
    ),
    Case("an unreadable amount is GPU004's", one({"requests": {GPU: "one"}})),
    Case("a negative amount is GPU004's", one({"requests": {GPU: -1}})),
    Case("a placeholder", one({"requests": {GPU: "${GPUS}"}})),
    Case(
        "a patch of kustomize: the limit may stand in the base",
        pod({"name": "train", "resources": {"requests": {GPU: 1}}}),
    ),
    Case(
        "resources without a container, in a custom kind",
        {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "spec": {"trainer": {"resourcesPerNode": {"requests": {GPU: 2}}}},
        },
        (
            Expected(
                "/spec/trainer/resourcesPerNode/requests/nvidia.com~1gpu", "error", '"trainer" of the TrainJob sets'
            ),
        ),
        {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "spec": {"trainer": {"resourcesPerNode": {"requests": {GPU: 2}, "limits": {GPU: 2}}}},
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU001", case)
