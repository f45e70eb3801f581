"""GPUPolicy objects as files of a private directory, written by the process that watches them for the webhook workers.

One file for each object (``NAME.json``, without anything that changes while the policy does not), and an index that is
replaced last, atomically: a reader sees one state of the cluster or the next. A directory without an index is a new
one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re

from gpu_admission.safe_files import FileReadError, explain, read_small_file, write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

INDEX: Final = "index"  # not the name of an object's file: those end in .json
_SMALL_INDEX: Final = 8 << 20  # bytes; an entry has about 300
_LARGEST: Final = 1 << 20  # bytes of one policy: safe_files.SMALL_FILE
MOST_BYTES: Final = 16 << 20  # of all policies: the directory is in memory, and every replica has several copies
# Valid names of objects: anything else could be a path.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class ObjectEntry:
    """An entry of the index: the object's ``name``, and whether some version of it ``was_active`` in any replica."""

    __slots__ = ("name", "was_active")

    def __init__(self, name: str, *, was_active: bool) -> None:
        self.name = name
        self.was_active = was_active


class Index:
    """The content of a directory: entries in the order of their names, None before the first list.

    ``problem`` is the reason why they cannot be listed or watched at present; empty where they can.
    """

    __slots__ = ("entries", "problem")

    def __init__(self, entries: tuple[ObjectEntry, ...] | None = None, problem: str = "") -> None:
        self.entries = entries
        self.problem = problem


def path_of(directory: str, name: str) -> str:
    """Return the path of an object's file."""
    return os.path.join(directory, f"{name}.json")


def index_path(directory: str) -> str:
    """Return the path of the index."""
    return os.path.join(directory, INDEX)


def read_index(directory: str) -> Index:
    """Return the index of a directory; an empty one where it is missing or cannot be read."""
    try:
        found = json.loads(read_small_file(index_path(directory), _SMALL_INDEX))
        entries = found["entries"]
        return Index(
            None if entries is None else tuple(ObjectEntry(name, was_active=active) for name, active in entries),
            found["problem"],
        )
    except (FileReadError, ValueError, KeyError, TypeError):
        return Index()


def content(obj: Mapping[str, Any]) -> bytes:
    """Return the stored part of an object: without status and labels, changes of which are not new versions."""
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kept = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": {"name": name}}
    return json.dumps({**kept, **({"spec": obj["spec"]} if "spec" in obj else {})}, sort_keys=True).encode()


def read_object(directory: str, name: str) -> Any:
    """Return the object of a file. Raises ValueError, whose message is the reason."""
    try:
        return json.loads(read_small_file(path_of(directory, name)))
    except FileReadError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


class ObjectWriter:
    """Writes the files of a directory. Files of an earlier process stay until they are replaced."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._files: dict[str, bytes] = {}
        self._index = read_index(directory)
        self._written = b""

    def refusal(self, name: str, data: bytes, total: int) -> str:
        """Return the reason why an object is not stored, or ''; ``total`` is the size of those before it in bytes."""
        if not _NAME.fullmatch(name) or name == INDEX:
            return f"metadata.name: {name[:64]!r} is not a valid name of an object"
        if len(data) > _LARGEST:
            return f"the object is larger than {_LARGEST >> 20} MiB"
        if total + len(data) > MOST_BYTES:
            return f"all policies together are larger than {MOST_BYTES >> 20} MiB"
        return ""

    def write(self, objects: Mapping[str, bytes | None], active: Iterable[str], problem: str) -> None:
        """Replace the content of the directory; ``active`` names objects of which a version was active in any replica.

        An object that is None keeps its file. Raises OSError where a file cannot be written; the next call tries again.
        """
        for name, data in objects.items():
            if data is not None and self._files.get(name) != data:
                write_atomically(path_of(self._directory, name), data, mode=0o600)
                self._files[name] = data
        known = frozenset(active)
        self._index = Index(tuple(ObjectEntry(name, was_active=name in known) for name in sorted(objects)), problem)
        self._write_index()
        for name in [name for name in self._files if name not in objects]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path_of(self._directory, name))
            del self._files[name]

    def write_problem(self, problem: str) -> None:
        """Store the reason why objects cannot be listed or watched, without changing them. Raises OSError."""
        self._index = Index(self._index.entries, problem)
        self._write_index()

    def _write_index(self) -> None:
        entries = self._index.entries
        rows = None if entries is None else [[entry.name, entry.was_active] for entry in entries]
        data = json.dumps({"entries": rows, "problem": self._index.problem}).encode()
        if data != self._written:
            write_atomically(index_path(self._directory), data, mode=0o600)
            self._written = data


def reason(error: OSError) -> str:
    """Return the reason of a failed write, in a few words."""
    return explain(error)
