"""Edits that keep every other byte of a file, and verify it.

    edit(data, [(0, [Operation("GPU001", "add", ("spec", "containers", 0, "resources", "limits"), {...})])], "pod.yaml")

Each operation becomes a few splices of text at the positions of nodes. After each one the document is parsed again and
compared with the operation applied to the object; at the end so is the file. A wrong edit is never returned:
EditRefusedError is raised instead, with the reason.
"""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.patch import Operation
from gpu_admission.manifests.reader import read

from . import kept_comments
from .planner import Planner, make
from .source_text import EditRefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.manifests.reader import Document, Reading

__all__ = ["EditRefusedError", "edit"]


def edit(data: bytes, changes: list[tuple[int, list[Operation]]], name: str = "") -> bytes:
    """Return the bytes of a file with operations applied to some of its documents (by `Document.index`).

    Line breaks, byte order mark, comments, order, quotes and all other lines are kept. Raises EditRefusedError, with
    the line, where that is not possible, and core.patch.PatchError where an operation does not apply to the object.
    """
    before = read(data, name)
    documents = {document.index: document for document in before.documents}
    expected = {index: document.object for index, document in documents.items()}
    edited: dict[int, str] = {}
    for index, operations in _by_document(changes).items():
        if index not in documents:
            raise EditRefusedError(f"the file has no readable document {index}")
        if not all(operation.path for operation in operations):
            raise EditRefusedError("it would replace the whole document", documents[index].position(()).line)
        expected[index] = patch.apply(documents[index].object, operations)
        edited[index] = _with_comments(documents[index], _edit_document(documents[index], operations))
    result = _joined(data, before, edited)
    _prove(before, read(result, name), expected)
    return result


def _by_document(changes: list[tuple[int, list[Operation]]]) -> dict[int, list[Operation]]:
    found: dict[int, list[Operation]] = {}
    for index, operations in changes:
        found.setdefault(index, []).extend(operations)
    return found


def _with_comments(document: Document, edited: str) -> str:
    """Return the edited text with the comments of removed lines. Raises EditRefusedError where one cannot be placed."""
    if document.is_json:
        return edited
    kept = kept_comments.keep(document.text.text[document.start : document.end], edited)
    after = read(kept.encode(errors="surrogatepass"), is_json=False)
    same = len(after.documents) == 1 and not after.errors
    before = read(edited.encode(errors="surrogatepass"), is_json=False)
    if not same or not identical(after.documents[0].object, before.documents[0].object):
        raise EditRefusedError("a comment would be lost", document.position(()).line)
    return kept


def _edit_document(document: Document, operations: list[Operation]) -> str:
    text, value = document.text.text[document.start : document.end], document.object
    for batch in _batches(operations):
        text, value = _edit_batch(document, text, value, batch)
    return text


def _edit_batch(document: Document, text: str, value: Any, batch: list[Operation]) -> tuple[str, Any]:
    """Edit a document by a batch at once; where that fails, by halves, down to the operation at fault."""
    if len(batch) == 1:
        return _edit_alone(document, text, value, batch[0])
    try:
        return _edit_together(text, value, batch, is_json=document.is_json)
    except EditRefusedError:
        half = len(batch) // 2
        text, value = _edit_batch(document, text, value, batch[:half])
        return _edit_batch(document, text, value, batch[half:])


def _batches(operations: list[Operation]) -> Iterator[list[Operation]]:
    """Yield the operations in groups without conflicts: the document is parsed once for each group."""
    batch: list[Operation] = []
    claims = patch.ClaimedPlaces()
    for operation in operations:
        # Only the operations of one rule are known not to undo one another.
        if (batch and operation.rule != batch[0].rule) or claims.conflict([operation]):
            yield batch
            batch, claims = [], patch.ClaimedPlaces()
        batch.append(operation)
        claims.take([operation])
    if batch:
        yield batch


def _edit_together(text: str, value: Any, batch: list[Operation], *, is_json: bool) -> tuple[str, Any]:
    """Return text and value of a document after operations that are all planned on its present text."""
    steps: list[Operation] = []
    for asked in batch:
        for operation in _small_steps(asked, value):
            steps.append(operation)
            value = patch.apply(value, [operation])
    return _edit_once(text, steps, value, is_json=is_json), value


def _edit_alone(document: Document, text: str, value: Any, asked: Operation) -> tuple[str, Any]:
    try:
        for operation in _small_steps(asked, value):
            value = patch.apply(value, [operation])
            text = _edit_once(text, [operation], value, is_json=document.is_json)
    except EditRefusedError as refused:
        raise EditRefusedError(refused.reason, document.position(asked.path).line) from None
    return text, value


def _edit_once(text: str, operations: list[Operation], expected: Any, *, is_json: bool) -> str:
    """Return the text of one document after operations planned at once, of which `expected` is the result."""
    root = read(text.encode(), is_json=is_json).documents[0].root
    planner = Planner(text, root, is_json=is_json)
    splices = [splice for each in operations for splice in planner.plan(each.op, each.path, each.value)]
    result = make(splices, text)
    after = read(result.encode(errors="surrogatepass"), is_json=is_json)
    if after.errors:
        raise EditRefusedError(f"the result could not be read: {after.errors[0].message}")
    if len(after.documents) != 1 or not identical(after.documents[0].object, expected):
        raise EditRefusedError("the text around it cannot be changed without changing more")
    return result


def _joined(data: bytes, reading: Reading, edited: dict[int, str]) -> bytes:
    assert reading.text is not None  # noqa: S101 - for mypy; a file without text has no documents
    text, parts, at = reading.text.text, [], 0
    for document in reading.documents:
        if document.index in edited:
            parts += [text[at : document.start], edited[document.index]]
            at = document.end
    mark = data[: len(data) - len(reading.text.data)]
    return mark + "".join([*parts, text[at:]]).encode()


def _prove(before: Reading, after: Reading, expected: dict[int, Any]) -> None:
    """Raise EditRefusedError unless the file has the expected values, and all else as before."""
    found = {document.index: document.object for document in after.documents}
    as_broken = (before.skipped, len(before.errors)) == (after.skipped, len(after.errors))
    if not as_broken or not identical(found, expected):
        raise EditRefusedError("the edited file does not read as it should")


def _small_steps(operation: Operation, value: Any) -> Iterator[Operation]:
    """Yield equivalent operations that change less text: where a map replaces a map, it is changed key by key."""
    old = _existing(value, operation.path)
    if operation.op == "remove" or old is _NOTHING or (operation.op == "add" and _in_list(value, operation.path)):
        yield operation
    else:
        yield from _differences(operation.rule, operation.path, old, operation.value)


def _differences(rule: str, path: Pointer, old: Any, new: Any) -> Iterator[Operation]:
    if identical(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [key for key in old if key not in new]:
            yield Operation(rule, "remove", (*path, key))
        for key, item in new.items():
            if key in old:
                yield from _differences(rule, (*path, key), old[key], item)
            else:
                yield Operation(rule, "add", (*path, key), item)
    elif isinstance(old, list) and isinstance(new, list):
        for at, (was, becomes) in enumerate(zip(old, new, strict=False)):
            yield from _differences(rule, (*path, at), was, becomes)
        for at in range(len(old) - 1, len(new) - 1, -1):
            yield Operation(rule, "remove", (*path, at))
        for item in new[len(old) :]:
            yield Operation(rule, "add", (*path, "-"), item)
    else:
        yield Operation(rule, "replace", path, new)


_NOTHING = object()


def _existing(value: Any, path: Pointer) -> Any:
    for token in path:
        if isinstance(value, dict) and str(token) in value:
            value = value[str(token)]
        elif isinstance(value, list) and token != "-" and int(token) < len(value):
            value = value[int(token)]
        else:
            return _NOTHING
    return value


def _in_list(value: Any, path: Pointer) -> bool:
    return isinstance(_existing(value, path[:-1]), list)


def identical(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same; unlike ==, true is not 1 and 1 is not 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(identical(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return type(one) is type(other) and bool(one == other)
