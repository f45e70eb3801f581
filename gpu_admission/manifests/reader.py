"""Bytes of a file -> the documents that Kubernetes would read in it, and the errors of the others.

    reading = read(path.read_bytes(), "deploy.yaml")
    for document in reading.documents:
        judge(document.object)
        document.position(("spec", "containers", 0, "resources"))

`read` never raises, for any bytes. YAML is parsed by libyaml, JSON by the json module; positions are computed on
demand, document by document.
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
# The separator by which kubectl splits a file into documents before it parses them.
_SEPARATOR: Final = r"(?m)^---(?=[ \t\r\n]|$)"


@record
class Position:
    """A position: lines and columns from 1, columns in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def __repr__(self) -> str:
        return f"Position({self.line}:{self.column}-{self.end_line}:{self.end_column})"


class Document:
    """One document of a file: `object` is plain dicts, lists, strings, numbers, booleans and None.

    `index` counts all documents of the file from 0, empty and invalid ones too. `start` and `end` are the span of its
    text in `text.text`, in code points; `is_json` is whether that is JSON.
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
        """The document as a tree of nodes with their positions; built at the first use."""
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
        """The file that this was rendered from, if helm (`# Source:`) or kustomize (an annotation) recorded it."""
        start, end = self._source_from
        found = re.findall(_SOURCE, self.text.text[start:end])
        return found[-1] if found else _origin(self.object)

    def position(self, pointer: Pointer) -> Position:
        """Return the position of the key that the pointer refers to, or of the list item, or for () of the document.

        Aliases and merge keys are followed to where the key is written. What does not exist has the position of its
        nearest ancestor. The region ends on its first line.
        """
        from .yaml_nodes import walk  # noqa: PLC0415 - start-up time: needed only for findings

        place = walk(self.root, pointer)[-1].place
        line, column = self.text.place(place.start)
        # One line only: code hosts drop annotations that span lines outside of a change.
        rest = self.text.line(line)[column - 1 :].rstrip()
        return Position(line, column, line, column + max(min(len(rest), place.end - place.start), 1))

    def line_text(self, line: int) -> str:
        """Return a line of the file, counted from 1, without its end."""
        return self.text.line(line)


class Reading:
    """The content of a file. `skipped` is "template" for a Go template that is not valid YAML, else None.

    `errors` are those of the whole file: a document with one is not among `documents`, the others are.
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
    """Read a file: `.json` is JSON, and what begins with `{` is tried as JSON first, as by kubectl.

    `is_json` is the format where that is known.
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
    """Divide the results into documents, errors and templates."""
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
    from . import json_positions  # noqa: PLC0415 - start-up time: needed only for JSON files

    end = 0
    try:
        for built in json_positions.build(text.text):
            yield built
            end = built.end
    except YamlError as problem:
        yield ParsedDocument(end, end, len(text.text), None, [problem])


def _yaml_documents(text: Text) -> Iterator[ParsedDocument]:
    """Yield the documents of a YAML stream, and from the first invalid one on each parsed separately, as by kubectl."""
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
    """Yield the documents after `start`, where the stream had an error."""
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
