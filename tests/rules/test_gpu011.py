import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

HERE = "/spec/containers/0/"

CASES = [
    Row("limits, requests and claims", one({"limits": {GPU: 1}, "requests": {GPU: 1}, "claims": [{"name": "gpu"}]})),
    *(
        Row(
            f"{key} means {side}",
            one({key: {GPU: 1}}),
            (Found(HERE + f"resources/{key}", "warning", [f'has "{key}"', f'expects "{side}"'], fix="unsafe"),),
            fixed=one({side: {GPU: 1}}),
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
    Row(
        "beside a gpu",
        one({"limits": {GPU: 1}, "request": {"cpu": 1}}),
        (Found(HERE + "resources/request", "warning", fix="unsafe"),),
        fixed=one({"limits": {GPU: 1}, "requests": {"cpu": 1}}),
        storable=False,
    ),
    Row(
        "the right key is there as well",
        one({"limits": {GPU: 1}, "limit": {"cpu": 1}}),
        (Found(HERE + "resources/limit", "warning", 'move its content to "limits"'),),
    ),
    Row("no gpu in sight", one({"limit": {"cpu": 1}})),
    Row("another word", one({"limits": {GPU: 1}, "notes": {"a": 1}})),
    Row(
        "misspelt resources",
        pod({"name": "train", "image": "example.com/train:1", "resource": {"limits": {GPU: 1}}}),
        (Found(HERE + "resource", "warning", 'expects "resources"', fix="unsafe"),),
        fixed=one({"limits": {GPU: 1}}),
        storable=False,
    ),
    Row("misspelt resources without a gpu", pod({"name": "a", "image": "b", "resource": {"limits": {"cpu": 1}}})),
    Row(
        "a kind that may have keys of its own",
        {
            "apiVersion": "example.com/v1",
            "kind": "Fleet",
            "spec": {"pool": {"resources": {"limits": {GPU: 1}, "request": {"cpu": 1}}}},
        },
    ),
    Row("a Pod at admission: unknown fields never arrive", one({"limit": {GPU: 1}}), origin="admission"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU011", case)
