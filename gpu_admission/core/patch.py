"""Operations on raw objects, and the RFC 6902 patch that they form.

A rule yields operations, never a diff: a diff loses which rule made a change, and rewrites whole lists.
"""

from __future__ import annotations

from . import pointer as pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

    from .pointer import Pointer

    Op = Literal["add", "remove", "replace"]

APPEND = "-"


class PatchError(ValueError):
    """An operation that does not apply to the document."""


class Operation:
    """One RFC 6902 operation and the ID of the rule that yielded it."""

    __slots__ = ("op", "path", "rule", "value")

    def __init__(self, rule: str, op: Op, path: Pointer, value: Any = None) -> None:
        self.rule = rule
        self.op: Op = op
        self.path = path
        self.value = value

    def to_json(self) -> dict[str, Any]:
        """Return the operation as an item of a JSON Patch document."""
        json_form: dict[str, Any] = {"op": self.op, "path": pointers.to_text(self.path)}
        if self.op != "remove":
            json_form["value"] = self.value
        return json_form

    def step(self) -> dict[str, Any]:
        """Return the operation relative to the parent of its target: its path is the last token alone."""
        return {"op": self.op, "path": pointers.to_text(self.path[-1:]), "value": self.value}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Operation):
            return NotImplemented
        return (self.rule, self.op, self.path, self.value) == (other.rule, other.op, other.path, other.value)

    def __hash__(self) -> int:
        return hash((self.rule, self.op, self.path))

    def __repr__(self) -> str:
        return f"<{self.rule} {self.op} {pointers.to_text(self.path)} {self.value!r}>"


def add(rule: str, document: object, path: Pointer, value: Any) -> Operation:
    """Return the operation that adds a value at a path, with the parent mappings that are missing.

    RFC 6902's ``add`` fails where the parent does not exist (the API server then answers 500 under any failurePolicy),
    so the operation starts at the first missing parent. A ``null`` parent counts as missing, as in Kubernetes.
    """
    here = document
    for depth, token in enumerate(path[:-1], 1):
        here = pointers.child(here, token)
        if here is None:
            return Operation(rule, "add", path[:depth], _nested(path[depth:], value))
    return Operation(rule, "add", path, value)


def _nested(path: Pointer, value: Any) -> Any:
    for token in reversed(path):
        value = [value] if token == APPEND else {token: value}
    return value


def remove(rule: str, path: Pointer) -> Operation:
    """Return the operation that removes the value at a path."""
    return Operation(rule, "remove", path)


def replace(rule: str, path: Pointer, value: Any) -> Operation:
    """Return the operation that replaces the value at a path."""
    return Operation(rule, "replace", path, value)


def to_json(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """Return the operations as a JSON Patch document."""
    return [operation.to_json() for operation in operations]


def apply(document: Any, operations: Sequence[Operation]) -> Any:
    """Return the document with the operations applied; the one given is not changed.

    Only the mappings and lists on the path to a change are copied, each once; everything else is shared.
    Raises PatchError where an operation does not apply.
    """
    if not operations:
        return document
    import jsonpatch  # noqa: PLC0415 - start-up time: 10 ms, needed only for fixes

    acts = jsonpatch.JsonPatch.operations
    root = _shallow(document)
    ours = {id(root): root}
    for operation in operations:
        if not operation.path:
            raise PatchError(f"{operation!r} does not apply: no rule replaces a whole document")
        around = _owned(root, operation.path[:-1], ours)
        try:
            acts[operation.op](operation.step()).apply(around)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise PatchError(f"{operation!r} does not apply: {error}") from error
    return root


def _owned(here: Any, path: Pointer, ours: dict[int, Any]) -> Any:
    """Return the mapping or list at a path, made writable: those on the path are replaced by copies.

    ``ours`` holds the copies made so far, by identity, which are not copied again (kept alive, so that no other object
    gets their identity).
    """
    for token in path:
        child = pointers.child(here, token)
        if child is None:
            raise PatchError(f"{pointers.to_text(path)} does not exist")
        if id(child) not in ours:
            child = _shallow(child)
            ours[id(child)] = child
            here[token if isinstance(here, dict) else pointers.list_index(token)] = child
        here = child
    return here


def _shallow(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


class ClaimedPlaces:
    """The places that a batch of fixes changes, all computed on the same object.

    Another fix conflicts with them where it cannot be applied after them: where it writes at, above or below one of the
    places, or where one of the two removes or inserts items of a list whose items the other addresses by index. Two
    that append the same item conflict too: computed again, the second finds it there. A look-up takes time in
    proportion to the length of a path, not to the number of places.
    """

    __slots__ = ("_above", "_items", "_places", "_taken")

    def __init__(self) -> None:
        self._taken: list[Operation] = []  # not yet in the index: most batches hold a single fix
        self._items: set[tuple[Pointer, str]] = set()
        self._places: set[Pointer] = set()
        self._above: set[Pointer] = set()

    def take(self, operations: Iterable[Operation]) -> None:
        """Add the places of a fix."""
        self._taken += operations

    def _note(self) -> None:
        for operation in self._taken:
            place = _reach(operation)
            self._places.add(place)
            if place[-1:] == (APPEND,):
                self._items.add((place, repr(operation.value)))
            self._above.update([place[:depth] for depth in range(len(place))])
        self._taken.clear()

    def conflict(self, operations: Iterable[Operation]) -> bool:
        """Return whether a fix conflicts with those taken."""
        self._note()
        return bool(self._places) and any(map(self._meets, operations))

    def _meets(self, operation: Operation) -> bool:
        place = _reach(operation)
        if place in self._above or any([place[:depth] in self._places for depth in range(len(place))]):
            return True
        if place[-1:] == (APPEND,):  # any number of items can be appended
            return (place, repr(operation.value)) in self._items
        return place in self._places


def _reach(operation: Operation) -> Pointer:
    """Return the deepest place outside of which the operation changes nothing, not even an index."""
    last = operation.path[-1] if operation.path else None
    if operation.op != "replace" and isinstance(last, int):
        return operation.path[:-1]
    return operation.path
