"""GPU310: an envFrom that shows nothing of what it holds."""

import pytest

from gpu_admission import rules
from gpu_admission.core.engine import Engine
from gpu_admission.core.policy import Policy
from rules.table import Found, Row, container, env, pod, verify

MAP = {"configMapRef": {"name": "settings"}}
SECRET = {"secretRef": {"name": "keys"}}


def unknown(index, *words):
    return Found(f"/spec/containers/0/envFrom/{index}", "info", ("cannot be told", *words))


ROWS = [
    Row("a ConfigMap", pod(container(envFrom=[MAP])), (unknown(0, 'ConfigMap "settings"'),)),
    Row("a ConfigMap and a Secret", pod(container(envFrom=[MAP, SECRET])), (unknown(0), unknown(1, 'Secret "keys"'))),
    Row("an empty prefix", pod(container(envFrom=[{**MAP, "prefix": ""}])), (unknown(0),)),
    Row("a prefix is GPU301's", pod(container(envFrom=[{**MAP, "prefix": "APP_"}]))),
    Row("env says it", pod(container(env=env(NVIDIA_VISIBLE_DEVICES="void"), envFrom=[MAP]))),
    Row("no envFrom", pod(container())),
    *(Row(f"shapes: {said}", pod(container(envFrom=said))) for said in ("x", MAP, 1, [None, "x"])),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_unjudged_env_from(row):
    verify("GPU310", row)


def test_it_is_off_unless_the_policy_says_otherwise():
    assert not Engine(rules.ALL, Policy("silent")).validate(ROWS[0].object)
