"""Invalid shapes that a client can send: no rule on amounts fails over them."""

import copy
import itertools

import pytest

from gpu_admission import rules
from gpu_admission.core import patch, pointer
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.table import one, pod, requesting

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

GPU = "nvidia.com/gpu"
IDS = frozenset(rule.id for rule in rules.ALL if rule.id.startswith("GPU0"))
POLICIES = [
    Policy("plain").selecting(IDS),
    Policy(
        "full",
        {
            "backend": {"name": "gpushare"},
            "limits": {"perContainer": 2, "perPod": 3, "counts": [1, 2]},
            "cluster": {"cards": [{"model": "X", "perNode": 2, "profiles": [{"name": "1g.7gb", "memory": "6Gi"}]}]},
            "resources": {"extra": ["example.com/gpu"]},
        },
    ).selecting(IDS),
]

ODD_VALUES = [
    None,
    True,
    0,
    -1,
    0.5,
    10**400,
    float("nan"),
    "",
    "x",
    "\x1b[31m1\n",
    "١",
    [],
    [1],
    [None],
    {},
    {"a": 1},
    {GPU: 1},
]
ODD_KEYS = [
    "", "/", "~", "a~0b/c~1d", "nvidia.com/gpu/", "nvidia.com/~gpu", "nvidia.com/\u202egpu", "\x00", "\x1b]0;x\x07gpu", "gpu\n",
    "nvidia.com/gpu\n", "ｎｖｉｄｉａ.com/gpu", "nvidia.com/gpü", "gpu" * 1000, "mig-" + "9" * 5000 + "g.1gb",
    "nvidia.com/mig-" + "9" * 5000 + "g." + "9" * 5000 + "gb", "requests.requests.gpu", "limits", "requests", "nodeSelector",
]  # fmt: skip


def shapes():
    for value in ODD_VALUES:
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": value, "spec": value}
        yield {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": value, "initContainers": value}}
        yield {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [value, {"name": value, "image": value}]}}
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "spec": {"containers": {"train": requesting({"limits": {GPU: value}})}},
        }
        yield pod(requesting({"limits": {GPU: 1}}, name="\x1b[31m"), resources=value, nodeSelector=value, limits=value)
        yield pod(
            {"name": "a", "image": "b", "limits": value, "requests": {GPU: value}, "resources": value, GPU: value}
        )
        yield one(value)
        yield one({"limits": value, "requests": value, "limit": value, GPU: value})
        yield one({"limits": {GPU: value}, "requests": {GPU: value}})
        yield one({"limits": {GPU: value}, "requests": {GPU: 1}})
        yield one({"requests": {GPU: value, "gpu": value}, "Limits": {GPU: value}})
        yield one({"limits": [value, {GPU: value}], "requests": {"limits": {GPU: value}}})
        yield {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": value}}
        yield {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {GPU: value}}}
        yield {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": value}}
        for field, kind in itertools.product(("max", "min", "default", "defaultRequest"), ("Container", "Pod", value)):
            yield {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [value, {"type": kind, field: value}]}}
            yield {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [{"type": kind, field: {GPU: value}}]}}
    for key in ODD_KEYS:
        yield one({"limits": {key: 1, GPU: 1}, "requests": {key: 1}, key: {GPU: 1}})
        yield pod({"name": key, "image": key, key: {"limits": {GPU: 1}}, "resources": {"requests": {GPU: 1}}})
        yield pod(requesting({"limits": {GPU: 0.5}}, name=key), **{"nodeSelector": {key: "1"}, key: 1})
        yield {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {key: 1, "limits." + key: 1}}}
        yield {"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [{"type": "Pod", "max": {key: 1}}]}}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("origin", ["file", "admission"])
def test_no_shape_makes_a_rule_fail(policy, origin):
    engine = Engine(rules.ALL, policy)
    count = 0
    for document in shapes():
        before = repr(document)
        for finding in engine.validate(document, origin):
            count += 1
            said = f"{finding.message} {finding.advice}"
            assert said.isprintable(), said
            assert len(said) < 1000
            assert pointer.exists(document, finding.pointer)
        for unsafe in (False, True):
            mutation = engine.mutate(document, origin, unsafe=unsafe, consent=True)
            assert repr(patch.apply(document, mutation.patch)) == repr(mutation.object)
            if not unsafe:
                assert engine.mutate(mutation.object, origin, consent=True).patch == ()
        assert repr(document) == before
    assert count > 200


@pytest.mark.parametrize("rule", sorted(IDS))
def test_after_a_safe_or_unsafe_fix_its_own_check_has_nothing_left_to_fix(rule):
    engine = Engine(rules.ALL, Policy("one").selecting(frozenset({rule})))
    for document in shapes():
        fixed = engine.mutate(copy.deepcopy(document), unsafe=True, consent=True).object
        assert [finding for finding in engine.validate(fixed) if finding.fix] == []


@pytest.mark.parametrize(
    "rule",
    [rule for rule in rules.ALL if min(IDS) < rule.id <= max(IDS) and rule.fix == "safe"],
    ids=lambda rule: rule.id,
)
def test_after_a_safe_fix_no_earlier_rule_speaks_anew(rule):
    fixer = Engine(rules.ALL, Policy("one").selecting(frozenset({rule.id})))
    judge = Engine(rules.ALL, Policy("earlier").selecting(frozenset(other for other in IDS if other < rule.id)))
    for document in shapes():
        before = {finding.identity() for finding in judge.validate(document)}
        after = {finding.identity() for finding in judge.validate(fixer.mutate(document).object)}
        assert after <= before
