import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

READABLE = [1, "1", "1Gi", "500m", None, "-0", " 1", "1e1000000", 0.5]
UNREADABLE = [
    "", True, False, "1K", "1g", "1_000", "1,000", "0x10", "1e", "1mm", "1.1.1", "--1", "1e3m", "1 Gi", "NaN", "\u0661",
    "\uff11", "one", "1\n1", [], [1], {}, {"value": 1}, float("inf"), float("nan"), "1 GPU", "\x1b[31m1", 10**400,
]  # fmt: skip

CASES = [
    *(Row(f"readable: {raw!r}", one({"limits": {GPU: raw}})) for raw in READABLE),
    *(
        Row(
            f"unreadable: {str(raw)[:20]!r}",
            one({"limits": {GPU: raw}}),
            (Found(LIMIT, "error", "not a Kubernetes quantity"),),
            storable=raw == raw,  # noqa: PLR0124 - but for NaN
        )
        for raw in UNREADABLE
    ),
    *(
        Row(f"negative: {raw!r}", one({"limits": {GPU: raw}}), (Found(LIMIT, "error", "cannot be negative"),))
        for raw in (-1, "-1", "-0.5", "-1Gi", "-1e-1000000")
    ),
    Row(
        "the reason is given",
        one({"limits": {GPU: "1K"}}),
        (Found(LIMIT, "error", ['container "train" sets nvidia.com/gpu in limits', '"1K"', '"1k"']),),
    ),
    Row("both sides alike are one mistake", one({"limits": {GPU: "x"}, "requests": {GPU: "x"}}), (Found(LIMIT),)),
    Row(
        "two different ones are two",
        one({"limits": {GPU: "x"}, "requests": {GPU: -1}}),
        (Found(LIMIT, "error", "in limits"), Found(REQUEST, "error", "in requests")),
    ),
    Row("true is not 1", one({"limits": {GPU: 1}, "requests": {GPU: True}}), (Found(REQUEST),)),
    Row("in requests only", one({"requests": {GPU: "x"}}), (Found(REQUEST),)),
    Row(
        "memory too",
        one({"limits": {"aliyun.com/gpu-mem": "3GB"}}),
        (Found(LIMITS + "aliyun.com~1gpu-mem", "error", "3G"),),
    ),
    *(
        Row(f"placeholder: {raw}", one({"limits": {GPU: raw}}))
        for raw in (
            "$GPU_PER_NODE",
            "${GPUS:-1}",
            "$(params.gpus)",
            "{{ .Values.gpus }}",
            "{% gpus %}",
            "<number_of_gpus>",
            "?*",
            "*",
            "GPU_COUNT",
            "@GPUS@",
            "%GPUS%",
            "__GPUS__",
        )
    ),
    Row(
        "nobody fills in a placeholder at admission",
        one({"limits": {GPU: "${GPUS}"}}),
        (Found(LIMIT, "error", '"${GPUS}" is not a Kubernetes quantity'),),
        origin="admission",
    ),
    Row("a dollar is no placeholder by itself", one({"limits": {GPU: "1$"}}), (Found(LIMIT),)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU004", case)
