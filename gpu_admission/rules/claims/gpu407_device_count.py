"""GPU407: a count or allocation mode of a claim that is refused, ignored, or can never be met."""

from __future__ import annotations

from gpu_admission.core import patch, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, triggers
from gpu_admission.workloads.claims import ALL_DEVICES, EXACT_COUNT

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.claims import ClaimSpec
    from gpu_admission.workloads.workload import Workload

ID = "GPU407"
MOST_DEVICES = 32  # of one allocation; kubernetes/api: resource/v1/types.go, AllocationResultsMaxSize
_MODES = (EXACT_COUNT, ALL_DEVICES)


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find counts of a claim's requests that are not positive whole numbers, are beside All, or too many together."""
    spec = subjects.spec_of(workload, policy)
    if spec is None:
        return
    found = False
    for _, request, place in subjects.requests(workload, policy):
        for problem in _of_request(workload, request.raw, place):
            found = True
            yield problem
    if not found:
        yield from _together(workload, spec)


def _of_request(workload: Workload, raw: Mapping[str, Any], place: Pointer) -> Iterator[Problem]:
    mode, count = raw.get("allocationMode"), raw.get("count")
    if mode is not None and not common.unfilled(workload, mode) and mode not in _MODES:
        yield _invalid_mode(mode, (*place, "allocationMode"))
    if count is not None and not common.unfilled(workload, count):
        yield from _of_count(count, mode, (*place, "count"))


def _invalid_mode(mode: object, place: Pointer) -> Problem:
    near = typos.meant(mode, _MODES) if isinstance(mode, str) else None
    fix = (patch.replace(ID, place, near),) if near else ()
    what = f"allocationMode: {format_value(mode)} is not valid, and Kubernetes refuses the claim"
    advice = f"write {near}" if near else f"write {EXACT_COUNT}, with count, or {ALL_DEVICES}"
    return Problem(place, what, advice, fix=fix, safety="unsafe")


def _of_count(count: Any, mode: object, here: Pointer) -> Iterator[Problem]:
    if mode == ALL_DEVICES:
        what, why = f"count: {format_value(count)} with allocationMode: All", ", which requests every matching device"
        message = (what, f"{why}: Kubernetes refuses the claim")
        advice = "leave count out", ", or write allocationMode: ExactCount"
        yield Problem(here, message, advice, evidence=(mode, count))
    elif isinstance(count, bool) or not isinstance(count, int):
        what = f"count: {format_value(count)} is not a whole number, and Kubernetes refuses the claim"
        advice = "write a whole number without quotes, say 1", " (a share of a device is requested by capacity)"
        yield Problem(here, what, advice)
    elif count < 0:
        message = f"count: {count} is negative", ", and Kubernetes refuses the claim"
        yield Problem(here, message, "write how many devices, say 1")
    elif count == 0:
        what = "count: 0 is read as 1: the claim takes a device"
        yield Problem(here, what, ("write 1", ", or leave the request out"), severity="warning")
    elif count > MOST_DEVICES:
        what = f"count: {format_value(count)} is more than Kubernetes allocates to a claim ({MOST_DEVICES} devices)"
        yield Problem(here, (what, ": the pod would stay Pending forever"), f"request {MOST_DEVICES} at most")


def _together(workload: Workload, spec: ClaimSpec) -> Iterator[Problem]:
    counts = [min([each.count or 0 for each in request.each()]) for request in spec.requests]
    total = sum(counts)
    if total > MOST_DEVICES:
        yield Problem(
            subjects.place(workload, spec, "devices", "requests"),
            (
                f"the requests of the claim come to {total} devices",
                f", and Kubernetes allocates {MOST_DEVICES} to a claim at most: the pod would stay Pending forever",
            ),
            ("request fewer", ", or make several claims of it"),
            evidence=(total,),
        )


_TEXT = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata:
  name: many
spec:
  spec:
    devices:
      requests:
        - name: gpu
          exactly:
            deviceClassName: gpu.nvidia.com
            allocationMode: {mode}
            count: 8
"""

RULE = Rule(
    id=ID,
    name="device-count",
    severity="error",
    since="0.2.0",
    summary="a count or allocation mode of a claim that is refused, or can never be met",
    rationale="""\
`allocationMode` is `ExactCount`, with a `count` (1 where it is left out), or `All`, without one: all devices of a node
that match. Anything else is refused. More than 32 devices in a claim are accepted but can never be allocated, because
the result of an allocation holds at most 32. A `count` of 0 is treated as missing, and reserves a device.""",
    references=(
        "kubernetes/api: resource/v1/types.go, ExactDeviceRequest and AllocationResultsMaxSize",
        "kubernetes/kubernetes: pkg/apis/resource/v1/defaults.go",
    ),
    bad=_TEXT.format(mode="Exact"),
    good=_TEXT.format(mode="ExactCount"),
    scope="object",
    when=triggers.claim_object,
    admission_kinds=frozenset({TEMPLATE}),
    check=check,
    fix="unsafe",
)
