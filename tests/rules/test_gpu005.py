import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Case("limits only", one({"limits": {GPU: 1}})),
    Case("requests only is GPU001's", one({"requests": {GPU: 1}})),
    Case("unequal is GPU002's", one({"limits": {GPU: 1}, "requests": {GPU: 2}})),
    Case("unreadable is GPU004's", one({"limits": {GPU: "x"}, "requests": {GPU: "x"}})),
    Case(
        "the emptied mapping goes too",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        (
            Expected(
                REQUEST, "info", ["nvidia.com/gpu: 1 in requests", "leave nvidia.com/gpu out of resources.requests"]
            ),
        ),
        one({"limits": {GPU: 1}}),
    ),
    Case(
        "what else is requested stays",
        one({"limits": {GPU: 1}, "requests": {GPU: "1", "cpu": 2}}),
        (Expected(REQUEST, "info", '"1"'),),
        one({"limits": {GPU: 1}, "requests": {"cpu": 2}}),
    ),
    Case(
        "several, and nothing else",
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {GPU: 1, "nvidia.com/gpumem": 10}}),
        (Expected(REQUEST, "info"), Expected(REQUESTS + "nvidia.com~1gpumem", "info")),
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}}),
    ),
    Case(
        "several, of which one differs",
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {GPU: 1, "nvidia.com/gpumem": 9}}),
        (Expected(REQUEST, "info"),),
        one({"limits": {GPU: 1, "nvidia.com/gpumem": 10}, "requests": {"nvidia.com/gpumem": 9}}),
    ),
    Case(
        "a Pod at admission, where the copy has been made",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        origin="admission",
    ),
    Case(
        "a patch of kustomize may override the base's request",
        pod({"name": "train", "resources": {"limits": {GPU: 2}, "requests": {GPU: 2}}}),
    ),
    Case("a placeholder on both sides", one({"limits": {GPU: "$N"}, "requests": {GPU: "$N"}})),
    Case(
        "strict policies make it an error",
        one({"limits": {GPU: 1}, "requests": {GPU: 1}}),
        (Expected(REQUEST, "error"),),
        one({"limits": {GPU: 1}}),
        policy={"rules": {"GPU005": "deny"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU005", case)
