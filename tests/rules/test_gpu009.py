import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, requesting, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

LIMITED = {"limits": {"perContainer": 8, "perPod": 10, "counts": [1, 2, 4, 8, 16]}}
NODES = {"cluster": {"cards": [{"model": "A30-24", "perNode": 4}, {"model": "A100-80", "perNode": 8}]}}


def wants_gpu(count, name="train", **more):
    return requesting({"limits": {GPU: count}}, name=name, **more)


LAST = "/spec/containers/1/resources/limits/nvidia.com~1gpu"

CASES = [
    Row("no limits", one({"limits": {GPU: 10**6}})),
    Row("allowed", one({"limits": {GPU: 8}}), policy=LIMITED),
    Row(
        "too many",
        one({"limits": {GPU: 16}}),
        (Found(LIMIT, "warning", ["nvidia.com/gpu: 16", "allows 8"]),),
        policy=LIMITED,
    ),
    Row(
        "no allowed count",
        one({"limits": {GPU: 3}}),
        (Found(LIMIT, "warning", "only 1, 2, 4, 8, 16"),),
        policy=LIMITED,
    ),
    Row(
        "two containers, together too many",
        pod(wants_gpu(8, "a"), wants_gpu(4, "b")),
        (Found(LAST, "warning", ["12 GPUs", "allows 10"]),),
        policy=LIMITED,
    ),
    Row(
        "one too big by itself is one mistake",
        pod(wants_gpu(16, "a"), wants_gpu(4, "b")),
        (Found(LIMIT, "warning"),),
        policy=LIMITED,
    ),
    Row(
        "init containers run one after the other",
        pod(wants_gpu(4), initContainers=[wants_gpu(8, "a"), wants_gpu(8, "b")]),
        policy=LIMITED,
    ),
    Row(
        "sidecars stay",
        pod(wants_gpu(8), initContainers=[wants_gpu(4, "proxy", restartPolicy="Always")]),
        (Found(LIMIT, "warning", "12 GPUs"),),
        policy=LIMITED,
    ),
    Row(
        "an init container runs beside the sidecars before it",
        pod(wants_gpu(1), initContainers=[wants_gpu(4, "proxy", restartPolicy="Always"), wants_gpu(8, "setup")]),
        (Found(LIMIT, "warning", "12 GPUs"),),
        policy=LIMITED,
    ),
    Row(
        "but not beside those after it",
        pod(wants_gpu(1), initContainers=[wants_gpu(8, "setup"), wants_gpu(4, "proxy", restartPolicy="Always")]),
        policy=LIMITED,
    ),
    Row("fits the largest node", one({"limits": {GPU: 8}}), policy=NODES),
    Row(
        "fits no node",
        one({"limits": {GPU: 9}}),
        (Found(LIMIT, "warning", ["largest node has 8", "stay Pending forever"]),),
        policy=NODES,
    ),
    Row(
        "fits no node together",
        pod(wants_gpu(8, "a"), wants_gpu(1, "b")),
        (Found(LAST, "warning", ["9 GPUs", "has 8"]),),
        policy=NODES,
    ),
    Row("a node of unknown size", one({"limits": {GPU: 9}}), policy={"cluster": {"cards": [{"model": "A100-80"}]}}),
    *[
        Row(f"{name} are not the cards that the nodes are known for", one({"limits": {name: 16}}), policy=NODES)
        for name in ("aws.amazon.com/neuron", "amd.com/gpu", "habana.ai/gaudi", "google.com/tpu")
    ],
    Row(
        "nor do they add up with them",
        pod(wants_gpu(8), requesting({"limits": {"aws.amazon.com/neuron": 16}}, name="b")),
        policy=NODES,
    ),
    Row(
        "cards of a model that only the administrator knows may be anybody's",
        one({"limits": {"amd.com/gpu": 9}}),
        (Found(LIMITS + "amd.com~1gpu", "warning", "largest node has 8"),),
        policy={"cluster": {"cards": [{"model": "MI300X", "memory": "192Gi", "perNode": 8}]}},
    ),
    Row(
        "a limit of the policy is everybody's",
        one({"limits": {"aws.amazon.com/neuron": 16}}),
        (Found(LIMITS + "aws.amazon.com~1neuron", "warning", "allows 8"),),
        policy=LIMITED,
    ),
    Row("slices are smaller than cards", one({"limits": {"nvidia.com/mig-1g.10gb": 20}}), policy=NODES),
    Row("shares too", one({"limits": {GPU: 20}}), policy={**NODES, "backend": {"name": "time-slicing"}}),
    Row("memory is no count", one({"limits": {"nvidia.com/gpumem": 9000}}), policy={**LIMITED, **NODES}),
    Row(
        "unreadable, fractional and negative are others'",
        pod(wants_gpu("x", "a"), wants_gpu(99.5, "b"), wants_gpu(-99, "c")),
        policy=LIMITED,
    ),
    Row("a huge amount", one({"limits": {GPU: "1e1000000"}}), (Found(LIMIT, "warning"),), policy=LIMITED),
    Row("a placeholder", one({"limits": {GPU: "$N"}}), policy=LIMITED),
    Row("none is not too many of none", one({"limits": {GPU: 0}}), policy={"limits": {"perContainer": 0}}),
    Row(
        "one is",
        one({"limits": {GPU: 1}}),
        (Found(LIMIT, "warning", "allows 0"),),
        policy={"limits": {"perContainer": 0}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU009", case)
