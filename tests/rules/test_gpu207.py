"""GPU207: Deployments whose rollout needs a spare GPU."""

import pytest

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from rules.table import Found, Row, container, pod, template, verify


def rolling(gpu=1, kind="Deployment", **spec):
    made = template(kind, container(gpu=gpu))
    made["spec"].update(spec)
    return made


def surging(maximum):
    return rolling(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": maximum, "maxUnavailable": 1}})


def needs(place="/spec/strategy", surge='"25%"'):
    return (Found(place, "info", (f"maxSurge {surge}", "no GPU is free", "maxSurge: 0", "Recreate")),)


ROWS = [
    Row("the default", rolling(), needs("/spec")),
    Row("the default, spelled", rolling(strategy={"type": "RollingUpdate"}), needs()),
    Row("the default within", rolling(strategy={"rollingUpdate": {"maxUnavailable": 1}}), needs()),
    Row("null is the default", rolling(strategy={"rollingUpdate": {"maxSurge": None}}), needs()),
    Row("as the API server fills it in", surging("25%"), needs()),
    Row("one", surging(1), needs(surge="1")),
    Row("one percent is rounded up to one", surging("1%"), needs(surge='"1%"')),
    Row("ten percent holds a zero too", surging("10%"), needs(surge='"10%"')),
    Row("zero", surging(0)),
    Row("zero percent", surging("0%")),
    Row("many zeros", surging("00%")),
    Row("Recreate", rolling(strategy={"type": "Recreate"})),
    Row("no replicas", rolling(replicas=0)),
    Row("no GPU", rolling(gpu=None)),
    Row("a StatefulSet replaces pod by pod", rolling(kind="StatefulSet")),
    Row("a Pod does not roll", pod(container(gpu=1))),
    Row("a strategy that is a text", rolling(strategy="Recreate"), needs("/spec")),
    Row("an empty text is no zero", surging(""), needs(surge='""')),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rollout_needs_spare_gpu(row):
    verify("GPU207", row)


def test_it_is_off_unless_the_policy_says_otherwise():
    assert not Engine(rules.ALL, Policy("silent")).validate(ROWS[0].object)
