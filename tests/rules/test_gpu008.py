import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, requesting, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

HERE = "/spec/containers/0/"
GOOD = one({"limits": {GPU: 1}})
MANY = [requesting({}, name="a"), requesting({}, name="b")]
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}


def deployment(spec):
    return {**DEPLOYMENT, "spec": {"template": {"spec": spec}}}


def annotated(field, said, resources=None):
    made = pod(requesting(resources or {}))
    return {**made, "metadata": {**made["metadata"], field: said}}


CASES = [
    Row("in its place", one({"limits": {GPU: 1}, "requests": {GPU: 1}})),
    Row(
        "straight under resources",
        one({GPU: 1}),
        (
            Found(
                HERE + "resources/nvidia.com~1gpu",
                "error",
                ['container "train" has nvidia.com/gpu: 1 straight under resources', "resources.limits of"],
                fix="unsafe",
            ),
        ),
        fixed=GOOD,
    ),
    Row(
        "beside limits that stayed empty",
        one({"limits": None, GPU: 1}),
        (Found(HERE + "resources/nvidia.com~1gpu", fix="unsafe"),),
        fixed=GOOD,
    ),
    Row(
        "beside limits that hold something",
        one({"limits": {"cpu": 1}, GPU: 1}),
        (Found(HERE + "resources/nvidia.com~1gpu", fix="unsafe"),),
        fixed=one({"limits": {"cpu": 1, GPU: 1}}),
    ),
    Row(
        "beside the same in its place",
        one({"limits": {GPU: 1}, GPU: 1}),
        (Found(HERE + "resources/nvidia.com~1gpu", fix="unsafe"),),
        fixed=GOOD,
    ),
    Row(
        "beside another amount: which one was meant?",
        one({"limits": {GPU: 2}, GPU: 1}),
        (Found(HERE + "resources/nvidia.com~1gpu"),),
    ),
    Row(
        "limits beside resources",
        pod({"name": "train", "image": "example.com/train:1", "resources": None, "limits": {GPU: 1}}),
        (Found(HERE + "limits/nvidia.com~1gpu", "error", "under its own limits", fix="unsafe"),),
        fixed=GOOD,
    ),
    Row(
        "limits and requests without resources",
        pod({"name": "train", "image": "example.com/train:1", "limits": {GPU: 1}, "requests": {GPU: 1}}),
        (Found(HERE + "limits/nvidia.com~1gpu", fix="unsafe"), Found(HERE + "requests/nvidia.com~1gpu", fix="unsafe")),
        fixed=GOOD,
    ),
    Row(
        "unequal limits and requests without resources: the limit moves, the rest is the author's",
        pod({"name": "train", "image": "example.com/train:1", "limits": {GPU: 1}, "requests": {GPU: 2}}),
        (Found(HERE + "limits/nvidia.com~1gpu", fix="unsafe"), Found(HERE + "requests/nvidia.com~1gpu", fix="unsafe")),
        fixed=pod(
            {"name": "train", "image": "example.com/train:1", "requests": {GPU: 2}, "resources": {"limits": {GPU: 1}}}
        ),
    ),
    Row(
        "requests only, without resources",
        pod({"name": "train", "image": "example.com/train:1", "requests": {GPU: 1, "cpu": 1}}),
        (Found(HERE + "requests/nvidia.com~1gpu", "error", "resources.limits of", fix="unsafe"),),
        fixed=pod(
            {"name": "train", "image": "example.com/train:1", "requests": {"cpu": 1}, "resources": {"limits": {GPU: 1}}}
        ),
    ),
    Row(
        "beside the container's name",
        pod({"name": "train", "image": "example.com/train:1", GPU: 1}),
        (Found(HERE + "nvidia.com~1gpu", "error", "beside its name", fix="unsafe"),),
        fixed=GOOD,
    ),
    Row(
        "requests within limits",
        one({"limits": {GPU: 1, "requests": {GPU: 1}}}),
        (Found(HERE + "resources/limits/requests/nvidia.com~1gpu", "error", "under limits.requests", fix="unsafe"),),
        fixed=GOOD,
        storable=False,
    ),
    Row(
        "a list for a mapping",
        one({"limits": [{"cpu": 1}, {GPU: 1}]}),
        (Found(HERE + "resources/limits/1/nvidia.com~1gpu", "error", "in a list under limits", fix="unsafe"),),
        fixed=one({"limits": {"cpu": 1, GPU: 1}}),
    ),
    Row(
        "a list that says two things",
        one({"limits": [{GPU: 2}, {GPU: 1}]}),
        (Found(HERE + "resources/limits/0/nvidia.com~1gpu"), Found(HERE + "resources/limits/1/nvidia.com~1gpu")),
    ),
    Row(
        "the resources of the whole pod",
        deployment({"containers": [requesting({})], "resources": {"limits": {GPU: 1}}}),
        (
            Found(
                "/spec/template/spec/resources/limits/nvidia.com~1gpu",
                "error",
                ["the pod has", "of the whole pod", 'limits of container "train"'],
                fix="unsafe",
            ),
        ),
        fixed=deployment({"containers": [requesting({"limits": {GPU: 1}})]}),
    ),
    Row(
        "the resources of the whole pod hold more",
        deployment({"containers": [requesting({})], "resources": {"limits": {"cpu": 4, GPU: 1}}}),
        (Found("/spec/template/spec/resources/limits/nvidia.com~1gpu", fix="unsafe"),),
        fixed=deployment({"containers": [requesting({"limits": {GPU: 1}})], "resources": {"limits": {"cpu": 4}}}),
    ),
    Row(
        "the resources of the whole pod, in a template that shows no images",
        deployment({"containers": [{"name": "train"}], "resources": {"requests": {GPU: 1}}}),
        (Found("/spec/template/spec/resources/requests/nvidia.com~1gpu", fix="unsafe"),),
        fixed=deployment({"containers": [{"name": "train", "resources": {"limits": {GPU: 1}}}]}),
    ),
    Row(
        "in the pod's spec, of two containers",
        pod(*MANY, **{GPU: 1}),
        (Found("/spec/nvidia.com~1gpu", "error", "resources.limits of the container that needs it"),),
    ),
    Row(
        "under limits of the pod's spec",
        pod(requesting({}), limits={GPU: 1}),
        (Found("/spec/limits/nvidia.com~1gpu", fix="unsafe"),),
        fixed=GOOD,
    ),
    *(
        Row(
            f"a portable name among the {field}",
            annotated(field, {"gpu-admission.io/gpu-mem": "8Gi", "owner": "me"}),
            (Found(f"/metadata/{field}/gpu-admission.io~1gpu-mem", "error", f"among the {field}", fix="unsafe"),),
            fixed=annotated(field, {"owner": "me"}, {"limits": {"gpu-admission.io/gpu-mem": "8Gi"}}),
        )
        for field in ("annotations", "labels")
    ),
    Row("a label called like a resource", annotated("labels", {GPU: "1", "aliyun.com/gpu-mem": "8"})),
    Row(
        "an annotation that repeats what a container requests",
        annotated("annotations", {"gpu-admission.io/gpu-mem": "8Gi"}, {"limits": {GPU: 1}}),
    ),
    Row(
        "a number in the nodeSelector",
        pod(requesting({}), nodeSelector={GPU: 1, "zone": "a"}),
        (Found("/spec/nodeSelector/nvidia.com~1gpu", "error", "in the nodeSelector", fix="unsafe"),),
        fixed=pod(requesting({"limits": {GPU: 1}}), nodeSelector={"zone": "a"}),
    ),
    Row(
        "a count as text in the nodeSelector may be a label",
        pod(requesting({}), nodeSelector={GPU: "1"}),
        (Found("/spec/nodeSelector/nvidia.com~1gpu", "warning", fix="unsafe"),),
        fixed=one({"limits": {GPU: "1"}}),
    ),
    Row(
        "a count in the nodeSelector of a pod that asks", pod(requesting({"limits": {GPU: 1}}), nodeSelector={GPU: "1"})
    ),
    Row(
        "a count in the nodeSelector of a pod with a resource claim",
        pod(requesting({}), nodeSelector={GPU: 1}, resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}]),
    ),
    Row(
        "a count in the nodeSelector of a pod that requests such a card by another name",
        pod(requesting({"limits": {"volcano.sh/vgpu-number": 1}}), nodeSelector={GPU: "1"}),
    ),
    Row(
        "a count in the nodeSelector of a pod that requests another vendor's card",
        pod(requesting({"limits": {"amd.com/gpu": 1}}), nodeSelector={GPU: "1"}),
        (Found("/spec/nodeSelector/nvidia.com~1gpu", "warning", fix="unsafe"),),
        fixed=pod(requesting({"limits": {"amd.com/gpu": 1, GPU: "1"}})),
    ),
    Row(
        "a Pod inside another object at admission: nothing has been dropped from it yet",
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Experiment",
            "spec": {"trialTemplate": {"trialSpec": one({GPU: 1})}},
        },
        (Found("/spec/trialTemplate/trialSpec/spec/containers/0/resources/nvidia.com~1gpu", fix="unsafe"),),
        fixed={
            "apiVersion": "kubeflow.org/v1",
            "kind": "Experiment",
            "spec": {"trialTemplate": {"trialSpec": one({"limits": {GPU: 1}})}},
        },
        origin="admission",
    ),
    *(
        Row(f"a label: {name}: {value}", pod(requesting({}), nodeSelector={name: value}))
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
    Row(
        "a label or annotation of the pod",
        {**GOOD, "metadata": {"name": "p", "labels": {GPU: "1"}, "annotations": {GPU: "1"}}},
    ),
    Row("a placeholder", one({GPU: "$N"})),
    Row("a Pod at admission: unknown fields never arrive", one({GPU: 1}), origin="admission"),
    Row(
        "an unknown kind may have limits of its own in its containers",
        {
            "apiVersion": "example.com/v1",
            "kind": "Fleet",
            "spec": {"containers": [{"name": "a", "image": "b", "limits": {GPU: 1}}], "resources": {GPU: 1}},
        },
    ),
    Row(
        "every misplaced resource of a container",
        one({GPU: 1, "nvidia.com/gpumem": 4000}),
        (
            Found(HERE + "resources/nvidia.com~1gpu", fix="unsafe"),
            Found(HERE + "resources/nvidia.com~1gpumem", fix="unsafe"),
        ),
        fixed=one({"limits": {GPU: 1, "nvidia.com/gpumem": 4000}}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU008", case)
