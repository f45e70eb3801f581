"""The operations that write a request in a backend's names and delete the original."""

from __future__ import annotations

from itertools import chain

from gpu_admission.core import patch
from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict, iter_dicts
from gpu_admission.rules import backend_plan, common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from gpu_admission.backends.base import ContainerRequest
    from gpu_admission.backends.portable import BackendPatch
    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

_SIDES = ("limits", "requests")
_TERMS = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")


class Writer:
    """Writes the translations of one pod, as operations of one rule.

    ``both_sides`` writes requests besides limits: Kubernetes has copied them already when a Pod is admitted.
    """

    def __init__(self, rule: str, workload: Workload, pod: Pod) -> None:
        self._rule = rule
        self._workload = workload
        self._document = workload.document
        self._pod = pod
        self._metadata = backend_plan.metadata_place(pod)
        self._both_sides = workload.defaulted
        self._last: dict[str, int] = {}
        self._terms: dict[tuple[str, ...], list[Operation] | None] = {}
        entries = [entry for _, entry in iter_dicts(pod.spec.get("resourceClaims"))]
        self._claims = {str(entry.get("name")) for entry in entries}
        self._present = frozenset(self._claims)
        self._shared = {
            str(entry["resourceClaimName"]): str(entry.get("name"))
            for entry in entries
            if entry.get("resourceClaimName")
        }

    def translation(self, asked: ContainerRequest) -> tuple[Operation, ...]:
        """Return the operations for one container; none where a place that they need is not in the object."""
        backend_patch = asked.backend_patch
        removes = {"annotated": bool(asked.native_request.annotations), "claimed": bool(asked.native_request.claims)}
        if backend_patch is None or not self._reaches(backend_patch, **removes):
            return ()
        claims = self._named(backend_patch)
        operations = [
            *self._resources(asked, backend_patch, claims),
            *self._forget_annotations(asked, backend_patch),
            *self._pod_level(backend_patch),
        ]
        operations += self._append((*self._pod.pointer, "resourceClaims"), list(self._entries(backend_patch, claims)))
        return self._with_affinity(operations, backend_patch)

    def together(
        self, fixes: Sequence[tuple[Operation, ...]], translations: Sequence[ContainerRequest]
    ) -> tuple[Operation, ...]:
        """Return the operations for all containers, and for the pod's claims that no container uses after them."""
        once: list[Operation] = []
        seen: set[tuple[str, Pointer, str]] = set()
        for operation in chain(*fixes, self._unclaimed(translations)):
            key = (operation.op, operation.path, repr(operation.value))
            if operation.path[-1:] == (patch.APPEND,) or key not in seen:
                once.append(operation)
            seen.add(key)
        return tuple(once)

    def _unclaimed(self, translations: Sequence[ContainerRequest]) -> Iterator[Operation]:
        taken = {one.pointer: one.name for each in translations for one in each.native_request.claims}
        used = [one for container in self._pod.containers for one in self._pod.claims.of(container)]
        dropped = set(taken.values()) - {one.name for one in used if one.pointer not in taken}
        entries = self._pod.spec.get("resourceClaims")
        gone = [claim.pointer for claim in self._pod.claims.claims if claim.name in dropped]
        if gone and isinstance(entries, list) and len(gone) == len(entries):
            yield patch.remove(self._rule, gone[0][:-1])
            return
        yield from (patch.remove(self._rule, place) for place in reversed(gone))

    def completion(self, backend_patch: BackendPatch) -> tuple[Operation, ...]:
        """Return the operations for what a pod lacks besides its resources; none where they cannot be written."""
        return (
            self._with_affinity(list(self._pod_level(backend_patch)), backend_patch)
            if self._reaches(backend_patch)
            else ()
        )

    def _with_affinity(self, operations: list[Operation], backend_patch: BackendPatch) -> tuple[Operation, ...]:
        affinity = [self._affinity(expression) for expression in backend_patch.affinity]
        if None in affinity or not self._all_apply(operations):
            return ()
        return tuple(chain(operations, *[each or () for each in affinity]))

    def _all_apply(self, operations: list[Operation]) -> bool:
        return all(self._applies(operation) for operation in operations)

    def _applies(self, operation: Operation) -> bool:
        """Return whether an operation finds values of the expected types: a list may be a number."""
        around = self._at(operation.path[:-1])
        last = operation.path[-1]
        if isinstance(around, list):
            return last == patch.APPEND or isinstance(last, int)
        if not isinstance(around, dict):
            return False
        there = around.get(str(last))
        return operation.op != "add" or there is None or isinstance(there, dict | list) == _is_tree(operation.value)

    def _reaches(self, backend_patch: BackendPatch, *, annotated: bool = False, claimed: bool = False) -> bool:
        """Return whether every place outside of the container that has to change is in the object."""
        on_metadata = backend_patch.annotations or backend_patch.labels or annotated
        on_spec = backend_patch.node_selector or backend_patch.affinity or backend_patch.claims or claimed
        placeable = self._pod.complete and not common.serverless(self._workload)
        return not (on_metadata and self._metadata is None) and not (on_spec and not placeable)

    def _pod_level(self, backend_patch: BackendPatch) -> Iterator[Operation]:
        """Yield the operations on the pod's metadata and its node selector."""
        if self._metadata is not None:
            metadata = {"annotations": backend_patch.annotations, "labels": backend_patch.labels}
            yield from self._merge(self._metadata, {key: dict(value) for key, value in metadata.items() if value})
        if backend_patch.node_selector:
            yield from self._merge((*self._pod.pointer, "nodeSelector"), backend_patch.node_selector)

    def _resources(
        self, asked: ContainerRequest, backend_patch: BackendPatch, claims: Mapping[str, str]
    ) -> Iterator[Operation]:
        container = asked.container
        base = container.resources_pointer
        wanted = {
            side: dict(backend_patch.resources) if side == "limits" or self._both_sides else {} for side in _SIDES
        }
        remaining = _remaining(asked, wanted)
        if not remaining and not claims and not any(wanted.values()) and container.resources:
            yield patch.remove(self._rule, base)
            return
        for side in _SIDES:
            if side in container.resources and side not in remaining:
                yield patch.remove(self._rule, (*base, side))
            else:
                yield from self._forget(asked, (*base, side), wanted[side])
        if "claims" in container.resources and "claims" not in remaining:
            yield patch.remove(self._rule, (*base, "claims"))
        else:
            yield from (patch.remove(self._rule, one.pointer) for one in reversed(asked.native_request.claims))
        tree: dict[str, Any] = {side: values for side, values in wanted.items() if values}
        yield from self._merge(base, tree)
        yield from self._append((*base, "claims"), [{"name": name} for name in claims])

    def _forget(self, asked: ContainerRequest, side: Pointer, wanted: Mapping[str, Any]) -> Iterator[Operation]:
        current = as_dict(asked.container.resources.get(str(side[-1])))
        for name in asked.native_request.gpus:
            if name in current and name not in wanted:
                yield patch.remove(self._rule, (*side, name))

    def _forget_annotations(self, asked: ContainerRequest, backend_patch: BackendPatch) -> Iterator[Operation]:
        old = [name for name in asked.native_request.annotations if name not in backend_patch.annotations]
        if not old:
            return
        place = asked.native_request.annotations_at
        current = as_dict(pointers.resolve(self._document, place))
        if len(old) == len(current) and not backend_patch.annotations:
            around = as_dict(pointers.resolve(self._document, place[:-1]))
            alone = len(around) == 1 and not backend_patch.labels and place[-2:-1] == ("metadata",)
            yield patch.remove(self._rule, place[:-1] if alone else place)  # leave no `metadata: {}`
            return
        for name in old:
            yield patch.remove(self._rule, (*place, name))

    def _merge(self, base: Pointer, tree: Mapping[str, Any]) -> Iterator[Operation]:
        """Yield operations that add a tree of mappings to the document, one for each missing part."""
        if tree:
            yield from self._into(self._at(base), base, tree)

    def _into(self, current: object, base: Pointer, tree: Mapping[str, Any]) -> Iterator[Operation]:
        if not isinstance(current, dict):
            yield patch.add(self._rule, self._document, base, dict(tree))
            return
        for key, value in tree.items():
            there = current.get(key)
            if isinstance(value, dict) and isinstance(there, dict):
                yield from self._into(there, (*base, key), value)
            elif there != value:
                yield patch.Operation(self._rule, "add", (*base, key), value)

    def _affinity(self, expression: Mapping[str, Any]) -> list[Operation] | None:
        """Return operations that add an expression to every term of the node affinity (terms are alternatives).

        None where that cannot be written. They are the same for all containers of the pod; there may be thousands of
        containers, and of terms.
        """
        asked = (expression["key"], expression["operator"], *expression["values"])
        if asked not in self._terms:
            operations = list(self._each_term(expression))
            self._terms[asked] = operations if self._all_apply(operations) else None
        return self._terms[asked]

    def _each_term(self, expression: Mapping[str, Any]) -> Iterator[Operation]:
        place = (*self._pod.pointer, *_TERMS)
        terms = list(iter_dicts(self._at(place)))
        if not terms:
            yield from self._merge(place[:-1], {_TERMS[-1]: [{"matchExpressions": [dict(expression)]}]})
        for index, term in terms:
            if not any(_implies(other, expression) for _, other in iter_dicts(term.get("matchExpressions"))):
                yield from self._append((*place, index, "matchExpressions"), [dict(expression)])

    def _append(self, place: Pointer, items: list[dict[str, Any]]) -> Iterator[Operation]:
        """Yield operations that append items to a list, which may be missing."""
        if isinstance(self._at(place), list):
            for item in items:
                yield patch.add(self._rule, self._document, (*place, patch.APPEND), item)
        elif items:
            yield patch.add(self._rule, self._document, place, items)

    def _named(self, backend_patch: BackendPatch) -> dict[str, str]:
        """Return the claims under names that the pod does not use yet; a shared one has one name in the whole pod."""
        named: dict[str, str] = {}
        for wanted, template in backend_patch.claims.items():
            shared = self._shared_name(template) if backend_patch.shared else ""
            if shared in self._shared:
                named[self._shared[shared]] = template
                continue
            name, number = wanted, self._last.get(wanted, 1)
            while name in self._claims:
                number += 1
                name = f"{wanted}-{number}"
            self._last[wanted] = number  # where the next search begins: a pod may have thousands
            self._claims.add(name)
            named[name] = template
            if shared:
                self._shared[shared] = name
        return named

    def _entries(self, backend_patch: BackendPatch, claims: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Yield the entries of the pod for claims, except a shared one that is there already."""
        for name, template in claims.items():
            if not backend_patch.shared:
                yield {"name": name, "resourceClaimTemplateName": template}
            elif name not in self._present:
                yield {"name": name, "resourceClaimName": self._shared_name(template)}

    def _shared_name(self, template: str) -> str:
        from gpu_admission.backends import dra_shared  # noqa: PLC0415 - start-up time: needed only for translate --claims

        return dra_shared.claim_name(self._workload, template)

    def _at(self, place: Pointer) -> object:
        """Return the value at a pointer, None where there is none."""
        here = self._document
        for token in place:
            if isinstance(here, dict):
                here = here.get(token)
            elif isinstance(here, list) and isinstance(token, int) and token < len(here):
                here = here[token]
            else:
                return None
        return here


def _is_tree(value: object) -> bool:
    return isinstance(value, dict | list)


def _implies(expression: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether an expression on the same key requests as much already."""
    if expression.get("key") != wanted["key"] or expression.get("operator") != wanted["operator"]:
        return False
    values = expression.get("values")
    first = values[0] if isinstance(values, list) and len(values) == 1 else None
    return isinstance(first, str) and first.isdigit() and len(first) < 19 and int(first) >= int(wanted["values"][0])


def _remaining(asked: ContainerRequest, wanted: Mapping[str, Any]) -> set[str]:
    """Return the keys of a container's resources that the translation does not remove."""
    request, given = asked.native_request, asked.container.resources
    remaining = set(given)
    for side in _SIDES:
        current = as_dict(given.get(side))
        if current and not wanted[side] and all(name in request.gpus for name in current):
            remaining.discard(side)
    used = given.get("claims")
    if request.claims and isinstance(used, list) and len(used) == len(request.claims):
        remaining.discard("claims")
    return remaining
