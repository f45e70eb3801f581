import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, container, one

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Case("equal", one({"requests": {GPU: 1}, "limits": {GPU: 1}})),
    Case("equal by value", one({"requests": {GPU: "1000m"}, "limits": {GPU: "1"}})),
    Case("equal by value, exponents", one({"requests": {GPU: "1e3"}, "limits": {GPU: "1k"}})),
    Case("equal once Kubernetes has rounded up", one({"requests": {GPU: "0.9999"}, "limits": {GPU: 1}})),
    Case("equal once rounded up, in parts", one({"requests": {GPU: "999999.42u"}, "limits": {GPU: "1"}})),
    Case("requests only", one({"requests": {GPU: 1}})),
    Case("limits only", one({"limits": {GPU: 1}})),
    Case(
        "less",
        one({"requests": {GPU: 1}, "limits": {GPU: 2}}),
        (Expected(REQUEST, "error", ["sets nvidia.com/gpu: 1 in requests but 2 in limits", "write 2"]),),
        one({"requests": {GPU: 2}, "limits": {GPU: 2}}),
    ),
    Case(
        "more",
        one({"requests": {GPU: "3"}, "limits": {GPU: "2"}}),
        (Expected(REQUEST, "error", 'nvidia.com/gpu: "3" in requests but "2" in limits'),),
        one({"requests": {GPU: "2"}, "limits": {GPU: "2"}}),
    ),
    Case(
        "a fraction of a whole limit is found once, here",
        one({"requests": {GPU: 0.5}, "limits": {GPU: 1}}),
        (Expected(REQUEST, "error", "0.5"),),
        one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Case(
        "nothing is zero, and zero is not one",
        one({"requests": {GPU: None}, "limits": {GPU: 1}}),
        (Expected(REQUEST, "error", "null"),),
        one({"requests": {GPU: 1}, "limits": {GPU: 1}}),
    ),
    Case(
        "huge exponents are compared in no time",
        one({"requests": {GPU: "1e1000000"}, "limits": {GPU: "1"}}),
        (Expected(REQUEST),),
        one({"requests": {GPU: "1"}, "limits": {GPU: "1"}}),
    ),
    Case("a fractional limit has to be mended first", one({"requests": {GPU: 1}, "limits": {GPU: 0.5}})),
    Case("an unreadable one too", one({"requests": {GPU: 1}, "limits": {GPU: "two"}})),
    Case("and a negative one", one({"requests": {GPU: 1}, "limits": {GPU: -1}})),
    Case("a placeholder", one({"requests": {GPU: 1}, "limits": {GPU: "{{ gpus }}"}})),
    Case(
        "a template of a custom kind, at admission",
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "spec": {
                "headGroupSpec": {
                    "template": {"spec": {"containers": [container({"requests": {GPU: 1}, "limits": {GPU: 2}})]}}
                }
            },
        },
        (Expected("/spec/headGroupSpec/template/spec/containers/0/resources/requests/nvidia.com~1gpu"),),
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "spec": {
                "headGroupSpec": {
                    "template": {"spec": {"containers": [container({"requests": {GPU: 2}, "limits": {GPU: 2}})]}}
                }
            },
        },
        origin="admission",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU002", case)
