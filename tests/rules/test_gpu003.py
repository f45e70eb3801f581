import pytest

from rules.table import LIMITS, REQUESTS, Found, Row, one, verify

GPU = "nvidia.com/gpu"
LIMIT, REQUEST = LIMITS + "nvidia.com~1gpu", REQUESTS + "nvidia.com~1gpu"

# The API server's verdicts, as observed on 1.36 (an extended resource, in limits).
WHOLE = [
    1, "1", "01", "+1", "1.", 1.0, "1000m", "1000000u", "1e3", "1E6", "10e-1", "1k", "1Ki", "1E", "1.5Gi", " 1", "1 ",
    0, "0", "-0", ".", "Gi", "e3", None, "1e1000000", "9223372036854775808",
]  # fmt: skip
FRACTIONS = [
    0.5, ".5", "0.5", "500m", "1500m", "1n", "5e-1", "0.1Ki", "1.0000000001", "0.0000000001",
    "1Ei", "99999999999999999999", 1.5, "1e-1000000",
]  # fmt: skip

CASES = [
    Row("too large to be told", one({"limits": {GPU: "1Ei"}}), (Found(LIMIT, "error", "too large for Kubernetes"),)),
    *(Row(f"whole: {raw!r}", one({"limits": {GPU: raw}})) for raw in WHOLE),
    *(Row(f"fraction: {raw!r}", one({"limits": {GPU: raw}}), (Found(LIMIT, "error", "whole"),)) for raw in FRACTIONS),
    Row(
        "both sides alike are one mistake",
        one({"limits": {GPU: 0.5}, "requests": {GPU: "500m"}}),
        (Found(LIMIT, "error", ["nvidia.com/gpu: 0.5 in limits", "nvidia.com/gpu: 1"]),),
    ),
    Row(
        "two different fractions are two",
        one({"limits": {GPU: 0.5}, "requests": {GPU: 0.25}}),
        (Found(LIMIT, "error", "0.5"), Found(REQUEST, "error", "0.25")),
    ),
    Row("requests only", one({"requests": {GPU: 0.5}}), (Found(REQUEST, "error", "0.5 in requests"),)),
    Row("a fraction beside a whole limit differs from it: GPU002", one({"limits": {GPU: 1}, "requests": {GPU: 0.5}})),
    Row("beside an unreadable limit", one({"limits": {GPU: "x"}, "requests": {GPU: 0.5}}), (Found(REQUEST),)),
    Row("negative is GPU004's", one({"limits": {GPU: "-0.5"}})),
    Row("a placeholder", one({"limits": {GPU: "$GPUS"}})),
    Row("bytes of memory are whole", one({"limits": {"gpu-admission.io/gpu-mem": "0.5Gi"}})),
    Row(
        "half a byte is not",
        one({"limits": {"gpu-admission.io/gpu-mem": 0.5}}),
        (Found(LIMITS + "gpu-admission.io~1gpu-mem", "error", ["only accepts whole numbers", "8Gi"]),),
    ),
    Row(
        "memory in units",
        one({"limits": {"nvidia.com/gpumem": 0.5}}),
        (Found(LIMITS + "nvidia.com~1gpumem", "error", "write nvidia.com/gpumem as a whole number"),),
    ),
    Row(
        "without sharing",
        one({"limits": {GPU: 0.5}}),
        (Found(LIMIT, "error", "shares no GPU"),),
        policy={"backend": {"name": "exclusive"}},
    ),
    *(
        Row(
            f"shared by memory: {backend}",
            one({"limits": {GPU: 0.5}}),
            (Found(LIMIT, "error", "request memory instead: gpu-admission.io/gpu-mem: 8Gi"),),
            policy={"backend": {"name": backend}},
        )
        for backend in ("mig", "gpushare", "volcano", "volcano-vgpu", "hami", "kai", "koordinator", "dra")
    ),
    Row(
        "shared by count",
        one({"limits": {GPU: 0.5}}),
        (Found(LIMIT, "error", "write nvidia.com/gpu: 1, which in this cluster is a share"),),
        policy={"backend": {"name": "time-slicing"}},
    ),
    Row(
        "shared by count, renamed",
        one({"limits": {GPU: 0.5}}),
        (Found(LIMIT, "error", "write nvidia.com/gpu.shared: 1"),),
        policy={"backend": {"name": "mps", "renameByDefault": True}},
    ),
    Row(
        "another vendor's card is not shared by an NVIDIA backend",
        one({"limits": {"amd.com/gpu": 0.5}}),
        (Found(LIMITS + "amd.com~1gpu", "error", "write a whole number, say amd.com/gpu: 1"),),
        policy={"backend": {"name": "hami"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    verify("GPU003", case)
