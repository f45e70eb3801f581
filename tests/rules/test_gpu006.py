import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, one, pod

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Case("one", one({"limits": {GPU: 1}})),
    Case("none", one({"limits": {"cpu": 0}})),
    *(
        Case(f"zero: {raw!r}", one({"limits": {GPU: raw}}), (Expected(LIMIT, "warning", ["reserves none", "void"]),))
        for raw in (0, "0", "-0", "0Gi", 0.0, ".")
    ),
    Case("on both sides", one({"limits": {GPU: 0}, "requests": {GPU: "0"}}), (Expected(LIMIT, "warning"),)),
    Case("the smallest amount is not zero", one({"limits": {GPU: "0.0000000001"}})),
    Case("a request that differs is GPU002's", one({"limits": {GPU: 0}, "requests": {GPU: 1}})),
    Case("requests only is GPU001's", one({"requests": {GPU: 0}})),
    Case("a forgotten number", one({"limits": {GPU: None}}), (Expected(LIMIT, "warning", ["null", "reads as 0"]),)),
    Case("a null deletes a key in a patch", pod({"name": "train", "resources": {"limits": {GPU: None}}})),
    Case("no cores and no memory mean no limit to some backends", one({"limits": {GPU: 1, "nvidia.com/gpucores": 0}})),
    Case(
        "a MIG slice",
        one({"limits": {"nvidia.com/mig-1g.5gb": 0}}),
        (Expected(LIMITS + "nvidia.com~1mig-1g.5gb", "warning"),),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU006", case)
