"""A document as a tree of nodes with positions: for positions of findings, and for edits.

Built only for documents that need it, in a second pass over their text. Positions are code points of the whole text,
from 0; `end` is exclusive.
"""

from __future__ import annotations

from .scalars import go_value, tagged, value_as_key
from .yaml_events import parser
from .yaml_loader import is_merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    _N = TypeVar("_N", bound="YamlNode")
    Pointer = tuple[str | int, ...]


class YamlNode:
    """Any node. The span begins with the anchor or the tag, if it has one."""

    __slots__ = ("anchor", "end", "start", "tag")

    def __init__(self, start: int, end: int, anchor: str | None = None, tag: str | None = None) -> None:
        self.start = start
        self.end = end
        self.anchor = anchor
        self.tag = tag


class Scalar(YamlNode):
    """A scalar: its Go value, and the style: "" (plain), `'`, `"`, `|` or `>`."""

    __slots__ = ("style", "value")

    style: str
    value: str | int | float | bool | None


class Alias(YamlNode):
    """An alias, and the node that it refers to."""

    __slots__ = ("target",)

    target: YamlNode


class Sequence(YamlNode):
    """A list: `flow` is whether it is `[a, b]` or a block of dashes, which ends with its last item."""

    __slots__ = ("flow", "items")

    flow: bool
    items: list[YamlNode]


class Mapping(YamlNode):
    """A map: pairs in text order. `flow` is whether it is `{a: b}`, or a block that ends with its last node."""

    __slots__ = ("flow", "pairs")

    flow: bool
    pairs: list[Pair]


class Pair:
    """A key and its value; `name` is the key as Kubernetes reads it, None for the merge key."""

    __slots__ = ("key", "name", "value")

    def __init__(self, key: YamlNode, name: str | None, value: YamlNode) -> None:
        self.key = key
        self.name = name
        self.value = value


class NodeStep:
    """One step of a path: the node reached, and for a map the pair, for a list the place that led to it.

    `direct` is False after an alias or a merge key on the path.
    """

    __slots__ = ("direct", "node", "pair")

    def __init__(self, node: YamlNode, pair: Pair | None, *, direct: bool) -> None:
        self.node = node
        self.pair = pair
        self.direct = direct

    @property
    def place(self) -> YamlNode:
        """The node to show to users: the key, or the item itself, of a block map the first key."""
        if self.pair:
            return self.pair.key
        block = isinstance(self.node, Mapping) and not self.node.flow
        return self.node.pairs[0].key if block else self.node  # type: ignore[attr-defined]


def walk(root: YamlNode, pointer: Pointer) -> list[NodeStep]:
    """Return the steps from the root along a pointer, as far as they exist; the first is the root itself."""
    steps = [NodeStep(root, None, direct=True)]
    for token in pointer:
        step = child(steps[-1], token)
        if step is None:
            break
        steps.append(step)
    return steps


def child(parent: NodeStep, token: str | int) -> NodeStep | None:
    """Return the step to a key or an index, or None where there is no such child."""
    node, direct = dereference(parent.node), parent.direct and not isinstance(parent.node, Alias)
    if isinstance(node, Sequence):
        if isinstance(token, str):
            token = int(token) if token.isdecimal() and len(token) < 10 else -1
        return NodeStep(node.items[token], None, direct=direct) if 0 <= token < len(node.items) else None
    if isinstance(node, Mapping):
        found = _find(node, str(token), direct=direct)
        return NodeStep(found[0].value, found[0], direct=found[1]) if found else None
    return None


def dereference(node: YamlNode) -> YamlNode:
    """Return the node itself, or what an alias refers to."""
    while isinstance(node, Alias):
        node = node.target
    return node


def _find(mapping: Mapping, name: str, *, direct: bool) -> tuple[Pair, bool] | None:
    """Return the pair whose value Kubernetes reads under this name: the last one, merged ones included."""
    for pair in reversed(mapping.pairs):
        if pair.name == name:
            return pair, direct
        if pair.name is None:
            for source in _merged(pair.value):
                found = _find(source, name, direct=False)
                if found:
                    return found
    return None


def _merged(value: YamlNode) -> Iterator[Mapping]:
    sources = value.items if isinstance(value, Sequence) else [value]
    for source in sources:
        node = dereference(source)
        if isinstance(node, Mapping):
            yield node


def compose(text: str, start: int, end: int) -> YamlNode:
    """Return the root of the document at text[start:end], which must have been parsed without an error."""
    return _Composer(parser().events(text[start:end].encode()), start).document()


class _Composer:
    """Builds the tree of one document; `offset` is the start of its text in the whole text."""

    def __init__(self, get: Callable[[], Any], offset: int) -> None:
        self._get = get
        self._kinds = parser().kinds
        self._offset = offset
        self._anchors: dict[str, YamlNode] = {}

    def document(self) -> YamlNode:
        self._get()  # the stream's start
        self._get()  # the document's
        return self._node(self._get())

    def _node(self, event: Any) -> YamlNode:
        kinds, kind = self._kinds, event.__class__
        if kind is kinds.AliasEvent:
            alias = self._place(Alias(0, 0), event)
            alias.target = self._anchors[event.anchor]
            return alias
        if kind is kinds.ScalarEvent:
            return self._scalar(event)
        return self._mapping(event) if kind is kinds.MappingStartEvent else self._sequence(event)

    def _scalar(self, event: Any) -> Scalar:
        node = self._place(Scalar(0, 0, event.anchor, event.tag), event)
        node.style = event.style or ""
        if event.implicit[0]:
            node.value = go_value(event.value)
        else:
            node.value = event.value if event.tag is None else tagged(event.tag, event.value)
        return node

    def _sequence(self, event: Any) -> Sequence:
        node = self._place(Sequence(0, 0, event.anchor, event.tag), event)
        node.flow, node.items = bool(event.flow_style), []
        while (event := self._get()).__class__ is not self._kinds.SequenceEndEvent:
            node.items.append(self._node(event))
        node.end = event.end_mark.index + self._offset if node.flow else node.items[-1].end
        return node

    def _mapping(self, event: Any) -> Mapping:
        node = self._place(Mapping(0, 0, event.anchor, event.tag), event)
        node.flow, node.pairs = bool(event.flow_style), []
        while (event := self._get()).__class__ is not self._kinds.MappingEndEvent:
            merge = event.__class__ is self._kinds.ScalarEvent and is_merge(event)
            key = self._node(event)
            node.pairs.append(Pair(key, None if merge else _name(key), self._node(self._get())))
        node.end = event.end_mark.index + self._offset if node.flow else node.pairs[-1].value.end
        return node

    def _place(self, node: _N, event: Any) -> _N:
        node.start = event.start_mark.index + self._offset
        node.end = event.end_mark.index + self._offset
        if node.anchor is not None:
            self._anchors[node.anchor] = node
        return node


def _name(key: YamlNode) -> str:
    node = dereference(key)
    return value_as_key(node.value) if isinstance(node, Scalar) else ""
