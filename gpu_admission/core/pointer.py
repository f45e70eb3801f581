"""JSON Pointer (RFC 6901).

Inside the program a pointer is a tuple of tokens, ``("spec", "containers", 0)``: unescaped keys of mappings and indices
of list items. It is converted to text only for output.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Pointer = tuple[str | int, ...]

ROOT: Pointer = ()


class PointerError(ValueError):
    """A string that is not a JSON Pointer, or a pointer that does not resolve."""


def to_text(pointer: Pointer) -> str:
    """Return the RFC 6901 string: ``/spec/containers/0``, empty for the whole document."""
    return "".join(["/" + str(token).replace("~", "~0").replace("/", "~1") for token in pointer])


def from_text(text: str) -> Pointer:
    """Parse an RFC 6901 string; every token stays a string: without the object an index looks like a key.

    Raises PointerError where the string is neither empty nor begins with a slash, or holds an invalid ``~`` escape.
    """
    if not text:
        return ROOT
    if not text.startswith("/"):
        raise PointerError(f"a JSON Pointer begins with a slash: {text!r}")
    return tuple(_unescape(token, text) for token in text[1:].split("/"))


def _unescape(token: str, text: str) -> str:
    if "~" not in token:
        return token
    if token.replace("~0", "").replace("~1", "").count("~"):
        raise PointerError(f"a ~ in a JSON Pointer is followed by 0 or 1: {text!r}")
    return token.replace("~1", "/").replace("~0", "~")


def resolve(document: object, pointer: Pointer) -> object:
    """Return the value that the pointer refers to.

    Raises PointerError where there is no such key or item.
    """
    value = document
    for depth, token in enumerate(pointer):
        value = _step(value, token, pointer[: depth + 1])
    return value


def _step(value: object, token: str | int, so_far: Pointer) -> object:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list):
        index = list_index(token)
        if index is not None and index < len(value):
            return value[index]
    raise PointerError(f"there is nothing at {to_text(so_far)}")


def child(value: object, token: str | int) -> Any:
    """Return the child of a value by key or index; None where it is absent or null."""
    if isinstance(value, dict):
        return value.get(token)
    if isinstance(value, list):
        index = list_index(token)
        return value[index] if index is not None and index < len(value) else None
    return None


def list_index(token: str | int) -> int | None:
    """Return a token as a list index, or None where it is not one (``-``, ``01``, a key)."""
    if isinstance(token, int):
        return token if token >= 0 else None
    if token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and len(token) < 10:
        return int(token)
    return None


def exists(document: object, pointer: Pointer) -> bool:
    """Return whether the pointer resolves in the document."""
    try:
        resolve(document, pointer)
    except PointerError:
        return False
    return True


def starts_with(pointer: Pointer, prefix: Pointer) -> bool:
    """Return whether the pointer refers to the prefix itself or to something inside it."""
    return pointer[: len(prefix)] == prefix


def sort_key(pointer: Pointer) -> tuple[tuple[int, int, str], ...]:
    """Order pointers by their tokens: indices by number and before keys, keys by text."""
    return tuple((0, token, "") if isinstance(token, int) else (1, 0, token) for token in pointer)


def expand(document: object, pattern: Pointer) -> Iterator[tuple[Pointer, object]]:
    """Yield every match of a pattern, in which ``*`` stands for each item of a list or value of a mapping."""
    if len(pattern) == 1 and pattern[0] != "*" and isinstance(document, dict):  # the path of a Pod's spec
        if pattern[0] in document:
            yield pattern, document[pattern[0]]
        return
    found: list[tuple[Pointer, object]] = [(ROOT, document)]
    for token in pattern:
        found = [hit for place, value in found for hit in _match(place, value, token)]
        if not found:
            return
    yield from found


def _match(place: Pointer, value: object, token: str | int) -> list[tuple[Pointer, object]]:
    if isinstance(value, dict):
        if token == "*":
            return [((*place, key), item) for key, item in value.items()]
        return [((*place, token), value[token])] if token in value else []
    if isinstance(value, list):
        if token == "*":
            return [((*place, index), item) for index, item in enumerate(value)]
        index = list_index(token)
        return [((*place, index), value[index])] if index is not None and index < len(value) else []
    return []
