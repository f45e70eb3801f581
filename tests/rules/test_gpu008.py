import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, container, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

HERE = "/spec/containers/0/"
GOOD = one({"limits": {GPU: 1}})
MANY = [container({}, name="a"), container({}, name="b")]
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}


def deployment(spec):
    return {**DEPLOYMENT, "spec": {"template": {"spec": spec}}}


def annotated(field, said, resources=None):
    made = pod(container(resources or {}))
    return {**made, "metadata": {**made["metadata"], field: said}}


CASES = [
    Case("in its place", one({"limits": {GPU: 1}, "requests": {GPU: 1}})),
    Case(
        "straight under resources",
        one({GPU: 1}),
        (
            Expected(
                HERE + "resources/nvidia.com~1gpu",
                "error",
                ['container "train" has nvidia.com/gpu: 1 straight under resources', "resources.limits of"],
            ),
        ),
        GOOD,
    ),
    Case(
        "beside limits that stayed empty",
        one({"limits": None, GPU: 1}),
        (Expected(HERE + "resources/nvidia.com~1gpu"),),
        GOOD,
    ),
    Case(
        "beside limits that hold something",
        one({"limits": {"cpu": 1}, GPU: 1}),
        (Expected(HERE + "resources/nvidia.com~1gpu"),),
        one({"limits": {"cpu": 1, GPU: 1}}),
    ),
    Case(
        "beside the same in its place",
        one({"limits": {GPU: 1}, GPU: 1}),
        (Expected(HERE + "resources/nvidia.com~1gpu"),),
        GOOD,
    ),
    Case(
        "beside another amount: which one was meant?",
        one({"limits": {GPU: 2}, GPU: 1}),
        (Expected(HERE + "resources/nvidia.com~1gpu"),),
    ),
    Case(
        "limits beside resources",
        pod({"name": "train", "image": "example.com/train:1", "resources": None, "limits": {GPU: 1}}),
        (Expected(HERE + "limits/nvidia.com~1gpu", "error", "under its own limits"),),
        GOOD,
    ),
    Case(
        "limits and requests without resources",
        pod({"name": "train", "image": "example.com/train:1", "limits": {GPU: 1}, "requests": {GPU: 1}}),
        (Expected(HERE + "limits/nvidia.com~1gpu"), Expected(HERE + "requests/nvidia.com~1gpu")),
        GOOD,
    ),
    Case(
        "unequal limits and requests without resources: the limit moves, the rest is the author's",
        pod({"name": "train", "image": "example.com/train:1", "limits": {GPU: 1}, "requests": {GPU: 2}}),
        (Expected(HERE + "limits/nvidia.com~1gpu"), Expected(HERE + "requests/nvidia.com~1gpu")),
        pod({"name": "train", "image": "example.com/train:1", "requests": {GPU: 2}, "resources": {"limits": {GPU: 1}}}),
    ),
    Case(
        "requests only, without resources",
        pod({"name": "train", "image": "example.com/train:1", "requests": {GPU: 1, "cpu": 1}}),
        (Expected(HERE + "requests/nvidia.com~1gpu", "error", "resources.limits of"),),
        pod(
            {"name": "train", "image": "example.com/train:1", "requests": {"cpu": 1}, "resources": {"limits": {GPU: 1}}}
        ),
    ),
    Case(
        "beside the container's name",
        pod({"name": "train", "image": "example.com/train:1", GPU: 1}),
        (Expected(HERE + "nvidia.com~1gpu", "error", "beside its name"),),
        GOOD,
    ),
    Case(
        "requests within limits",
        one({"limits": {GPU: 1, "requests": {GPU: 1}}}),
        (Expected(HERE + "resources/limits/requests/nvidia.com~1gpu", "error", "under limits.requests"),),
        GOOD,
    ),
    Case(
        "a list for a mapping",
        one({"limits": [{"cpu": 1}, {GPU: 1}]}),
        (Expected(HERE + "resources/limits/1/nvidia.com~1gpu", "error", "in a list under limits"),),
        one({"limits": {"cpu": 1, GPU: 1}}),
    ),
    Case(
        "a list that says two things",
        one({"limits": [{GPU: 2}, {GPU: 1}]}),
        (Expected(HERE + "resources/limits/0/nvidia.com~1gpu"), Expected(HERE + "resources/limits/1/nvidia.com~1gpu")),
    ),
    Case(
        "the resources of the whole pod",
        deployment({"containers": [container({})], "resources": {"limits": {GPU: 1}}}),
        (
            Expected(
                "/spec/template/spec/resources/limits/nvidia.com~1gpu",
                "error",
                ["the pod has", "of the whole pod", 'limits of container "train"'],
            ),
        ),
        deployment({"containers": [container({"limits": {GPU: 1}})]}),
    ),
    Case(
        "the resources of the whole pod hold more",
        deployment({"containers": [container({})], "resources": {"limits": {"cpu": 4, GPU: 1}}}),
        (Expected("/spec/template/spec/resources/limits/nvidia.com~1gpu"),),
        deployment({"containers": [container({"limits": {GPU: 1}})], "resources": {"limits": {"cpu": 4}}}),
    ),
    Case(
        "the resources of the whole pod, in a template that shows no images",
        deployment({"containers": [{"name": "train"}], "resources": {"requests": {GPU: 1}}}),
        (Expected("/spec/template/spec/resources/requests/nvidia.com~1gpu"),),
        deployment({"containers": [{"name": "train", "resources": {"limits": {GPU: 1}}}]}),
    ),
    Case(
        "in the pod's spec, of two containers",
        pod(*MANY, **{GPU: 1}),
        (Expected("/spec/nvidia.com~1gpu", "error", "resources.limits of the container that needs it"),),
    ),
    Case(
        "under limits of the pod's spec",
        pod(container({}), limits={GPU: 1}),
        (Expected("/spec/limits/nvidia.com~1gpu"),),
        GOOD,
    ),
    *(
        Case(
            f"a portable name among the {field}",
            annotated(field, {"gpu-admission.io/gpu-mem": "8Gi", "owner": "me"}),
            (Expected(f"/metadata/{field}/gpu-admission.io~1gpu-mem", "error", f"among the {field}"),),
            annotated(field, {"owner": "me"}, {"limits": {"gpu-admission.io/gpu-mem": "8Gi"}}),
        )
        for field in ("annotations", "labels")
    ),
    Case("a label called like a resource", annotated("labels", {GPU: "1", "aliyun.com/gpu-mem": "8"})),
    Case(
        "an annotation that repeats what a container requests",
        annotated("annotations", {"gpu-admission.io/gpu-mem": "8Gi"}, {"limits": {GPU: 1}}),
    ),
    Case(
        "a number in the nodeSelector",
        pod(container({}), nodeSelector={GPU: 1, "zone": "a"}),
        (Expected("/spec/nodeSelector/nvidia.com~1gpu", "error", "in the nodeSelector"),),
        pod(container({"limits": {GPU: 1}}), nodeSelector={"zone": "a"}),
    ),
    Case(
        "a count as text in the nodeSelector may be a label",
        pod(container({}), nodeSelector={GPU: "1"}),
        (Expected("/spec/nodeSelector/nvidia.com~1gpu", "warning"),),
        one({"limits": {GPU: "1"}}),
    ),
    Case(
        "a count in the nodeSelector of a pod that asks", pod(container({"limits": {GPU: 1}}), nodeSelector={GPU: "1"})
    ),
    Case(
        "a count in the nodeSelector of a pod with a resource claim",
        pod(container({}), nodeSelector={GPU: 1}, resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}]),
    ),
    Case(
        "a count in the nodeSelector of a pod that requests such a card by another name",
        pod(container({"limits": {"volcano.sh/vgpu-number": 1}}), nodeSelector={GPU: "1"}),
    ),
    Case(
        "a count in the nodeSelector of a pod that requests another vendor's card",
        pod(container({"limits": {"amd.com/gpu": 1}}), nodeSelector={GPU: "1"}),
        (Expected("/spec/nodeSelector/nvidia.com~1gpu", "warning"),),
        pod(container({"limits": {"amd.com/gpu": 1, GPU: "1"}})),
    ),
    Case(
        "a Pod inside another object at admission: nothing has been dropped from it yet",
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Experiment",
            "spec": {"trialTemplate": {"trialSpec": one({GPU: 1})}},
        },
        (Expected("/spec/trialTemplate/trialSpec/spec/containers/0/resources/nvidia.com~1gpu"),),
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Experiment",
            "spec": {"trialTemplate": {"trialSpec": one({"limits": {GPU: 1}})}},
        },
        origin="admission",
    ),
    *(
        Case(f"a label: {name}: {value}", pod(container({}), nodeSelector={name: value}))
        for name, value in [
            (GPU, "true"),
            (GPU, "present"),
            (GPU, ""),
            (GPU, "0"),
            ("nvidia.com/gpu.product", "A100"),
            ("nvidia.com/gpu.count", "8"),
            ("nvidia.com/gpu.present", "true"),
            ("accelerator", "1"),
        ]
    ),
    Case(
        "a label or annotation of the pod",
        {**GOOD, "metadata": {"name": "p", "labels": {GPU: "1"}, "annotations": {GPU: "1"}}},
    ),
    Case("a placeholder", one({GPU: "$N"})),
    Case("a Pod at admission: unknown fields never arrive", one({GPU: 1}), origin="admission"),
    Case(
        "an unknown kind may have limits of its own in its containers",
        {
            "apiVersion": "example.com/v1",
            "kind": "Fleet",
            "spec": {"containers": [{"name": "a", "image": "b", "limits": {GPU: 1}}], "resources": {GPU: 1}},
        },
    ),
    Case(
        "every stray of a container, and each resource",
        one({GPU: 1, "nvidia.com/gpumem": 4000}),
        (Expected(HERE + "resources/nvidia.com~1gpu"), Expected(HERE + "resources/nvidia.com~1gpumem")),
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 4000}}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU008", case)
