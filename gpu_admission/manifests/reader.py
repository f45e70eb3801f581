"""Bytes of a file -> the documents that Kubernetes would read in it, and what is wrong with the others.

    reading = read(path.read_bytes(), "deploy.yaml")
    for document in reading.documents:
        judge(document.object)
        document.position(("spec", "containers", 0, "resources"))

`read` never raises, whatever the bytes are. YAML goes through libyaml's events, JSON through the json module; lines
and columns are looked up, document by document, only for what somebody asks about.
"""

from __future__ import annotations

import re
from itertools import pairwise

from gpu_admission.core.record import record

from . import yaml_loader
from .text import ReadError, Text
from .yaml_loader import Budget, LimitExceededError, ParsedDocument, YamlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from .comments import Comment
    from .yaml_nodes import Pointer, YamlNode

MAX_ERRORS: Final = 20
_ORIGIN: Final = "config.kubernetes.io/origin"
_SOURCE: Final = r"(?m)^# Source: (\S.*?)[ \t]*\r?$"
_PATH: Final = r"(?m)^path: (\S.*?)\s*$"
# Where kubectl cuts a file into documents before it parses any of them.
_SEPARATOR: Final = r"(?m)^---(?=[ \t\r\n]|$)"


@record
class Position:
    """Where something stands: lines and columns from 1, columns in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def __repr__(self) -> str:
        return f"Position({self.line}:{self.column}-{self.end_line}:{self.end_column})"


class Document:
    """One document of a file: `object` is plain dicts, lists, strings, numbers, booleans and None.

    `index` counts all documents of the file from 0, empty and broken ones too. `start` and `end` are the span of
    its text in `text.text`, in code points; `is_json` tells how that is to be read.
    """

    __slots__ = ("_root", "_source_from", "end", "index", "is_json", "object", "start", "text")

    def __init__(self, text: Text, index: int, built: ParsedDocument, source_from: int, *, is_json: bool) -> None:
        self.text = text
        self.index = index
        self.object = built.object
        self.start = built.start if is_json else text.line_start(built.start)
        self.end = built.end
        self.is_json = is_json
        self._source_from = (source_from, built.root)
        self._root: YamlNode | None = None

    @property
    def root(self) -> YamlNode:
        """The document as a tree of nodes with their places; made at the first use."""
        if self._root is None:
            if self.is_json:
                from . import json_positions  # noqa: PLC0415

                self._root = json_positions.compose(self.text.text, self._source_from[1])
            else:
                from . import yaml_nodes  # noqa: PLC0415

                self._root = yaml_nodes.compose(self.text.text, self.start, self.end)
        return self._root

    @property
    def head(self) -> str:
        """The text of the document with the comments before it."""
        return self.text.text[self._source_from[0] : self.end]

    @property
    def source(self) -> str | None:
        """The file that this was made of, where helm (`# Source:`) or kustomize (an annotation) says so."""
        start, end = self._source_from
        found = re.findall(_SOURCE, self.text.text[start:end])
        return found[-1] if found else _origin(self.object)

    def position(self, pointer: Pointer) -> Position:
        """Return where the key stands that the pointer names; a list item, or for () the document, itself.

        Follows aliases and merge keys to where the key is written. What does not exist is placed at the nearest
        ancestor that does. The region never leaves its first line.
        """
        from .yaml_nodes import walk  # noqa: PLC0415 - only where there is a finding

        place = walk(self.root, pointer)[-1].place
        line, column = self.text.place(place.start)
        # A report shows one line: code hosts drop what spans lines that a change did not touch.
        rest = self.text.line(line)[column - 1 :].rstrip()
        return Position(line, column, line, column + max(min(len(rest), place.end - place.start), 1))

    def line_text(self, line: int) -> str:
        """Return a line of the file, counted from 1, without its end."""
        return self.text.line(line)


class Reading:
    """What a file holds. `skipped` is "template" where it is a Go template that is no YAML yet, or None.

    `errors` are for the whole file: a document that has one is not among `documents`, the others are.
    """

    __slots__ = ("_comments", "documents", "errors", "name", "skipped", "text")

    def __init__(self, name: str, text: Text | None) -> None:
        self.name = name
        self.text = text
        self.documents: tuple[Document, ...] = ()
        self.errors: tuple[ReadError, ...] = ()
        self.skipped: str | None = None
        self._comments: tuple[Comment, ...] | None = None

    @property
    def comments(self) -> tuple[Comment, ...]:
        """The `# gpu-lint:` comments outside of scalars; looked for at the first use."""
        if self._comments is None and self.text is not None:
            from . import comments  # noqa: PLC0415

            self._comments = comments.find(self.text, lambda: (document.root for document in self.documents))
        return self._comments or ()


def read(data: bytes, name: str = "", *, is_json: bool | None = None) -> Reading:
    """Read a file: `.json` names JSON, and what begins with `{` is tried as JSON first, as kubectl does.

    `is_json` says what it is where that is known.
    """
    try:
        text = Text(data)
    except ReadError as error:
        reading = Reading(name, None)
        reading.errors = (error,)
        return reading
    reading = Reading(name, text)
    if is_json is None and name.endswith(".json"):
        is_json = True
    if is_json or (is_json is None and text.text.lstrip()[:1] == "{"):
        _fill(reading, text, _json_documents(text), is_json=True)
    if not is_json and (reading.errors or not reading.documents):
        _fill(reading, text, _yaml_documents(text), is_json=False)
    return reading


def _fill(reading: Reading, text: Text, found: Iterator[ParsedDocument], *, is_json: bool) -> None:
    """Sort what was found into documents, errors and templates."""
    documents: list[Document] = []
    errors: list[ReadError] = []
    previous_end = 0
    reading.skipped = None
    for index, built in enumerate(found):
        if not built.problems:
            documents.append(Document(text, index, built, previous_end, is_json=is_json))
        elif text.text.find("{{", built.start, built.end) >= 0:
            reading.skipped, reading.documents, reading.errors = "template", (), ()
            return
        else:
            errors.extend(_error(text, problem) for problem in built.problems)
        if len(errors) > MAX_ERRORS:
            errors[MAX_ERRORS:] = [ReadError("more errors follow; the rest of the file was not read")]
            break
        previous_end = built.end
    reading.documents, reading.errors = tuple(documents), tuple(errors)


def _json_documents(text: Text) -> Iterator[ParsedDocument]:
    from . import json_positions  # noqa: PLC0415 - a run over YAML files does not pay for json

    end = 0
    try:
        for built in json_positions.build(text.text):
            yield built
            end = built.end
    except YamlError as problem:
        yield ParsedDocument(end, end, len(text.text), None, [problem])


def _yaml_documents(text: Text) -> Iterator[ParsedDocument]:
    """Yield the documents of a YAML stream, and from the first broken one on each read by itself, as kubectl does."""
    budget = Budget()
    end = 0
    try:
        for built in yaml_loader.build(text.data, budget):
            yield built
            end = built.end
    except LimitExceededError as problem:
        yield ParsedDocument(end, end, len(text.text), None, [problem])
    except YamlError as problem:
        yield from _one_by_one(text.text, end, problem, budget)


def _one_by_one(text: str, start: int, problem: YamlError, budget: Budget) -> Iterator[ParsedDocument]:
    """Yield the documents behind `start`, where the reading of the stream stopped for a problem."""
    separators = [match.start() for match in re.compile(_SEPARATOR).finditer(text, start)]
    for begin, end in pairwise([start, *separators, len(text)]):
        if begin == start and begin <= problem.index < end:
            yield ParsedDocument(begin, begin, end, None, [problem])
            continue
        try:
            for built in yaml_loader.build(text[begin:end].encode(), budget):
                yield built.moved(begin)
        except YamlError as another:
            yield ParsedDocument(0, 0, end - begin, None, [another]).moved(begin)
            if isinstance(another, LimitExceededError):
                return


def _error(text: Text, problem: YamlError) -> ReadError:
    message = problem.message
    if problem.first is not None:
        message += f", first on line {text.place(problem.first)[0]}"
    return text.error(message, problem.index)


def _origin(value: Any) -> str | None:
    """Return the path in the annotation that kustomize writes with `buildMetadata: [originAnnotations]`."""
    for key in ("metadata", "annotations", _ORIGIN):
        value = value.get(key) if isinstance(value, dict) else None
    found = re.search(_PATH, value) if isinstance(value, str) else None
    return found[1] if found else None
