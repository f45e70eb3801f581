"""GPU206: pods without a GPU that tolerate the taint of GPU nodes."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.table import Found, Row, container, pod, template, verify

GPU = {"key": "nvidia.com/gpu", "operator": "Exists"}
OTHER = {"key": "dedicated", "value": "ml"}


def squats(place):
    return Found(place, "info", ('taint "nvidia.com/gpu"', "requests no GPU", "remove the toleration"))


ROWS = [
    Row("one", pod(container(), tolerations=[GPU]), (squats("/spec/tolerations/0/key"),)),
    Row("beside others", pod(container(), tolerations=[OTHER, None, GPU]), (squats("/spec/tolerations/2/key"),)),
    Row(
        "in a template",
        template("Deployment", container(), tolerations=[GPU]),
        (squats("/spec/template/spec/tolerations/0/key"),),
    ),
    Row(
        "a taint that the policy names",
        pod(container(), tolerations=[{"key": "pool", "value": "a100"}]),
        (Found("/spec/tolerations/0/key", "info", ('taint "pool"',)),),
        {"tolerations": [{"key": "pool", "operator": "Exists"}]},
    ),
    Row("a GPU is requested", pod(container(gpu=1), tolerations=[GPU])),
    Row("by claim", pod(container(), tolerations=[GPU], resourceClaims=[{"name": "gpu"}])),
    Row("by annotation", pod(container(), tolerations=[GPU], annotations={"gpu-memory": "1000"})),
    Row("everything is tolerated", pod(container(), tolerations=[{"operator": "Exists"}])),
    Row("something else", pod(container(), tolerations=[OTHER])),
    Row("a DaemonSet", template("DaemonSet", container(), tolerations=[GPU])),
    Row(
        "a DaemonSet's pod",
        {**pod(container(), tolerations=[GPU]), "metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "d"}]}},
    ),
    Row("tolerations that are a map", pod(container(), tolerations=GPU)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_toleration_without_gpu(row):
    verify("GPU206", row)


def test_it_is_off_unless_the_policy_says_otherwise():
    assert not Engine(rules.ALL, Policy("silent")).validate(ROWS[0].object)
    said = Engine(rules.ALL, Policy("loud", {"rules": {"GPU206": "warn"}})).validate(ROWS[0].object)
    assert [(finding.rule, finding.severity) for finding in said] == [("GPU206", "warning")]
