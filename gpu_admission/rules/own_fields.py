"""GPUs that a custom kind requests in a field of its own, not in a container's resources: for GPU001 to 003, 007, 008.

Spark's driver and executor have ``gpu: {name, quantity}`` (kubeflow/spark-operator api/v1beta2, GPUSpec), services of
NVIDIA Dynamo ``resources.limits.gpu`` (ai-dynamo/dynamo deploy/operator/api, Resources), which have no other key.
"""

from __future__ import annotations

from gpu_admission.core import patch, quantity
from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape, format_value
from gpu_admission.core.record import record

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.core.quantity import Quantity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

_WHOLE_GPU = "nvidia.com/gpu"
_SIDES = ("limits", "requests")
# group and kind -> the paths of mappings with a name and a quantity,
_SPARK: dict[tuple[str, str], tuple[Pointer, ...]] = {
    ("sparkoperator.k8s.io", "SparkApplication"): (("spec", "driver", "gpu"), ("spec", "executor", "gpu")),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication"): (
        ("spec", "template", "driver", "gpu"),
        ("spec", "template", "executor", "gpu"),
    ),
}
# and resources whose GPUs are counted by a key of their own.
_DYNAMO: dict[tuple[str, str], Pointer] = {
    ("nvidia.com", "DynamoGraphDeployment"): ("spec", "services", "*", "resources"),
    ("nvidia.com", "DynamoComponentDeployment"): ("spec", "resources"),
}
_KEY = "gpu"


@record
class OwnField:
    """An amount of GPUs in a kind's own field: ``place`` is the amount's, ``name_place`` that of the name, if any."""

    label: str
    place: Pointer
    raw: Any
    name: str
    name_place: Pointer | None


def find(workload: Workload) -> Iterator[OwnField]:
    """Yield every such amount of an object."""
    kind = (workload.group, workload.kind)
    for path in _SPARK.get(kind, ()):
        for at, gpu in pointers.expand(workload.object, path):
            place, given = (*workload.pointer, *at), as_dict(gpu)
            if "quantity" in given:
                label = f"the {path[-2]} of the {workload.kind}"
                name_place = (*place, "name") if "name" in given else None
                yield OwnField(label, (*place, "quantity"), given["quantity"], as_str(given.get("name")), name_place)
    for place, label, given in _dynamo(workload):
        for side in _SIDES:
            amounts = as_dict(given.get(side))
            if _KEY in amounts:
                yield OwnField(label, (*place, side, _KEY), amounts[_KEY], _KEY, None)


def misspelt(rule: str, workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Yield names that resemble a GPU's."""
    from . import resource_rename  # noqa: PLC0415 - few kinds have such fields

    for field in find(workload):
        near = (
            resource_rename.meant(field.name, policy)
            if field.name_place and not common.unfilled(workload, field.name)
            else None
        )
        if near is not None and field.name_place is not None:
            what = f"{field.label} requests {escape(field.name[:80])}: {format_value(field.raw)}"
            yield Problem(
                field.name_place,
                (what, ", a resource that no device plugin is known to offer: the pod would stay Pending forever"),
                f"write {near} instead",
                fix=(patch.replace(rule, field.name_place, near),),
                safety="unsafe",
            )


def fractional(workload: Workload) -> Iterator[Problem]:
    """Yield amounts that are not whole numbers."""
    for field in find(workload):
        try:
            amount = quantity.parse(field.raw)
        except quantity.QuantityError:
            continue
        if not amount.is_integer and not amount.is_negative:
            yield Problem(
                field.place,
                (
                    f"{field.label} requests {escape(field.name[:80])}: {format_value(field.raw)}",
                    ", and Kubernetes only allocates whole GPUs",
                ),
                "write a whole number",
            )


def unlimited(rule: str, workload: Workload) -> Iterator[Problem]:
    """Yield amounts in requests without a limit: Dynamo's operator copies each side to the container unchanged."""
    for place, label, given in _dynamo(workload):
        limits, requests = as_dict(given.get("limits")), as_dict(given.get("requests"))
        amount = _readable(workload, requests.get(_KEY))
        if amount is None or amount.is_negative or _KEY in limits:
            continue
        raw = requests[_KEY]
        yield Problem(
            (*place, "requests", _KEY),
            f"{label} sets {_KEY}: {format_value(raw)} in requests but not in limits, and Kubernetes refuses a GPU "
            "that has no limit",
            f"write {_KEY}: {format_value(raw)} under resources.limits",
            fix=(patch.add(rule, workload.document, (*place, "limits", _KEY), raw),),
            safety="safe",
        )


def unequal(rule: str, workload: Workload) -> Iterator[Problem]:
    """Yield requests that are not the same amount as the limit."""
    for place, label, given in _dynamo(workload):
        raw = tuple(as_dict(given.get(side)).get(_KEY) for side in _SIDES)
        limit, request = (_readable(workload, each) for each in raw)
        if limit is None or request is None or not limit.is_integer or limit == request:
            continue
        if limit.is_negative or request.is_negative:
            continue
        yield Problem(
            (*place, "requests", _KEY),
            f"{label} sets {_KEY}: {format_value(raw[1])} in requests but {format_value(raw[0])} in limits, and "
            "Kubernetes refuses a GPU whose request differs from its limit",
            f"leave {_KEY} out of resources.requests, or write {format_value(raw[0])} there as well",
            fix=(patch.replace(rule, (*place, "requests", _KEY), raw[0]),),
            safety="unsafe",
            evidence=raw,
        )


def _readable(workload: Workload, raw: object) -> Quantity | None:
    if raw is None or common.unfilled(workload, raw):
        return None
    try:
        return quantity.parse(raw)
    except quantity.QuantityError:
        return None


def misplaced(rule: str, workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Yield resources' names where the kind has only its own key for GPUs."""
    for place, label, given in _dynamo(workload):
        for side in _SIDES:
            amounts = as_dict(given.get(side))
            for name, raw in amounts.items():
                if policy.classify(name) is None or common.unfilled(workload, raw):
                    continue
                at = (*place, side, name)
                value = raw if isinstance(raw, str) else format_value(raw)
                move = (patch.remove(rule, at), patch.add(rule, workload.document, (*place, side, _KEY), value))
                yield Problem(
                    at,
                    (
                        f"{label} has {name}: {format_value(raw)} under resources.{side}",
                        f', where {workload.kind} has only "{_KEY}", and the API server refuses or drops it',
                    ),
                    f'write {_KEY}: "{value}" instead',
                    fix=move if name == _WHOLE_GPU and _KEY not in amounts else (),
                    safety="unsafe",
                )


def _dynamo(workload: Workload) -> Iterator[tuple[Pointer, str, Any]]:
    path = _DYNAMO.get((workload.group, workload.kind))
    for at, given in pointers.expand(workload.object, path) if path else ():
        service = f'the service "{escape(str(at[-2])[:63])}"' if len(at) > 2 else f"the {workload.kind}"
        yield (*workload.pointer, *at), service, as_dict(given)
