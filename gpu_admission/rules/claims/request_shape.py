"""What is wrong with the requests of a claim, its constraints and its configurations (for GPU406)."""

from __future__ import annotations

from gpu_admission.core import patch, quantity, typos
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape, format_value, iter_dicts
from gpu_admission.rules import common

from . import subjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.claims import ClaimSpec
    from gpu_admission.workloads.workload import Workload

_MOST_REQUESTS, _MOST_ALTERNATIVES, _MOST_OTHERS = 32, 8, 32  # kubernetes/api: resource/v1/types.go
_BARE = frozenset({"deviceClassName", "selectors", "allocationMode", "count", "adminAccess", "tolerations", "capacity"})
_UNION = ("exactly", "firstAvailable")


def problems(rule: str, workload: Workload, spec: ClaimSpec) -> Iterator[Problem]:
    """Yield what v1 refuses in ``devices``; of several equal faults only the first."""
    devices = spec.raw.get("devices")
    here = subjects.place(workload, spec, "devices")
    requests = as_dict(devices).get("requests")
    if requests is not None and not isinstance(requests, list):
        yield Problem((*here, "requests"), "requests of the claim is not a list", "write a list of mappings with name")
        return
    if not requests:
        what = "the claim has no request, so it requests nothing"
        place = (*here, "requests") if "requests" in as_dict(devices) else here
        advice = "add one: requests: [{name: gpu, exactly: {deviceClassName: …}}]"
        yield Problem(place, what, advice, severity="warning")
        return
    if len(requests) > _MOST_REQUESTS:
        what = f"the claim has {len(requests)} requests, and Kubernetes takes {_MOST_REQUESTS} at most"
        yield Problem((*here, "requests"), what, ("request several devices by count", ", or make several claims of it"))
        return
    yield from _requests(rule, workload, requests, (*here, "requests"))
    names = frozenset(spec.names())
    for field, advice in (("constraints", "the request's name"), ("config", "the request's name")):
        yield from _references(workload, as_dict(devices).get(field), (*here, field), names, advice)


def _requests(rule: str, workload: Workload, requests: list[Any], here: Pointer) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        place = (*here, index)
        if not isinstance(request, dict):
            if not common.unfilled(workload, request):
                yield Problem(place, "a request of the claim is not a mapping", "write {name: gpu, exactly: {…}}")
            continue
        yield from _name(workload, request, place, seen)
        yield from _form(rule, request, place)
        yield from _capacity(workload, as_dict(request.get("exactly")), (*place, "exactly"))


def _name(workload: Workload, request: Mapping[str, Any], place: Pointer, seen: set[str]) -> Iterator[Problem]:
    name = request.get("name")
    where = (*place, "name") if "name" in request else place
    if common.unfilled(workload, name):
        return
    if not isinstance(name, str) or not subjects.is_label(name):
        what = (
            f"{format_value(name)} is not a valid name of a request" if "name" in request else "a request has no name"
        )
        yield Problem(where, what, "write a name of lower-case letters, digits and dashes, say gpu")
    elif name in seen:
        yield Problem(where, f'two requests have the name "{name}"', "give each request a name of its own")
    seen.add(as_str(name))


def _form(rule: str, request: Mapping[str, Any], place: Pointer) -> Iterator[Problem]:
    given = [field for field in _UNION if request.get(field) not in (None, [])]
    bare = [field for field in request if field in _BARE]
    name = escape(as_str(request.get("name"))[:63])
    if len(given) > 1:
        what = f'the request "{name}" has both exactly and firstAvailable, and v1 accepts one of them'
        advice = "keep exactly", ", or put its content first under firstAvailable"
        yield Problem((*place, "firstAvailable"), what, advice)
    elif given and bare:
        what = f'the request "{name}" has {bare[0]} beside {given[0]}, where v1 has no such field'
        yield Problem((*place, bare[0]), what, (f"move it under {given[0]}", ", or leave it out"))
    elif bare:
        what = f'the request "{name}" has {bare[0]} without exactly: around it'
        shape = what, ", as in v1beta1: resource.k8s.io/v1 refuses it"
        first = (*place, bare[0])
        yield Problem(first, shape, "put it under exactly:", fix=_wrapped(rule, request, place, bare), safety="safe")
    elif not given:
        what = f'the request "{name}" has neither exactly nor firstAvailable, and names no device class'
        yield Problem(place, what, "write exactly: {deviceClassName: …}")
    elif given[0] == "firstAvailable":
        yield from _first_available(request["firstAvailable"], name, (*place, "firstAvailable"))
    elif not isinstance(request["exactly"], dict):
        yield Problem((*place, "exactly"), f'exactly of the request "{name}" is not a mapping', "write a mapping")


def _first_available(alternatives: Any, name: str, here: Pointer) -> Iterator[Problem]:
    if not isinstance(alternatives, list):
        yield Problem(here, f'firstAvailable of the request "{name}" is not a list', "write a list")
    elif len(alternatives) > _MOST_ALTERNATIVES:
        count = len(alternatives)
        what = f'the request "{name}" has {count} alternatives, and Kubernetes takes {_MOST_ALTERNATIVES} at most'
        yield Problem(here, what, "leave the least preferred ones out")
    else:
        yield from _alternatives(alternatives, here)


def _wrapped(rule: str, request: Mapping[str, Any], place: Pointer, bare: list[str]) -> tuple[Operation, ...]:
    inner = {field: request[field] for field in bare}
    rest = {field: value for field, value in request.items() if field not in inner and field not in _UNION}
    return (patch.replace(rule, place, {**rest, "exactly": inner}),)


def _alternatives(alternatives: list[Any], place: Pointer) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, each in iter_dicts(alternatives):
        name = as_str(each.get("name"))
        if "exactly" in each:
            what = "an alternative has its fields under exactly, but firstAvailable has them directly"
            yield Problem((*place, index, "exactly"), what, "write {name: …, deviceClassName: …, count: …}")
        if "adminAccess" in each:
            what = "an alternative has adminAccess, which Kubernetes takes under exactly only"
            yield Problem(
                (*place, index, "adminAccess"), what, ("leave it out", ", or ask for it in a request of its own")
            )
        if not subjects.is_label(name) or name in seen:
            what = "an alternative has no valid name of its own"
            yield Problem((*place, index), what, "write name: with lower-case letters, digits and dashes, each once")
        seen.add(name)


def _capacity(workload: Workload, exactly: Mapping[str, Any], place: Pointer) -> Iterator[Problem]:
    capacity = exactly.get("capacity")
    if capacity is None:
        return
    here = (*place, "capacity")
    if not isinstance(capacity, dict) or (capacity and "requests" not in capacity):
        yield Problem(
            here, ("capacity has no requests", ", so it requests nothing"), "write capacity: {requests: {memory: 8Gi}}"
        )
        return
    for name, raw in as_dict(capacity.get("requests")).items():
        if common.unfilled(workload, raw):
            continue
        try:
            quantity.parse(raw)
        except quantity.QuantityError:
            amount = f"{escape(str(name)[:80])}: {format_value(raw)}"
            what = f"{amount} is not a valid quantity, and Kubernetes refuses the claim"
            yield Problem((*here, "requests", name), what, "write a number with one of Kubernetes' units, say 30Gi")


def _references(workload: Workload, items: Any, here: Pointer, names: frozenset[str], wanted: str) -> Iterator[Problem]:
    """Yield constraints and configurations for requests that do not exist."""
    if isinstance(items, list) and len(items) > _MOST_OTHERS:
        what = f"the claim has {len(items)} items under {here[-1]}, and Kubernetes takes {_MOST_OTHERS} at most"
        yield Problem(here, what, "merge equal ones of several requests")
        return
    for index, item in iter_dicts(items):
        given = item.get("requests")
        for at, name in enumerate(given if isinstance(given, list) else ()):
            if not isinstance(name, str) or name in names or common.unfilled(workload, name):
                continue
            near = typos.nearest(name[:63], sorted(names)[:_MOST_REQUESTS], 3)
            has = subjects.quoted(sorted(names))
            what = f'{here[-1]} is for the request "{escape(name[:63])}", and the claim has only {has}'
            yield Problem((*here, index, "requests", at), what, f'write "{near}"' if near else f"write {wanted}")
        attribute = item.get("matchAttribute", item.get("distinctAttribute"))
        if here[-1] == "constraints" and isinstance(attribute, str) and "/" not in attribute:
            field = "matchAttribute" if "matchAttribute" in item else "distinctAttribute"
            what = f"{field}: {format_value(attribute)} has no domain, and Kubernetes refuses it"
            advice = f"write the driver's domain before it: gpu.nvidia.com/{escape(attribute[:40])}"
            yield Problem((*here, index, field), what, advice)
