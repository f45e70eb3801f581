"""JSON Pointer (RFC 6901).

Inside the program a pointer is a tuple of tokens, ``("spec", "containers", 0)``: a key of a mapping as it
stands in the object, or the index of a list item. It becomes text only at the edge.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

Pointer = tuple[str | int, ...]

ROOT: Pointer = ()


class PointerError(ValueError):
    """A text that is no JSON Pointer, or a pointer that leads nowhere."""


def to_text(pointer: Pointer) -> str:
    """Return the RFC 6901 text: ``/spec/containers/0``; the empty text for the whole document."""
    return "".join(["/" + str(token).replace("~", "~0").replace("/", "~1") for token in pointer])


def from_text(text: str) -> Pointer:
    """Read an RFC 6901 text; every token stays a string, because only the object tells keys from indices.

    Raises PointerError where the text is neither empty nor begins with a slash, or holds a stray ``~``.
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
    """Return what the pointer names in the document.

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
    """Return what a token names in a value, None where there is nothing (or a null)."""
    if isinstance(value, dict):
        return value.get(token)
    if isinstance(value, list):
        index = list_index(token)
        return value[index] if index is not None and index < len(value) else None
    return None


def list_index(token: str | int) -> int | None:
    """Return the index that a token names, or None where it names no list item (``-``, ``01``, a key)."""
    if isinstance(token, int):
        return token if token >= 0 else None
    if token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and len(token) < 10:
        return int(token)
    return None


def exists(document: object, pointer: Pointer) -> bool:
    """Tell whether the pointer names something in the document."""
    try:
        resolve(document, pointer)
    except PointerError:
        return False
    return True


def starts_with(pointer: Pointer, prefix: Pointer) -> bool:
    """Tell whether the pointer names the prefix itself or something inside it."""
    return pointer[: len(prefix)] == prefix


def sort_key(pointer: Pointer) -> tuple[tuple[int, int, str], ...]:
    """Order pointers by their tokens: indices by number and before keys, keys by text."""
    return tuple((0, token, "") if isinstance(token, int) else (1, 0, token) for token in pointer)


def expand(document: object, pattern: Pointer) -> Iterator[tuple[Pointer, object]]:
    """Yield every place that a pattern names: ``*`` stands for each item of a list or value of a mapping."""
    if len(pattern) == 1 and pattern[0] != "*" and isinstance(document, dict):  # a Pod's, and most
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
