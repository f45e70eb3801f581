"""The generated files of ``deploy/chart/``: its version, and what follows from the shipped policies."""

from __future__ import annotations

import functools
import json
import os
import re

from gpu_admission import __version__
from gpu_admission.policyfile import crd, loader
from gpu_admission.registration import chart_values

from . import exempted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOLDER = "deploy/chart"
_OBJECTS = f"{FOLDER}/files/policy-objects"
_ANY_POLICY = {f"{_OBJECTS}/webhooks.json": False, f"{_OBJECTS}/every-pod.json": True}
_MONITORING = ("alerts.yaml", "dashboard.json")
_PRERELEASE = re.compile(r"(\d+\.\d+\.\d+)\.?(a|b|rc|dev)(\d+)")
# matchConditions with optional fields (?.) compile from Kubernetes 1.29 on.
_CHART = """\
# Written by make docs: the version is that of gpu_admission/__init__.py.
apiVersion: v2
name: gpu-admission
description: GPU resource rules for a cluster, as an admission webhook
type: application
version: {version}
appVersion: "{app_version}"
kubeVersion: ">=1.29.0-0"
keywords: [gpu, nvidia, amd, admission-webhook, policy]
annotations:
  artifacthub.io/license: Apache-2.0
"""


def chart_version(version: str) -> str:
    """Return a Python version as SemVer, which Helm requires: ``0.2.0rc1`` is ``0.2.0-rc.1``."""
    return _PRERELEASE.sub(r"\1-\2.\3", version)


def _chart() -> str:
    return _CHART.format(version=chart_version(__version__), app_version=__version__)


@functools.cache
def _shared() -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the webhooks of each shipped policy, and the lines that their expressions consist of."""
    lines: dict[str, str] = {}
    made = {name: chart_values.webhooks(exempted.policy(name)) for name in loader.shipped()}
    made |= {path: chart_values.any_webhooks(every_pod=every_pod) for path, every_pod in _ANY_POLICY.items()}
    hooks = {name: chart_values.share_lines(each, lines) for name, each in made.items()}
    return hooks, dict(sorted(lines.items()))


def _json(data: Any) -> str:
    return json.dumps(data, indent=1) + "\n"


def _monitoring(name: str) -> str:
    """Return a file of ``deploy/monitoring``: Helm reads nothing outside of a chart."""
    path = os.path.join(loader.shipped_folder(), "..", "deploy", "monitoring", name)
    with open(path, encoding="utf-8") as file:
        return file.read()


FILES: dict[str, Callable[[], str]] = {
    f"{FOLDER}/Chart.yaml": _chart,
    f"{FOLDER}/files/rbac.json": lambda: _json(chart_values.rights()),
    f"{_OBJECTS}/access.json": lambda: _json(chart_values.policy_rights()),
    f"{_OBJECTS}/crd.json": lambda: _json(crd.definition()),
    **{path: lambda path=path: _json(_shared()[0][path]) for path in _ANY_POLICY},  # type: ignore[misc]
    f"{FOLDER}/files/audit-rbac.json": lambda: _json(chart_values.audit_rights()),
    f"{FOLDER}/files/expressions.json": lambda: _json(_shared()[1]),
    **{f"{FOLDER}/files/{name}": functools.partial(_monitoring, name) for name in _MONITORING},
    **{f"{FOLDER}/files/policies/{name}.yaml": functools.partial(exempted.text, name) for name in loader.shipped()},
    **{
        f"{FOLDER}/files/webhooks/{name}.json": lambda name=name: _json(_shared()[0][name])  # type: ignore[misc]
        for name in loader.shipped()
    },
}
