"""The rules on sharing on objects whose every part has been replaced by something that does not belong there."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.strange import variants, verify

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

SHARING = [rule for rule in rules.ALL if rule.id.startswith("GPU1") or rule.id == "GPU202"]
CARDS = {"cards": [{"model": "A100-80", "mig": "single", "profile": "1g.20gb"}]}
POLICIES = [
    Policy("p", {"backend": {"name": "exclusive"}}),
    Policy("p", {"backend": {"name": "mig", "strategy": "single"}, "cluster": CARDS}),
    Policy("p", {"backend": {"name": "kai", "queue": "q"}}),
    Policy("p", {"backend": {"name": "dra", "template": "gpu"}}),
    Policy("p", {"backend": {"name": "hami"}, "cluster": CARDS}),
    Policy("p", {"backend": {"name": "koordinator"}, "overwriteSchedulerName": True}),
]
TERM = {"matchExpressions": [{"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["1"]}]}
SPEC = {
    "schedulerName": "mine",
    "nodeSelector": {"a": "b"},
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}},
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "mine"}],
    "containers": [
        {
            "name": "c",
            "image": "c",
            "resources": {
                "limits": {"cpu": "1", "gpu-admission.io/gpu-mem": "8Gi", "gpu-admission.io/gpu-count": "1"},
                "requests": {"cpu": "1", "gpu-admission.io/gpu-mem": "8Gi", "gpu-admission.io/gpu-count": "1"},
                "claims": [{"name": "gpu"}],
            },
        }
    ],
}
METADATA = {"name": "p", "annotations": {"a": "b"}, "labels": {"c": "d"}}
KAI = {
    "gpu-memory": "2000",
    "gpu-fraction-num-devices": "2",
    "gpu-fraction-container-name": "c",
}
PORTABLE = {"apiVersion": "v1", "kind": "Pod", "metadata": METADATA, "spec": SPEC}
ANNOTATED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"annotations": KAI, "labels": {"kai.scheduler/queue": "q"}},
    "spec": {"schedulerName": "kai-scheduler", "containers": [{"name": "c", "image": "c"}]},
}
NAMED = {
    **ANNOTATED,
    "metadata": {
        "annotations": {
            "nvidia.com/container.c.gpu-memory.request": "4Gi",
            "nvidia.com/container.c.gpu-memory.limit": "4Gi",
            "nvidia.com/container.c.gpu-compute.request": "0.5",
            "nvidia.com/container.c.gpu-compute.mode": "time-slicing",
            "kai.scheduler/container.c.gpu-memory.portion.limit": "0.5",
        }
    },
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"kueue.x-k8s.io/queue-name": "q"}},
    "spec": {"template": {"metadata": METADATA, "spec": SPEC}},
}


CASES = [
    (PORTABLE, "file"),
    (PORTABLE, "admission"),
    (ANNOTATED, "admission"),
    (NAMED, "admission"),
    (DEPLOYMENT, "file"),
]


@pytest.mark.parametrize("turn", range(len(POLICIES)))
@pytest.mark.parametrize(("obj", "origin"), CASES)
def test_strange_parts_make_no_rule_fail_and_no_fix_that_is_not_one(obj, origin, turn):
    engine = Engine(SHARING, POLICIES[turn])
    for made in variants(obj, [turn]):
        verify(engine, made, origin)


@pytest.mark.parametrize(
    "value", [0, -1, "0.5", "1e1000000", "1e-1000000", "eight", "", True, 10**400, "9" * 4000, [], {}, "٣"]
)
@pytest.mark.parametrize("name", ["gpu-mem", "gpu-count", "gpu-core"])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.backend.name)
def test_a_bad_amount_is_one_clear_error_and_nothing_is_written(policy, name, value):
    limits = {"gpu-admission.io/gpu-mem": "8Gi", f"gpu-admission.io/{name}": value}
    container = {"name": "c", "image": "c", "resources": {"limits": limits, "requests": dict(limits)}}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    ids = {"GPU002", "GPU003", "GPU004", "GPU006"}
    engine = Engine([*SHARING, *(rule for rule in rules.ALL if rule.id in ids)], policy)
    assert engine.mutate(made, "admission").object["spec"]["containers"] == [container]
    errors = {finding.rule for finding in engine.validate(made, "admission") if finding.action == "deny"}
    assert len(errors) == 1, errors
