"""The API server's verdicts on a Pod's GPU (observed on 1.36), against those of the rules 0xx together (law 5).

What it accepts has no finding of severity error; what it refuses has at least one.
"""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import resources
from rules.table import pod, requesting

IDS = frozenset(rule.id for rule in rules.ALL if rule.id.startswith("GPU0"))
ENGINE = Engine(rules.ALL, Policy("verdicts").selecting(IDS))
GPU = "nvidia.com/gpu"
NAMES = [
    GPU,
    "amd.com/gpu",
    "nvidia.com/mig-1g.5gb",
    "nvidia.com/gpumem",
    "aliyun.com/gpu-mem",
    "gpu-admission.io/gpu-mem",
]

ACCEPTED = [
    1, "1", "01", "+1", "1.", 1.0, "1000m", "1000000u", "1e3", "1E6", "10e-1", "1k", "1Ki", "1E", "1.5Gi", " 1", "1 ",
    0, "0", "-0", ".", "Gi", "e3", None, "1e1000000", "9223372036854775808",
]  # fmt: skip
REFUSED = [
    "0.5", 0.5, ".5", "500m", "1500m", "1n", "5e-1", "0.1Ki", "1.0000000001", "0.0000000001", -1, "-1", "", True, "1K", "1g",
    "1_000", "1,000", "0x10", "1e", "1mm", "1.1.1", "--1", "1e3m", "1 Gi", "NaN", "\u0661", "\uff11", "1Ei",
    "99999999999999999999", [], {}, [1],
]  # fmt: skip


def errors(given):
    return {finding.rule for finding in ENGINE.validate(pod(requesting(given))) if finding.severity == "error"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("raw", ACCEPTED, ids=repr)
def test_accepted_amounts(name, raw):
    assert errors({"limits": {name: raw}}) == set()
    assert errors({"limits": {name: raw}, "requests": {name: raw}}) == set()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("raw", REFUSED, ids=repr)
def test_refused_amounts(name, raw):
    alone, both = errors({"limits": {name: raw}}), errors({"limits": {name: raw}, "requests": {name: raw}})
    assert len(alone) == 1
    assert both == alone
    assert errors({"requests": {name: raw}}) >= alone


@pytest.mark.parametrize(
    ("limit", "request_", "accepted"),
    [
        (1, 1, True),
        (1, "1000m", True),
        ("1Ki", 1024, True),
        ("1e3", "1k", True),
        (0, None, True),
        (1, 2, False),
        (2, 1, False),
        (1, 0.5, False),
        (0.5, 1, False),
        (0.5, 0.5, False),
        (1, -1, False),
        (-1, 1, False),
        (1, "x", False),
        ("x", 1, False),
        (1, None, False),
        (None, 1, False),
        ("1e1000000", 1, False),
    ],
)
def test_pairs(limit, request_, accepted):
    found = errors({"limits": {GPU: limit}, "requests": {GPU: request_}})
    assert (found == set()) is accepted
    assert len(found) <= 1, "one mistake, one finding"


@pytest.mark.parametrize("raw", ACCEPTED, ids=repr)
def test_requests_only_are_refused(raw):
    assert errors({"requests": {GPU: raw}}) == {"GPU001"}


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        (GPU, False),
        ("nvidia.com/GPU", False),
        ("alpha.kubernetes.io/nvidia-gpu", False),
        ("cpu", False),
        ("memory", False),
        ("ephemeral-storage", False),
        ("hugepages-2Mi", False),
        ("limits.nvidia.com/gpu", False),
        ("gpu", True),
        ("nvidia.com.gpu", True),
        ("Nvidia.com/gpu", True),
        ("requests.nvidia.com/gpu", True),
        ("nvidia.com/gpu\n", True),
        ("nvidia.com/", True),
        ("/gpu", True),
        ("nvidia.com/gpu/1", True),
        ("nvidia.com/-gpu", True),
        ("nvidia.com/" + "g" * 63, False),
        ("nvidia.com/" + "g" * 64, True),
        ("a" * 244 + "/gpu", False),
        ("a" * 245 + "/gpu", True),
        ("nvidia_com/gpu", True),
        ("storage", True),
        ("alpha.kubernetes.io/", True),
    ],
)
def test_names(name, refused):
    assert resources.is_refused(name) is refused
