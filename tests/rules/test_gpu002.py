import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, requesting, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Row("equal", one({"requests": {GPU: 1}, "limits": {GPU: 1}})),
    Row("equal by value", one({"requests": {GPU: "1000m"}, "limits": {GPU: "1"}})),
    Row("equal by value, exponents", one({"requests": {GPU: "1e3"}, "limits": {GPU: "1k"}})),
    Row("equal once Kubernetes has rounded up", one({"requests": {GPU: "0.9999"}, "limits": {GPU: 1}})),
    Row("equal once rounded up, in parts", one({"requests": {GPU: "999999.42u"}, "limits": {GPU: "1"}})),
    Row("requests only", one({"requests": {GPU: 1}})),
    Row("limits only", one({"limits": {GPU: 1}})),
    Row(
        "less",
        one({"requests": {GPU: 1}, "limits": {GPU: 2}}),
        (Found(REQUEST, "error", ["sets nvidia.com/gpu: 1 in requests but 2 in limits", "write 2"], fix="unsafe"),),
        fixed=one({"requests": {GPU: 2}, "limits": {GPU: 2}}),
    ),
    Row(
        "more",
        one({"requests": {GPU: "3"}, "limits": {GPU: "2"}}),
        (Found(REQUEST, "error", 'nvidia.com/gpu: "3" in requests but "2" in limits', fix="unsafe"),),
        fixed=one({"requests": {GPU: "2"}, "limits": {GPU: "2"}}),
    ),
    Row(
        "a fraction of a whole limit is found once, here",
        one({"requests": {GPU: 0.5}, "limits": {GPU: 1}}),
        (Found(REQUEST, "error", "0.5", fix="unsafe"),),
        fixed=one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Row(
        "nothing is zero, and zero is not one",
        one({"requests": {GPU: None}, "limits": {GPU: 1}}),
        (Found(REQUEST, "error", "null", fix="unsafe"),),
        fixed=one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Row(
        "huge exponents are compared in no time",
        one({"requests": {GPU: "1e1000000"}, "limits": {GPU: "1"}}),
        (Found(REQUEST, fix="unsafe"),),
        fixed=one({"requests": {GPU: "1"}, "limits": {GPU: "1"}}),
    ),
    Row("a fractional limit has to be mended first", one({"requests": {GPU: 1}, "limits": {GPU: 0.5}})),
    Row("an unreadable one too", one({"requests": {GPU: 1}, "limits": {GPU: "two"}})),
    Row("and a negative one", one({"requests": {GPU: 1}, "limits": {GPU: -1}})),
    Row("a placeholder", one({"requests": {GPU: 1}, "limits": {GPU: "{{ gpus }}"}})),
    Row(
        "a template of a custom kind, at admission",
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "spec": {
                "headGroupSpec": {
                    "template": {"spec": {"containers": [requesting({"requests": {GPU: 1}, "limits": {GPU: 2}})]}}
                }
            },
        },
        (Found("/spec/headGroupSpec/template/spec/containers/0/resources/requests/nvidia.com~1gpu", fix="unsafe"),),
        fixed={
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "spec": {
                "headGroupSpec": {
                    "template": {"spec": {"containers": [requesting({"requests": {GPU: 2}, "limits": {GPU: 2}})]}}
                }
            },
        },
        origin="admission",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU002", case)
