import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

HERE = "/spec/containers/0/"

CASES = [
    Case("limits, requests and claims", one({"limits": {GPU: 1}, "requests": {GPU: 1}, "claims": [{"name": "gpu"}]})),
    *(
        Case(
            f"{key} means {side}",
            one({key: {GPU: 1}}),
            (Expected(HERE + f"resources/{key}", "warning", [f'has "{key}"', f'knows "{side}"']),),
            one({side: {GPU: 1}}),
        )
        for key, side in [
            ("limit", "limits"),
            ("Limits", "limits"),
            ("limts", "limits"),
            ("LIMITS", "limits"),
            ("limist", "limits"),
            ("request", "requests"),
            ("Requests", "requests"),
            ("reqests", "requests"),
            ("requets", "requests"),
        ]
    ),
    Case(
        "beside a gpu",
        one({"limits": {GPU: 1}, "request": {"cpu": 1}}),
        (Expected(HERE + "resources/request", "warning"),),
        one({"limits": {GPU: 1}, "requests": {"cpu": 1}}),
    ),
    Case(
        "the right key is there as well",
        one({"limits": {GPU: 1}, "limit": {"cpu": 1}}),
        (Expected(HERE + "resources/limit", "warning", 'move what stands under it to "limits"'),),
    ),
    Case("no gpu in sight", one({"limit": {"cpu": 1}})),
    Case("another word", one({"limits": {GPU: 1}, "notes": {"a": 1}})),
    Case(
        "misspelt resources",
        pod({"name": "train", "image": "example.com/train:1", "resource": {"limits": {GPU: 1}}}),
        (Expected(HERE + "resource", "warning", 'knows "resources"'),),
        one({"limits": {GPU: 1}}),
    ),
    Case("misspelt resources without a gpu", pod({"name": "a", "image": "b", "resource": {"limits": {"cpu": 1}}})),
    Case(
        "a kind that may have keys of its own",
        {
            "apiVersion": "example.com/v1",
            "kind": "Fleet",
            "spec": {"pool": {"resources": {"limits": {GPU: 1}, "request": {"cpu": 1}}}},
        },
    ),
    Case("a Pod at admission: unknown fields never arrive", one({"limit": {GPU: 1}}), origin="admission"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU011", case)
