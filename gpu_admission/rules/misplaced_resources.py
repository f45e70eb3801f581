"""GPU resources in the wrong place, and the operations that move them to their target (for GPU008)."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core import pointer as pointers
from gpu_admission.core import quantity as quantities
from gpu_admission.core.raw import as_dict, iter_dicts
from gpu_admission.core.record import record
from gpu_admission.workloads import kind_traits, kinds, resources

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Literal

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

    Side = Literal["limits", "requests"]

_SIDES: tuple[Side, ...] = ("limits", "requests")
_PORTABLE = (resources.PORTABLE_MEMORY, resources.PORTABLE_COUNT, resources.PORTABLE_CORES)


@record(frozen=False)
class MisplacedResources:
    """GPU resources in a mapping where Kubernetes does not read them.

    ``place`` is the mapping, ``values`` the GPU resources in it; ``target`` the container whose ``side`` they belong
    to, None where there are several; ``emptied`` the topmost mapping that would become empty. A misplaced request
    belongs to limits as well: Kubernetes copies it to requests by itself.
    """

    place: Pointer
    values: Mapping[str, Any]
    where: str
    target: Container | None
    side: Side = "limits"
    emptied: Pointer | None = None


def find(workload: Workload, policy: Policy) -> Iterator[MisplacedResources]:
    """Yield every misplaced resource of an object."""
    typed = common.is_typed(workload)
    for pod in workload.pods:
        if _is_pod_spec(pod, typed=typed):
            yield from _in_pod(pod, policy)
        if pod.complete or (typed and pod.holder is not None):
            target = _target(pod)
            yield from _in_node_selector(pod, target, policy)
            yield from _in_metadata(pod, target)
        if typed:
            yield from _around_pod(workload, pod, policy)
        for container in pod.containers:
            yield from _in_resources(container, policy)
            if container.whole and typed:
                yield from _in_container(container, policy)


def _is_pod_spec(pod: Pod, *, typed: bool) -> bool:
    """Return whether this is a PodSpec, which has GPUs only in its containers.

    One that was found by its shape is if it is in a template: a custom kind may have ``containers`` and, beside them,
    the ``resources`` of its main one.
    """
    if any(container.pointer == pod.pointer for container in pod.containers):
        return False  # one mapping is both
    return bool(pod.spec) and (pod.complete or typed or pod.pointer[-2:] == ("template", "spec"))


def _target(pod: Pod) -> Container | None:
    apps = [container for container in pod.containers if container.role == "app"]
    return apps[0] if len(apps) == 1 else None


def _gpus(value: object, policy: Policy) -> dict[str, Any]:
    """Return the GPU resources of a mapping whose value could be an amount."""
    return {
        name: amount
        for name, amount in as_dict(value).items()
        if "/" in name and not isinstance(amount, (dict, list)) and policy.classify(name) is not None
    }


def _misplaced(
    place: Pointer, value: object, where: str, target: Container | None, policy: Policy, *, side: Side = "limits"
) -> Iterator[MisplacedResources]:
    values = _gpus(value, policy) if value else None
    if values:
        emptied = place if len(values) == len(as_dict(value)) else None
        yield MisplacedResources(place, values, where, target, side=side, emptied=emptied)


def _in_container(container: Container, policy: Policy) -> Iterator[MisplacedResources]:
    yield from _misplaced(container.pointer, container.spec, "beside its name and image", container, policy)
    for side in _SIDES:
        where = f"under its own {side}, not under resources"
        yield from _misplaced((*container.pointer, side), container.spec.get(side), where, container, policy)


def _in_resources(container: Container, policy: Policy) -> Iterator[MisplacedResources]:
    if not container.resources:
        return
    place = container.resources_pointer
    yield from _misplaced(place, container.resources, f"straight under {container.key}", container, policy)
    for outer in _SIDES:
        within = container.resources.get(outer)
        for side in _SIDES:
            inner, where = (*place, outer, side), f"under {outer}.{side}"
            yield from _misplaced(inner, as_dict(within).get(side), where, container, policy)
        for index, item in iter_dicts(within):
            where = f"in a list under {outer}"
            yield from _misplaced((*place, outer, index), item, where, container, policy, side=outer)


def _in_pod(pod: Pod, policy: Policy) -> Iterator[MisplacedResources]:
    target = _target(pod)
    yield from _misplaced(pod.pointer, pod.spec, "in the pod's spec", target, policy)
    yield from _in_resources_of(pod.pointer, pod.spec, "in the resources of the whole pod", target, policy)
    for side in _SIDES:
        yield from _misplaced((*pod.pointer, side), pod.spec.get(side), f"under the pod's {side}", target, policy)


def _around_pod(workload: Workload, pod: Pod, policy: Policy) -> Iterator[MisplacedResources]:
    """Yield GPUs in ``resources`` around a pod spec: beside it in its template, and farther out.

    A template has no such field in any kind. Outside of templates, only Kubernetes' own kinds and a few others are
    known to have none.
    """
    known = workload.group in kinds.BUILT_IN_GROUPS or (workload.group, workload.kind) in kind_traits.NO_RESOURCES
    for depth in range(len(workload.pointer), len(pod.pointer)):
        place = pod.pointer[:depth]
        if not known and place != pod.holder:
            continue
        outer = ".".join(map(str, (*place[len(workload.pointer) :], "resources")))
        around = as_dict(pointers.resolve(workload.document, place))
        where = f"under {outer}, outside of the pod's spec"
        yield from _in_resources_of(place, around, where, _target(pod), policy)


def _in_resources_of(
    place: Pointer, around: Mapping[str, Any], where: str, target: Container | None, policy: Policy
) -> Iterator[MisplacedResources]:
    """Yield the GPUs in the ``resources`` of a mapping that is not a container."""
    given = as_dict(around.get("resources"))
    inner = (*place, "resources")
    yield from _misplaced(inner, given, where, target, policy)
    for side in _SIDES:
        for misplaced in _misplaced((*inner, side), given.get(side), where, target, policy):
            if misplaced.emptied is not None and len(given) == 1:
                misplaced.emptied = inner
            yield misplaced


def _in_metadata(pod: Pod, target: Container | None) -> Iterator[MisplacedResources]:
    """Yield portable names among annotations or labels of a pod without a GPU request.

    Other names are not reported there: a label or annotation may be named like a resource of its vendor.
    """
    if pod.may_want_gpu:
        return
    for field in ("annotations", "labels"):
        entries = as_dict(pod.metadata.get(field))
        values = {name: entries[name] for name in _PORTABLE if isinstance(entries.get(name), str)}
        if values:
            place = (*pod.metadata_pointer, field)
            emptied = place if len(values) == len(entries) else None
            yield MisplacedResources(place, values, f"among the {field}", target, emptied=emptied)


def _in_node_selector(pod: Pod, target: Container | None, policy: Policy) -> Iterator[MisplacedResources]:
    """Yield a count in the nodeSelector where no container requests such a card: else it is a label of that name.

    Resource claims and annotations (KAI) may request it as well. Any name of such a card counts, because a translation
    changes the name (GPU101).
    """
    if pod.claims.gpu or pod.claims.unknown:
        return
    asked = {gpu.resource.vendor for gpu in pod.gpus} | ({"nvidia"} if pod.shared_container is not None else set())
    if "any" in asked:
        asked.add(common.backend_vendor(policy))
    place = (*pod.pointer, "nodeSelector")
    for misplaced in _misplaced(place, pod.spec.get("nodeSelector"), "in the nodeSelector", target, policy):
        counts = {
            name: raw for name, raw in misplaced.values.items() if _vendor(name, policy) not in asked and _is_count(raw)
        }
        if counts:
            misplaced.emptied = misplaced.emptied if len(counts) == len(misplaced.values) else None
            misplaced.values = counts
            yield misplaced


def _vendor(name: str, policy: Policy) -> str | None:
    resource = policy.classify(name)
    return None if resource is None else resource.vendor


def _is_count(raw: Any) -> bool:
    """Return whether a value is a number, unlike values of node labels: ``"true"``, ``present``, a model's name."""
    try:
        return raw is not None and not quantities.parse(raw).is_zero
    except quantities.QuantityError:
        return False


def move_to_target(rule: str, workload: Workload, misplaced: MisplacedResources) -> tuple[Operation, ...]:
    """Return the operations that move misplaced resources into their container; none where that is not certain.

    It is not where there is no single target, or the destination has another value.
    """
    if misplaced.target is None:
        return ()
    target = (*misplaced.target.resources_pointer, misplaced.side)
    there = misplaced.target.resources.get(misplaced.side)
    if isinstance(there, list):
        return _unlisted(rule, target, there)
    if not common.has_room(misplaced.target, misplaced.side):
        return ()
    settled = as_dict(there)
    if any(name in settled and settled[name] != value for name, value in misplaced.values.items()):
        return ()
    new = {name: value for name, value in misplaced.values.items() if name not in settled}
    if (
        misplaced.emptied is not None
        and misplaced.emptied != misplaced.target.pointer
        and misplaced.emptied != target[:-1]
    ):
        leaving = [patch.remove(rule, misplaced.emptied)]
    else:
        leaving = [patch.remove(rule, (*misplaced.place, name)) for name in misplaced.values]
    if not settled:
        return (*leaving, *([patch.add(rule, workload.document, target, new)] if new else ()))
    return (*leaving, *(patch.add(rule, workload.document, (*target, name), value) for name, value in new.items()))


def _unlisted(rule: str, target: Pointer, items: list[Any]) -> tuple[Operation, ...]:
    """Make one mapping of a list of mappings (``limits: [{cpu: 1}, {nvidia.com/gpu: 1}]``)."""
    merged: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict) or merged.keys() & item.keys():
            return ()
        merged.update(item)
    return (patch.replace(rule, target, merged),)
