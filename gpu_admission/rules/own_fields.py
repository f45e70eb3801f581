"""GPUs that a custom kind requests in a field of its own, not in a container's resources (for GPU003, GPU007, GPU008).

Spark's driver and executor have ``gpu: {name, quantity}`` (kubeflow/spark-operator api/v1beta2, GPUSpec), services of
NVIDIA Dynamo ``resources.limits.gpu`` (ai-dynamo/dynamo deploy/operator/api, Resources), where no other key is known.
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
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

_WHOLE_GPU = "nvidia.com/gpu"
_SIDES = ("limits", "requests")
# group and kind -> where mappings with a name and a quantity stand,
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
    """Yield names that nearly are a GPU's."""
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


def misplaced(rule: str, workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Yield resources' names where the kind knows only its own key for GPUs."""
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
                        f', where {workload.kind} knows only "{_KEY}", and the API server refuses or drops it',
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
