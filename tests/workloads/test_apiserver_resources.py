"""Whether the API server accepts the amounts of a name: results of kube-apiserver 1.36.2."""

import pytest

from gpu_admission.core.quantity import parse
from gpu_admission.workloads.apiserver_resources import refused
from gpu_admission.workloads.container import MISSING

GPU, NATIVE = "nvidia.com/gpus", "alpha.kubernetes.io/nvidia-gpu"


@pytest.mark.parametrize(
    ("name", "limit", "request_", "verdict"),
    [
        (GPU, 1, 1, False),
        (GPU, 1, MISSING, False),
        (GPU, MISSING, 1, True),
        (GPU, 1, 2, True),
        (GPU, 1, "1000m", False),
        (GPU, "500m", "500m", True),
        (GPU, -1, MISSING, True),
        (GPU, "one", MISSING, True),
        (GPU, 1, "one", True),
        (GPU, None, 0, False),
        # Rounded up to thousandths before they are compared and counted.
        (GPU, 1, "0.9999", False),
        (GPU, "0.9999", "+1", False),
        (GPU, 1, "999999.838460620653820000000000u", False),
        (GPU, 1, "1.0000000001", True),
        (GPU, "1n", "0.0000000001", True),
        # Of Kubernetes' own domain: may be overcommitted, and in fractions.
        (NATIVE, MISSING, 1, False),
        (NATIVE, 2, "500m", False),
        (NATIVE, 1, 2, True),
        (NATIVE, "-8Ti", "-8Ti", True),
    ],
)
def test_verdict(name, limit, request_, verdict):
    assert refused(name, limit, request_) is verdict


@pytest.mark.parametrize(
    ("raw", "rounded"),
    [
        ("0.9999", "1"),
        ("0.9991", "1"),
        ("0.0001", "1m"),
        ("1n", "1m"),
        ("-0.0001", "-1m"),
        ("-0.9999", "-1"),
        ("1500m", "1500m"),
        ("0.1234", "124m"),
        ("1.0000000001", "1001m"),
        ("0", "0"),
        ("1e1000000", "1e1000000"),
        ("9" * 5000 + ".9999", "1e5000"),
    ],
)
def test_rounded_up_to_thousandths(raw, rounded):
    assert parse(raw).in_thousandths() == parse(rounded)
