import pytest
from rule_table import LIMITS, REQUESTS, Case, Expected, check, one

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
    Case(
        "too large to be told", one({"limits": {GPU: "1Ei"}}), (Expected(LIMIT, "error", "too large for Kubernetes"),)
    ),
    *(Case(f"whole: {raw!r}", one({"limits": {GPU: raw}})) for raw in WHOLE),
    *(
        Case(f"fraction: {raw!r}", one({"limits": {GPU: raw}}), (Expected(LIMIT, "error", "whole"),))
        for raw in FRACTIONS
    ),
    Case(
        "both sides alike are one mistake",
        one({"limits": {GPU: 0.5}, "requests": {GPU: "500m"}}),
        (Expected(LIMIT, "error", ["nvidia.com/gpu: 0.5 in limits", "nvidia.com/gpu: 1"]),),
    ),
    Case(
        "two different fractions are two",
        one({"limits": {GPU: 0.5}, "requests": {GPU: 0.25}}),
        (Expected(LIMIT, "error", "0.5"), Expected(REQUEST, "error", "0.25")),
    ),
    Case("requests only", one({"requests": {GPU: 0.5}}), (Expected(REQUEST, "error", "0.5 in requests"),)),
    Case("a fraction beside a whole limit differs from it: GPU002", one({"limits": {GPU: 1}, "requests": {GPU: 0.5}})),
    Case("beside an unreadable limit", one({"limits": {GPU: "x"}, "requests": {GPU: 0.5}}), (Expected(REQUEST),)),
    Case("negative is GPU004's", one({"limits": {GPU: "-0.5"}})),
    Case("a placeholder", one({"limits": {GPU: "$GPUS"}})),
    Case("bytes of memory are whole", one({"limits": {"gpu-admission.io/gpu-mem": "0.5Gi"}})),
    Case(
        "half a byte is not",
        one({"limits": {"gpu-admission.io/gpu-mem": 0.5}}),
        (Expected(LIMITS + "gpu-admission.io~1gpu-mem", "error", ["only accepts whole numbers", "8Gi"]),),
    ),
    Case(
        "memory in units",
        one({"limits": {"nvidia.com/gpumem": 0.5}}),
        (Expected(LIMITS + "nvidia.com~1gpumem", "error", "write nvidia.com/gpumem as a whole number"),),
    ),
    Case(
        "without sharing",
        one({"limits": {GPU: 0.5}}),
        (Expected(LIMIT, "error", "shares no GPU"),),
        policy={"backend": {"name": "exclusive"}},
    ),
    *(
        Case(
            f"shared by memory: {backend}",
            one({"limits": {GPU: 0.5}}),
            (Expected(LIMIT, "error", "request memory instead: gpu-admission.io/gpu-mem: 8Gi"),),
            policy={"backend": {"name": backend}},
        )
        for backend in ("mig", "gpushare", "volcano", "volcano-vgpu", "hami", "kai", "koordinator", "dra")
    ),
    Case(
        "shared by count",
        one({"limits": {GPU: 0.5}}),
        (Expected(LIMIT, "error", "write nvidia.com/gpu: 1, which in this cluster is a share"),),
        policy={"backend": {"name": "time-slicing"}},
    ),
    Case(
        "shared by count, renamed",
        one({"limits": {GPU: 0.5}}),
        (Expected(LIMIT, "error", "write nvidia.com/gpu.shared: 1"),),
        policy={"backend": {"name": "mps", "renameByDefault": True}},
    ),
    Case(
        "another vendor's card is not shared by an NVIDIA backend",
        one({"limits": {"amd.com/gpu": 0.5}}),
        (Expected(LIMITS + "amd.com~1gpu", "error", "write a whole number, say amd.com/gpu: 1"),),
        policy={"backend": {"name": "hami"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table(case):
    check("GPU003", case)
