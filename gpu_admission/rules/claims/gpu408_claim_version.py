"""GPU408: a claim, template or class in a version of resource.k8s.io that is no longer served."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, escape, iter_dicts
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers
from gpu_admission.workloads import claims, device_classes
from gpu_admission.workloads.claim_index import DEVICE_CLASS

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU408"
_SERVED = "resource.k8s.io/v1"
_UNSERVED = ("v1beta1", "v1beta2")  # served only with --runtime-config
_BARE = ("deviceClassName", "selectors", "allocationMode", "count", "adminAccess", "tolerations")


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find versions other than v1; those that only need other fields around the same content are converted."""
    if workload.origin == "admission":
        return  # an API server serves the version that it sent for review
    version = workload.api_version.partition("/")[2]
    if version == "v1" or not (_is_class(workload) or subjects.spec_of(workload, policy) is not None):
        return
    place = (*workload.pointer, "apiVersion")
    name = f"the {workload.kind} is written for {escape(workload.api_version[:60])}"
    if version in _UNSERVED:
        yield Problem(
            place,
            (name, ", a version that API servers no longer serve unless they are configured to (Kubernetes 1.36)"),
            (f"write {_SERVED}", ", with exactly: around a request's fields" if version == "v1beta1" else ""),
            fix=_converted(workload, version),
            safety="unsafe",
            severity="warning",
        )
    else:
        alpha = version.startswith("v1alpha")
        what = f"{name}, {'a version that no supported API server has' if alpha else 'which is not a version'}"
        advice = f"write {_SERVED} and its fields", " (devices: {requests: [{name: gpu, exactly: …}]})"
        yield Problem(place, what, advice)


def _is_class(workload: Workload) -> bool:
    if workload.kind != DEVICE_CLASS:
        return False
    facts = device_classes.of_object(workload.object)
    return facts is None or facts.is_gpu


def _converted(workload: Workload, version: str) -> tuple[Operation, ...]:
    operations = [patch.replace(ID, (*workload.pointer, "apiVersion"), _SERVED)]
    if version == "v1beta1" and workload.kind != DEVICE_CLASS:
        spec = claims.read_spec(workload.object)
        requests = as_dict(spec.raw.get("devices")).get("requests")
        for index, request in iter_dicts(requests):
            inner: dict[str, Any] = {field: request[field] for field in _BARE if field in request}
            if inner and "exactly" not in request and "firstAvailable" not in request:
                rest = {field: value for field, value in request.items() if field not in inner}
                place = subjects.place(workload, spec, "devices", "requests", index)
                operations.append(patch.replace(ID, place, {**rest, "exactly": inner}))
    return tuple(operations)


_TEXT = """\
apiVersion: resource.k8s.io/{version}
kind: ResourceClaimTemplate
metadata:
  name: one-gpu
spec:
  spec:
    devices:
      requests:
        - name: gpu
"""

RULE = Rule(
    id=ID,
    name="claim-version",
    severity="error",
    since="0.2.0",
    summary="a claim, template or class in a version of resource.k8s.io that is not served",
    rationale="""\
`resource.k8s.io/v1` is stable since Kubernetes 1.34, and since then the beta versions are served only with
`--runtime-config` of the API server: otherwise `kubectl apply` reports that there is no such kind. v1beta2 has the same
fields as v1; v1beta1 has those of a request without `exactly`. The alpha versions had other fields and were
removed.""",
    references=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes/kubernetes: pkg/controlplane/apiserver/aggregator.go, pkg/controlplane/instance.go",
    ),
    bad=_TEXT.format(version="v1beta1") + "          deviceClassName: gpu.nvidia.com\n",
    good=_TEXT.format(version="v1") + "          exactly:\n            deviceClassName: gpu.nvidia.com\n",
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
