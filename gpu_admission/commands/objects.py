"""The generated files of policies as objects: the CustomResourceDefinition, for kustomize and for the chart."""

from __future__ import annotations

import json

from gpu_admission.policyfile import crd

from .manifests import to_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = "# Written by make docs from the schema of policy files (gpu_admission/policyfile).\n"

FILES: dict[str, Callable[[], str]] = {
    "deploy/policy-objects/crd.yaml": lambda: _HEADER + to_yaml([crd.definition()]),
    "deploy/chart/files/crd.json": lambda: json.dumps(crd.definition(), indent=1) + "\n",
}
