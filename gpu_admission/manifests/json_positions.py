"""JSON files: objects by the json module, positions by a second, slower parser on demand.

Stricter than the module where Kubernetes is: no NaN or Infinity, no number that a float cannot hold, no duplicate keys,
no deeper nesting than in YAML. Unpaired surrogate escapes become U+FFFD, as in Go.
"""

from __future__ import annotations

import json
import re
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined] # not in typeshed, public in json

from .scalars import as_json
from .yaml_loader import MAX_DEPTH, MAX_NODES, TOO_MANY, LimitExceededError, ParsedDocument, YamlError
from .yaml_nodes import Mapping, Pair, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .yaml_nodes import YamlNode

# A number ends where it does for the json module; what follows is checked elsewhere.
_WORD = r"-?(?:[A-Za-z]+|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
_WORDS = {"true": True, "false": False, "null": None}


class _RefusedError(ValueError):
    """A value that Kubernetes rejects and the json module would accept."""


def build(text: str) -> Iterator[ParsedDocument]:
    """Yield the values of a JSON file, one after another. Raises YamlError."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_refuse
    )
    surrogates = "\\ud" in text or "\\uD" in text
    at = _skip(text, 0)
    # A limit, because a value takes up to a hundred times the memory of its text.
    if text.count(",") + text.count("[") + text.count("{") > MAX_NODES:
        raise LimitExceededError(TOO_MANY, at)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
            value = _checked(value, 1, surrogates=surrogates)
        except json.JSONDecodeError as error:
            raise _syntax_problem(error.msg, error.pos) from None
        except (ValueError, RecursionError) as error:
            _JsonComposer(text).value(at, 1)  # raises the same error, with its position
            raise YamlError(f"cannot be read as JSON ({error})", at) from None
        yield ParsedDocument(at, at, end, value, [])
        at = _skip(text, end)


def compose(text: str, start: int) -> YamlNode:
    """Return the tree of the JSON value that begins at `start`. Raises YamlError where build() does."""
    return _JsonComposer(text).value(start, 1)[0]


def _skip(text: str, at: int) -> int:
    return WHITESPACE.match(text, at).end()  # type: ignore[no-any-return]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _RefusedError("a key is given twice")
    return result


def _number(digits: str) -> Any:
    """Return a number as Kubernetes stores it: an integer of 64 bits, or the nearest 64-bit float."""
    if len(digits) <= 20 and digits.lstrip("-").isdecimal() and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    value = float(digits)
    if abs(value) == float("inf"):
        raise _RefusedError(f"the number {digits[:20]}... is out of range")
    return as_json(value)


def _refuse(constant: str) -> None:
    raise _RefusedError(f"{constant} is not a valid JSON number")


def _checked(value: Any, depth: int, *, surrogates: bool) -> Any:
    """Return the value with unpaired surrogates replaced. Raises _RefusedError where it is nested too deeply."""
    if isinstance(value, str):
        return _whole(value) if surrogates else value
    if not isinstance(value, dict | list):
        return value
    if depth > MAX_DEPTH:
        raise _RefusedError("nested too deep")
    if isinstance(value, list):
        for at, item in enumerate(value):
            value[at] = _checked(item, depth + 1, surrogates=surrogates)
        return value
    if surrogates:
        return {_whole(key): _checked(item, depth + 1, surrogates=True) for key, item in value.items()}
    for item in value.values():
        if isinstance(item, dict | list):
            _checked(item, depth + 1, surrogates=False)
    return value


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _syntax_problem(message: str, at: int) -> YamlError:
    from .syntax_errors import json_message  # noqa: PLC0415 - start-up time: needed only for syntax errors

    return YamlError(json_message(message), at)


class _JsonComposer:
    """Parses one JSON value into a tree. Accepts what the json module does, else raises YamlError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._word = re.compile(_WORD)

    def value(self, at: int, depth: int) -> tuple[YamlNode, int]:
        """Return the node that begins at this place, and the place after it."""
        opening = self._text[at : at + 1]
        if opening in {"{", "["} and depth > MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", at)
        if opening == "{":
            return self._mapping(at, depth)
        if opening == "[":
            return self._sequence(at, depth)
        return self._scalar(at)

    def _mapping(self, start: int, depth: int) -> tuple[Mapping, int]:
        node = Mapping(start, start)
        node.flow, node.pairs = True, []
        seen: dict[str, int] = {}
        at = _skip(self._text, start + 1)
        while self._text[at : at + 1] != "}":
            key, behind = self._scalar(at)
            name = str(key.value)
            if name in seen:
                raise YamlError(f"the key {name!r} is given twice", at, seen[name])
            seen[name] = at
            colon = _skip(self._text, behind)
            self._expect(":", colon)
            value, behind = self.value(_skip(self._text, colon + 1), depth + 1)
            node.pairs.append(Pair(key, name, value))
            at = self._next(behind, "}")
        node.end = at + 1
        return node, node.end

    def _sequence(self, start: int, depth: int) -> tuple[Sequence, int]:
        node = Sequence(start, start)
        node.flow, node.items = True, []
        at = _skip(self._text, start + 1)
        while self._text[at : at + 1] != "]":
            item, behind = self.value(at, depth + 1)
            node.items.append(item)
            at = self._next(behind, "]")
        node.end = at + 1
        return node, node.end

    def _next(self, behind: int, closing: str) -> int:
        """Return the place of the next member or of the closing bracket."""
        at = _skip(self._text, behind)
        if self._text[at : at + 1] == closing:
            return at
        self._expect(",", at)
        return _skip(self._text, at + 1)

    def _scalar(self, at: int) -> tuple[Scalar, int]:
        node = Scalar(at, at)
        if self._text[at : at + 1] == '"':
            try:
                value, node.end = scanstring(self._text, at + 1, True)
            except json.JSONDecodeError as error:
                raise _syntax_problem(error.msg, error.pos) from None
            node.value, node.style = _whole(value), '"'
            return node, node.end
        word = self._word.match(self._text, at)
        if not word:
            raise _syntax_problem("Expecting value", at)
        node.style, node.end = "", word.end()
        try:
            node.value = _WORDS[word[0]] if word[0] in _WORDS else _number(word[0])
        except ValueError:
            raise YamlError(f"{word[0][:20]} is not a number that Kubernetes can read", at) from None
        return node, node.end

    def _expect(self, character: str, at: int) -> None:
        if self._text[at : at + 1] != character:
            raise _syntax_problem(f"Expecting {character!r}", at)
