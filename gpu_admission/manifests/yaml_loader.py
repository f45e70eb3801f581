"""YAML events -> the objects that Kubernetes reads, each with the position of its document.

It follows go.yaml.in/yaml/v2: aliases are expanded, a merge key overwrites keys before it and is overwritten by keys
after it, unknown tags are ignored. It is only stricter in this: a duplicate key is an error, as under strict decoding,
and so are documents deeper or larger (with aliases expanded) than any real one.
"""

from __future__ import annotations

from itertools import count

from .scalars import TAG, Keys, Plain, ScalarError, tagged, value_as_key
from .yaml_events import parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final

MAX_DEPTH: Final = 100
# A 432-byte file can expand to gigabytes; real manifests stay below a few hundred aliased nodes.
MAX_ALIASED: Final = 100_000
# Parsed in a few seconds; the largest bundles of CRDs have some hundred thousand.
MAX_NODES: Final = 1_000_000
MAX_PROBLEMS: Final = 20

TOO_MANY: Final = f"the file holds more than {MAX_NODES:,} nodes"

_RECURSIVE: Final = object()


class YamlError(Exception):
    """An error in a document: what Kubernetes would not read, and at which code point (from 0)."""

    def __init__(self, message: str, index: int, first: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.index = index
        self.first = first  # the place of the first of two equal keys


class LimitExceededError(YamlError):
    """The file exceeds a limit as a whole."""


class Budget:
    """The number of values built from a file, shared by all its documents."""

    __slots__ = ("aliased", "nodes")

    def __init__(self) -> None:
        self.nodes = count(1)
        self.aliased = 0


class ParsedDocument:
    """A document: its object or its errors, and its span in code points; `root` is the start of its content."""

    __slots__ = ("end", "object", "problems", "root", "start")

    def __init__(self, start: int, root: int, end: int, value: Any, problems: list[YamlError]) -> None:
        self.start = start
        self.root = root
        self.end = end
        self.object = value
        self.problems = problems

    def moved(self, by: int) -> ParsedDocument:
        """Move the document to the place of its text in the whole text, and return it."""
        self.start, self.root, self.end = self.start + by, self.root + by, self.end + by
        for problem in self.problems:
            problem.index += by
            problem.first = None if problem.first is None else problem.first + by
        return self


def build(data: bytes, budget: Budget) -> Iterator[ParsedDocument]:
    """Yield the documents of a YAML stream (UTF-8, no byte order mark).

    Raises YamlError where the stream cannot be parsed further: invalid syntax, or a limit exceeded.
    """
    library = parser()
    try:
        yield from Builder(library.events(data), budget, _memos(len(data))).documents()
    except library.error as error:
        raise _syntax_problem(error, data) from None
    except RecursionError:  # PyYAML's parser in Python
        raise YamlError(_too_deep(), 0) from None
    except (ValueError, OverflowError):  # PyYAML's parser in Python, on invalid escapes
        raise YamlError("an escape sequence that is not a Unicode character", 0) from None


_PLAIN, _KEYS = Plain(), Keys()
_MOST_REMEMBERED: Final = 10_000
_ORDINARY: Final = 100_000  # bytes; scalars of files up to this size are cached for other files


def _memos(size: int) -> tuple[Plain, Keys]:
    """Return the caches of scalars, which small files share: most scalars recur in other manifests."""
    if size > _ORDINARY:
        return Plain(), Keys()
    if len(_PLAIN) > _MOST_REMEMBERED or len(_KEYS) > _MOST_REMEMBERED:
        _PLAIN.clear()
        _KEYS.clear()
    return _PLAIN, _KEYS


def _syntax_problem(error: Any, data: bytes) -> YamlError:
    """Return the error of the parser, at its position, or where an unterminated construct begins."""
    from .syntax_errors import yaml_message  # noqa: PLC0415 - most files can be read

    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        problem, context, position = str(getattr(error, "reason", error)), "", getattr(error, "position", 0)
        return YamlError(yaml_message(problem, context, "", MAX_DEPTH), len(data[:position].decode(errors="replace")))
    text = data.decode(errors="replace")
    last = len(text.rstrip()) - 1
    message = yaml_message(error.problem or "", error.context or "", text[mark.index : mark.index + 1], MAX_DEPTH)
    if mark.index > last and error.context_mark is not None:
        mark = error.context_mark
    return YamlError(message, max(min(mark.index, last), 0))


def _too_deep() -> str:
    return f"nested deeper than {MAX_DEPTH} levels"


class Builder:
    """Builds the documents of one stream of events."""

    def __init__(self, get: Callable[[], Any], budget: Budget, memos: tuple[Plain, Keys]) -> None:
        kinds = parser().kinds
        self._get = get
        self._scalar_event, self._alias_event = kinds.ScalarEvent, kinds.AliasEvent
        self._mapping_start, self._mapping_end = kinds.MappingStartEvent, kinds.MappingEndEvent
        self._sequence_end, self._document_start = kinds.SequenceEndEvent, kinds.DocumentStartEvent
        self._plain, self._keys = memos
        self._budget, self._nodes = budget, budget.nodes
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._problems: list[YamlError] = []

    def documents(self) -> Iterator[ParsedDocument]:
        """Yield every document. Raises YamlError and the parser's own errors."""
        self._get()  # the stream's start
        while (start := self._get()).__class__ is self._document_start:
            self._anchors, self._problems = {}, []
            root = self._get()
            if next(self._nodes) > MAX_NODES:
                raise self._too_much(root)
            value = self._node(root, 1)
            end = self._get()
            yield ParsedDocument(
                start.start_mark.index, root.start_mark.index, end.end_mark.index, value, self._problems
            )

    def _node(self, event: Any, depth: int) -> Any:
        """Return the value that begins with this event; `depth` is that of its node, from 1."""
        kind = event.__class__
        if kind is self._scalar_event and event.anchor is None:
            return self._scalar(event)
        if kind is self._alias_event:
            return self._alias(event, depth)
        if event.anchor is None:
            return self._collection(event, depth)
        before = self._built()
        self._anchors[event.anchor] = mine = (_RECURSIVE, 0)
        value = self._scalar(event) if kind is self._scalar_event else self._collection(event, depth)
        # A node inside may have the same anchor, which then takes precedence.
        if self._anchors[event.anchor] is mine:
            self._anchors[event.anchor] = (value, self._built() - before)
        return value

    def _collection(self, event: Any, depth: int) -> dict[str, Any] | list[Any]:
        if depth > MAX_DEPTH:
            raise YamlError(_too_deep(), event.start_mark.index)
        return self._mapping(depth + 1) if event.__class__ is self._mapping_start else self._sequence(depth + 1)

    def _sequence(self, depth: int) -> list[Any]:
        get, node, nodes, end = self._get, self._node, self._nodes, self._sequence_end
        result: list[Any] = []
        while (event := get()).__class__ is not end:
            if next(nodes) > MAX_NODES:
                raise self._too_much(event)
            result.append(node(event, depth))
        return result

    def _mapping(self, depth: int) -> dict[str, Any]:
        get, node, nodes, end = self._get, self._node, self._nodes, self._mapping_end
        result: dict[str, Any] = {}
        seen: dict[str, Any] = {}
        while (event := get()).__class__ is not end:
            if next(nodes) > MAX_NODES:
                raise self._too_much(event)
            key = self._key(event, depth)
            if key is None:
                self._merge(get(), result, depth)
                continue
            if key in seen:
                self._complain(f"the key {key!r} is given twice", event, first=seen[key].start_mark.index)
            seen[key] = event
            result[key] = node(get(), depth)
        return result

    def _key(self, event: Any, depth: int) -> str | None:
        """Return the name of the key that begins with this event, or None for the merge key."""
        try:
            if event.__class__ is self._scalar_event:
                if is_merge(event):
                    return None
                if event.anchor is None and event.implicit[0]:
                    return self._keys[event.value]
            return value_as_key(self._node(event, depth))
        except ScalarError as error:
            return self._complain(str(error), event)

    def _scalar(self, event: Any) -> Any:
        try:
            if event.implicit[0]:
                return self._plain[event.value]
            return event.value if event.tag is None else tagged(event.tag, event.value)
        except ScalarError as error:
            return self._complain(str(error), event)

    def _merge(self, event: Any, into: dict[str, Any], depth: int) -> None:
        """Merge a map, or a list of maps of which earlier ones win, into the keys before the merge key."""
        value = self._node(event, depth)
        sources = value if isinstance(value, list) and event.__class__ is not self._alias_event else [value]
        for source in reversed(sources):
            if not isinstance(source, dict):
                self._complain("the merge key << requires a map or a list of maps", event)
                return
            into.update(source)

    def _alias(self, event: Any, depth: int) -> Any:
        """Return a copy of the anchor's value: the objects returned are trees."""
        if event.anchor not in self._anchors:
            raise YamlError(f"unknown anchor {event.anchor!r}", event.start_mark.index)
        value, size = self._anchors[event.anchor]
        if value is _RECURSIVE:
            raise YamlError(f"the anchor {event.anchor!r} contains itself", event.start_mark.index)
        self._budget.aliased += size
        if self._budget.aliased > MAX_ALIASED:
            raise LimitExceededError(f"aliases expand to more than {MAX_ALIASED:,} nodes", event.start_mark.index)
        return self._copy(value, depth, event)

    def _copy(self, value: Any, depth: int, event: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        if depth > MAX_DEPTH:
            raise YamlError(_too_deep(), event.start_mark.index)
        if isinstance(value, dict):
            return {key: self._copy(item, depth + 1, event) for key, item in value.items()}
        return [self._copy(item, depth + 1, event) for item in value]

    def _built(self) -> int:
        return next(self._nodes) + self._budget.aliased

    @staticmethod
    def _too_much(event: Any) -> LimitExceededError:
        return LimitExceededError(TOO_MANY, event.start_mark.index)

    def _complain(self, message: str, event: Any, first: int | None = None) -> str:
        """Record an error that does not stop parsing; return something unique in place of the value."""
        index = event.start_mark.index
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(YamlError(message, index, first))
        return f"\0{index}"


def is_merge(event: Any) -> bool:
    """Return whether a scalar in the place of a key is the merge key."""
    return event.value == "<<" and (event.implicit[0] or event.tag == f"{TAG}merge")  # type: ignore[no-any-return]
