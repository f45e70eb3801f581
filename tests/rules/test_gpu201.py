"""GPU201: which tolerations count, which are added, and to what."""

import pytest

from rules.table import Found, Row, container, pod, template, verify

TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
POLICY = {"tolerations": [TAINT]}
OTHER = {"key": "dedicated", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}
MISSING = (Found("/spec", "info", ("requests a GPU", "nvidia.com/gpu:NoSchedule", "add the toleration"), "safe"),)
MISSING_IN_LIST = (MISSING[0]._replace(pointer="/spec/tolerations"),)


def tolerating(*tolerations, gpu=1):
    return pod(container(gpu=gpu), tolerations=list(tolerations))


def covered(name, **toleration):
    return Row(name, tolerating(toleration), (), POLICY)


ROWS = [
    Row("nothing tolerated", pod(container(gpu=1)), MISSING, POLICY, tolerating(TAINT)),
    Row("a null list", pod(container(gpu=1), tolerations=None), MISSING, POLICY, tolerating(TAINT)),
    Row("an empty list", tolerating(), MISSING_IN_LIST, POLICY, tolerating(TAINT)),
    Row("only something else", tolerating(OTHER), MISSING_IN_LIST, POLICY, tolerating(OTHER, TAINT)),
    Row(
        "what ExtendedResourceToleration adds for another name",
        tolerating({**TAINT, "key": "volcano.sh/vgpu-number"}, gpu={"volcano.sh/vgpu-number": 1}),
        MISSING_IN_LIST,
        POLICY,
        tolerating({**TAINT, "key": "volcano.sh/vgpu-number"}, TAINT, gpu={"volcano.sh/vgpu-number": 1}),
    ),
    Row(
        "another effect",
        tolerating({**TAINT, "effect": "NoExecute"}),
        MISSING_IN_LIST,
        POLICY,
        tolerating({**TAINT, "effect": "NoExecute"}, TAINT),
    ),
    Row(
        "a key alone is Equal to nothing's key",
        tolerating({"effect": "NoSchedule"}),
        MISSING_IN_LIST,
        POLICY,
        tolerating({"effect": "NoSchedule"}, TAINT),
    ),
    covered("the same", **TAINT),
    covered("every effect", key="nvidia.com/gpu", operator="Exists"),
    covered("an empty effect", key="nvidia.com/gpu", operator="Exists", effect=""),
    covered("a null effect", key="nvidia.com/gpu", operator="Exists", effect=None),
    covered("everything", operator="Exists"),
    covered("everything, an empty key", key="", operator="Exists", value=""),
    covered(
        "a value of the author's choice", key="nvidia.com/gpu", operator="Equal", value="present", effect="NoSchedule"
    ),
    covered("no operator means Equal", key="nvidia.com/gpu", value="true", effect="NoSchedule"),
    covered("no operator and no value", key="nvidia.com/gpu", effect="NoSchedule"),
    covered("with seconds", **TAINT, tolerationSeconds=60),
    Row("no GPU", pod(container()), (), POLICY),
    Row("an explicit zero", pod(container(gpu={"nvidia.com/gpu": 0})), (), POLICY),
    Row("the policy names no taint", pod(container(gpu=1)), ()),
    Row("a list that is none", pod(container(gpu=1), tolerations={"key": "nvidia.com/gpu"}), (), POLICY),
    Row("a kustomize patch", pod({"name": "train", "resources": {"limits": {"nvidia.com/gpu": 1}}}), (), POLICY),
    Row(
        "the exact value of the policy",
        tolerating({**TAINT, "operator": "Equal", "value": "a100"}),
        (MISSING_IN_LIST[0]._replace(words=("nvidia.com/gpu=t4:NoSchedule",)),),
        {"tolerations": [{**TAINT, "operator": "Equal", "value": "t4"}]},
        tolerating({**TAINT, "operator": "Equal", "value": "a100"}, {**TAINT, "operator": "Equal", "value": "t4"}),
    ),
    Row(
        "the exact value is met by any",
        tolerating({"key": "nvidia.com/gpu", "operator": "Exists"}),
        (),
        {"tolerations": [{**TAINT, "operator": "Equal", "value": "t4"}]},
    ),
    Row(
        "a policy's toleration of every effect is not met by one",
        tolerating(TAINT),
        (MISSING_IN_LIST[0]._replace(words=("nvidia.com/gpu",)),),
        {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]},
        tolerating(TAINT, {"key": "nvidia.com/gpu", "operator": "Exists"}),
    ),
    Row(
        "nor need it be met by PreferNoSchedule, which keeps nothing away",
        tolerating(TAINT, {**TAINT, "effect": "NoExecute"}),
        (),
        {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]},
    ),
    Row(
        "several at once, each once",
        pod(container(gpu=1)),
        (MISSING[0]._replace(words=("nvidia.com/gpu:NoSchedule", "pool=gpu:NoExecute")),),
        {"tolerations": [TAINT, {"key": "pool", "value": "gpu", "effect": "NoExecute", "tolerationSeconds": 60}]},
        tolerating(
            TAINT, {"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoExecute", "tolerationSeconds": 60}
        ),
    ),
    Row(
        "another vendor's taint is not this one's",
        pod(container(gpu={"amd.com/gpu": 1})),
        (),
        {"tolerations": [{**TAINT, "vendors": ["nvidia"]}]},
    ),
    Row(
        "a portable request follows the backend's cards",
        pod(container(gpu={"gpu-admission.io/gpu-mem": "8Gi"})),
        MISSING,
        {"tolerations": [{**TAINT, "vendors": ["nvidia"]}]},
        tolerating(TAINT, gpu={"gpu-admission.io/gpu-mem": "8Gi"}),
    ),
    Row(
        "a resource that the policy adds follows its domain",
        pod(container(gpu={"nvidia.com/a100": 1})),
        MISSING,
        {"tolerations": [{**TAINT, "vendors": ["nvidia"]}], "resources": {"extra": ["nvidia.com/a100"]}},
        tolerating(TAINT, gpu={"nvidia.com/a100": 1}),
    ),
    Row(
        "KAI asks by annotation",
        pod(container(), annotations={"gpu-fraction": "0.5"}),
        MISSING,
        POLICY,
        pod(container(), annotations={"gpu-fraction": "0.5"}, tolerations=[TAINT]),
    ),
    Row(
        "an init container asks",
        pod(container(), initContainers=[container("setup", gpu=1)]),
        MISSING,
        POLICY,
        pod(container(), initContainers=[container("setup", gpu=1)], tolerations=[TAINT]),
    ),
    Row(
        "a template",
        template("Deployment", container(gpu=1)),
        (MISSING[0]._replace(pointer="/spec/template/spec"),),
        POLICY,
        template("Deployment", container(gpu=1), tolerations=[TAINT]),
    ),
    Row(
        "Knative would refuse it in a template",
        template("Service", container(gpu=1), api_version="serving.knative.dev/v1"),
        (),
        POLICY,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_missing_toleration(row):
    verify("GPU201", row)
