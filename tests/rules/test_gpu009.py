import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, container, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

LIMITED = {"limits": {"perContainer": 8, "perPod": 10, "counts": [1, 2, 4, 8, 16]}}
NODES = {"cluster": {"cards": [{"model": "A30-24", "perNode": 4}, {"model": "A100-80", "perNode": 8}]}}


def wants_gpu(count, name="train", **more):
    return container({"limits": {GPU: count}}, name=name, **more)


LAST = "/spec/containers/1/resources/limits/nvidia.com~1gpu"

CASES = [
    Case("no limits", one({"limits": {GPU: 10**6}})),
    Case("allowed", one({"limits": {GPU: 8}}), policy=LIMITED),
    Case(
        "too many",
        one({"limits": {GPU: 16}}),
        (Expected(LIMIT, "warning", ["nvidia.com/gpu: 16", "allows 8"]),),
        policy=LIMITED,
    ),
    Case(
        "no allowed count",
        one({"limits": {GPU: 3}}),
        (Expected(LIMIT, "warning", "only 1, 2, 4, 8, 16"),),
        policy=LIMITED,
    ),
    Case(
        "two containers, together too many",
        pod(wants_gpu(8, "a"), wants_gpu(4, "b")),
        (Expected(LAST, "warning", ["12 GPUs", "allows 10"]),),
        policy=LIMITED,
    ),
    Case(
        "one too big by itself is one mistake",
        pod(wants_gpu(16, "a"), wants_gpu(4, "b")),
        (Expected(LIMIT, "warning"),),
        policy=LIMITED,
    ),
    Case(
        "init containers run one after the other",
        pod(wants_gpu(4), initContainers=[wants_gpu(8, "a"), wants_gpu(8, "b")]),
        policy=LIMITED,
    ),
    Case(
        "sidecars stay",
        pod(wants_gpu(8), initContainers=[wants_gpu(4, "proxy", restartPolicy="Always")]),
        (Expected(LIMIT, "warning", "12 GPUs"),),
        policy=LIMITED,
    ),
    Case(
        "an init container runs beside the sidecars before it",
        pod(wants_gpu(1), initContainers=[wants_gpu(4, "proxy", restartPolicy="Always"), wants_gpu(8, "setup")]),
        (Expected(LIMIT, "warning", "12 GPUs"),),
        policy=LIMITED,
    ),
    Case(
        "but not beside those after it",
        pod(wants_gpu(1), initContainers=[wants_gpu(8, "setup"), wants_gpu(4, "proxy", restartPolicy="Always")]),
        policy=LIMITED,
    ),
    Case("fits the largest node", one({"limits": {GPU: 8}}), policy=NODES),
    Case(
        "fits no node",
        one({"limits": {GPU: 9}}),
        (Expected(LIMIT, "warning", ["largest node has 8", "stay Pending forever"]),),
        policy=NODES,
    ),
    Case(
        "fits no node together",
        pod(wants_gpu(8, "a"), wants_gpu(1, "b")),
        (Expected(LAST, "warning", ["9 GPUs", "has 8"]),),
        policy=NODES,
    ),
    Case("a node of unknown size", one({"limits": {GPU: 9}}), policy={"cluster": {"cards": [{"model": "A100-80"}]}}),
    *[
        Case(f"{name} are not the cards that the nodes are known for", one({"limits": {name: 16}}), policy=NODES)
        for name in ("aws.amazon.com/neuron", "amd.com/gpu", "habana.ai/gaudi", "google.com/tpu")
    ],
    Case(
        "nor do they add up with them",
        pod(wants_gpu(8), container({"limits": {"aws.amazon.com/neuron": 16}}, name="b")),
        policy=NODES,
    ),
    Case(
        "cards of a model that only the administrator knows may be anybody's",
        one({"limits": {"amd.com/gpu": 9}}),
        (Expected(LIMITS + "amd.com~1gpu", "warning", "largest node has 8"),),
        policy={"cluster": {"cards": [{"model": "MI300X", "memory": "192Gi", "perNode": 8}]}},
    ),
    Case(
        "a limit of the policy is everybody's",
        one({"limits": {"aws.amazon.com/neuron": 16}}),
        (Expected(LIMITS + "aws.amazon.com~1neuron", "warning", "allows 8"),),
        policy=LIMITED,
    ),
    Case("slices are smaller than cards", one({"limits": {"nvidia.com/mig-1g.10gb": 20}}), policy=NODES),
    Case("shares too", one({"limits": {GPU: 20}}), policy={**NODES, "backend": {"name": "time-slicing"}}),
    Case("memory is no count", one({"limits": {"nvidia.com/gpumem": 9000}}), policy={**LIMITED, **NODES}),
    Case(
        "unreadable, fractional and negative are others'",
        pod(wants_gpu("x", "a"), wants_gpu(99.5, "b"), wants_gpu(-99, "c")),
        policy=LIMITED,
    ),
    Case("a huge amount", one({"limits": {GPU: "1e1000000"}}), (Expected(LIMIT, "warning"),), policy=LIMITED),
    Case("a placeholder", one({"limits": {GPU: "$N"}}), policy=LIMITED),
    Case("none is not too many of none", one({"limits": {GPU: 0}}), policy={"limits": {"perContainer": 0}}),
    Case(
        "one is",
        one({"limits": {GPU: 1}}),
        (Expected(LIMIT, "warning", "allows 0"),),
        policy={"limits": {"perContainer": 0}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU009", case)
