import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, pod, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

CASES = [
    Row("one", one({"limits": {GPU: 1}})),
    Row("none", one({"limits": {"cpu": 0}})),
    *(
        Row(f"zero: {raw!r}", one({"limits": {GPU: raw}}), (Found(LIMIT, "warning", ["reserves none", "void"]),))
        for raw in (0, "0", "-0", "0Gi", 0.0, ".")
    ),
    Row("on both sides", one({"limits": {GPU: 0}, "requests": {GPU: "0"}}), (Found(LIMIT, "warning"),)),
    Row("the smallest amount is not zero", one({"limits": {GPU: "0.0000000001"}})),
    Row("a request that differs is GPU002's", one({"limits": {GPU: 0}, "requests": {GPU: 1}})),
    Row("requests only is GPU001's", one({"requests": {GPU: 0}})),
    Row("a forgotten number", one({"limits": {GPU: None}}), (Found(LIMIT, "warning", ["null", "reads as 0"]),)),
    Row("a null deletes a key in a patch", pod({"name": "train", "resources": {"limits": {GPU: None}}})),
    Row("no cores and no memory mean no limit to some backends", one({"limits": {GPU: 1, "nvidia.com/gpucores": 0}})),
    Row(
        "a MIG slice",
        one({"limits": {"nvidia.com/mig-1g.5gb": 0}}),
        (Found(LIMITS + "nvidia.com~1mig-1g.5gb", "warning"),),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU006", case)
