"""Known findings: a file that lists them without line numbers, so that it stays valid after edits."""

from __future__ import annotations

import json
import os

from gpu_admission.reports import fingerprints
from gpu_admission.safe_files import FileReadError, read_small_file

from .paths import UsageError, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gpu_admission.reports.report import LocatedFinding

    from .inputs import Input

VERSION = 1
_LARGEST = 64 << 20  # bytes
_FIELDS = ("rule", "file", "apiVersion", "kind", "namespace", "name", "pointer")


class Baseline:
    """The findings of a baseline file with their counts. Paths are relative to the file's folder."""

    __slots__ = ("_files", "counts", "folder")

    def __init__(self, folder: str, counts: dict[str, int], files: dict[str, str]) -> None:
        self.folder = folder
        self.counts = counts
        self._files = files

    def contains(self, located: LocatedFinding, source: Input, matched: dict[str, int]) -> bool:
        """Return whether the baseline contains a finding, counting in ``matched`` how often each was found."""
        key = _key(_parts(located, _path(source, self.folder)))
        if matched.get(key, 0) >= self.counts.get(key, 0):
            return False
        matched[key] = matched.get(key, 0) + 1
        return True

    def unmatched(self, matched: dict[str, int], inputs: Iterable[Input]) -> int:
        """Return how many entries for these inputs were not found."""
        read = {_path(source, self.folder) for source in inputs}
        return sum(count - matched.get(key, 0) for key, count in self.counts.items() if self._files[key] in read)


def _path(source: Input, folder: str) -> str:
    """Return the path of an input in a baseline in a folder."""
    if source.path is None:
        return source.name
    return printed(os.path.relpath(os.path.realpath(source.path), folder)).replace(os.sep, "/")


def _parts(located: LocatedFinding, path: str) -> tuple[str, ...]:
    # Rendered objects are identified by their template, because the stream has no file name.
    return fingerprints.parts(located, located.place.file if located.place.rendered_in else path)


def _key(parts: Iterable[str]) -> str:
    return fingerprints.digest(tuple(parts))


def load(path: str) -> Baseline:
    """Return the baseline in a file.

    Raises UsageError where it cannot be read or is not a baseline.
    """
    counts: dict[str, int] = {}
    files: dict[str, str] = {}
    for entry in _entries(path):
        key = _key(entry[field] or "" for field in _FIELDS)
        counts[key] = counts.get(key, 0) + entry.get("count", 1)
        files[key] = entry["file"] or ""
    return Baseline(_folder(path), counts, files)


def _entries(path: str) -> list[Any]:
    name = printed(path)
    try:
        value = json.loads(read_small_file(path, _LARGEST))
    except FileReadError as error:
        raise UsageError(f"{name}: the baseline cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: the baseline is not JSON: {error}") from error
    entries = value.get("findings") if isinstance(value, dict) and value.get("version") == VERSION else None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise UsageError(f"{name}: is not a baseline; create one with gpu-lint --write-baseline {name}")
    return entries


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("count", 1)) is not int:
        return False
    return all(field in value and isinstance(value[field], str | None) for field in _FIELDS)


def _folder(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def render(findings: Iterable[tuple[LocatedFinding, Input]], path: str) -> bytes:
    """Return the content of a baseline file for a path, with these findings, sorted."""
    folder = _folder(path)
    counts: dict[tuple[str, ...], int] = {}
    for located, source in findings:
        parts = _parts(located, _path(source, folder))
        counts[parts] = counts.get(parts, 0) + 1
    entries = [_entry(parts, counts[parts]) for parts in sorted(counts)]
    text = json.dumps({"version": VERSION, "findings": entries}, ensure_ascii=False, indent=1)
    return (text + "\n").encode("utf-8", "backslashreplace")


def _entry(parts: tuple[str, ...], count: int) -> dict[str, Any]:
    value: dict[str, Any] = dict(zip(_FIELDS, parts, strict=True))
    value["namespace"], value["name"] = value["namespace"] or None, value["name"] or None
    return value if count == 1 else {**value, "count": count}
