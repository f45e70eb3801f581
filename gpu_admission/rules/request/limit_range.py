"""The effects of a LimitRange's item on a GPU on the containers of its namespace (for GPU010)."""

from __future__ import annotations

from gpu_admission.core import quantity
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, escape, format_value
from gpu_admission.rules import common, resource_rename

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.finding import Sentence
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

_FIELDS = ("default", "defaultRequest", "max", "min")


def problems(workload: Workload, place: Pointer, item: Mapping[str, Any], policy: Policy) -> Iterator[Problem]:
    """Yield what is wrong with the GPUs of one item, one problem for each resource.

    The defaults follow ``SetDefaults_LimitRangeItem`` (kubernetes/kubernetes pkg/apis/core/v1/defaults.go), the
    checks the admission plugin LimitRanger.
    """
    for name in dict.fromkeys(name for field in _FIELDS for name in as_dict(item.get(field))):
        given = {field: item[field][name] for field in _FIELDS if name in as_dict(item.get(field))}
        near = resource_rename.meant(name, policy)
        if near is not None:
            yield _misspelt(place, name, near, given)
        elif policy.classify(name) is not None and not any(common.unfilled(workload, raw) for raw in given.values()):
            yield from _of_gpu(place, item, name, given)


def _misspelt(place: Pointer, name: str, near: str, given: Mapping[str, Any]) -> Problem:
    field, value = next(iter(given.items()))
    what = f"the LimitRange's {field} {escape(name[:80])}: {format_value(value)}"
    return Problem(
        (*place, field, name),
        (what, " names a resource that no device plugin is known to offer"),
        ("leave it out", f" (was {near} meant? A ResourceQuota caps that: requests.{near})"),
    )


def _of_gpu(place: Pointer, item: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    of_container = item.get("type") == "Container"
    found = _of_containers(name, given) if of_container else _of_pods(item, given)
    if found is not None:
        field, consequence = found
        message = (f"the LimitRange's {field} {name}: {format_value(given[field])}", f" {consequence}")
        yield Problem((*place, field, name), message, _instead(name))
    elif of_container and not _is_zero(given.get("default", 0)):
        default = f"the LimitRange's default {name}: {format_value(given['default'])}"
        yield Problem(
            (*place, "default", name),
            (default, " goes to every container that requests none, including sidecars and init containers"),
            _instead(name),
            severity="warning",
        )


def _instead(name: str) -> Sentence:
    return f"leave {name} out of the LimitRange", f" and cap it by a ResourceQuota: requests.{name}"


def _of_containers(name: str, given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the harmful field and its effect; Kubernetes fills in the fields that are missing."""
    limit = next((field for field in ("default", "max") if field in given), None)
    request = next((field for field in ("defaultRequest", limit, "min") if field in given), None)
    if limit is None or request is None:
        missing = "gives every container that requests none a request without a limit, and Kubernetes refuses the pod"
        return (request, missing) if request is not None else None
    amounts = {field: _amount(given[field]) for field in (limit, request)}
    for field, amount in amounts.items():
        if amount is None or amount.is_negative or not amount.is_integer:
            return (
                field,
                f"is not a whole number, and Kubernetes refuses every container that gets it as {_role(field)}",
            )
    if amounts[limit] != amounts[request]:
        return request, f"differs from its {limit} {format_value(given[limit])}; a GPU's request has to equal its limit"
    if limit == "max" and not _is_zero(given["max"]):
        return "max", f"is also the default: every container that requests no {name} gets that many"
    return None


def _role(field: str) -> str:
    return "its request" if field == "defaultRequest" else "its limit"


def _of_pods(item: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the harmful field of an item for whole pods, which sets no defaults and refuses pods without a request."""
    if item.get("type") != "Pod":
        return None
    for field in ("max", "min"):
        if field in given:
            return field, "makes Kubernetes refuse every pod of the namespace that requests none"
    return None


def _amount(raw: Any) -> quantity.Quantity | None:
    try:
        return quantity.parse(raw)
    except quantity.QuantityError:
        return None


def _is_zero(raw: Any) -> bool:
    amount = _amount(raw)
    return amount is not None and amount.is_zero
