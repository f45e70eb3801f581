"""Which files are read, and reading them without ever blocking on a FIFO or device."""

from __future__ import annotations

import errno
import os
import stat
import sys

from gpu_admission.core.record import record
from gpu_admission.manifests.text import MAX_BYTES
from gpu_admission.safe_files import FileReadError, read_small_file

from .paths import printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .globs import Patterns

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "<stdin>"
_REPOSITORIES = frozenset({".git", ".hg", ".svn"})
# The shell's paths for `gpu-lint <(helm template …)`: a pipe, but one that was passed on purpose.
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


class UnreadableInputError(Exception):
    """An input that cannot be read, in one line."""


class Input:
    """A file to read, or standard input (``path`` is None). ``name`` is how it is printed, ``size`` in bytes."""

    __slots__ = ("key", "name", "path", "size")

    def __init__(self, name: str, path: str | None, size: int = 0, key: str | None = None) -> None:
        self.name = name
        self.path = path
        self.size = size
        self.key = key or ("-" if path is None else os.path.realpath(path))

    @property
    def relative(self) -> str:
        """The path relative to the working directory, for code hosts; it may contain surrogate escapes."""
        if self.path is None:
            return self.name.strip("<>")
        return os.path.relpath(self.path) if os.path.isabs(self.path) or ".." in self.path else self.path

    def read(self) -> bytes:
        """Return the content, at most one byte more than the reader accepts.

        Raises UnreadableInputError.
        """
        try:
            return _standard_input() if self.path is None else _content(self.path)
        except OSError as error:
            raise UnreadableInputError(explained(error)) from error


@record
class FoundInput:
    """The inputs, sorted by name, and those that cannot be read, with the reason."""

    inputs: list[Input]
    broken: list[tuple[Input, str]]


def explained(error: OSError) -> str:
    """Return the message for a system error."""
    if error.errno == errno.ELOOP:
        return "is a symbolic link loop"
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise UnreadableInputError("standard input is closed")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _content(path: str) -> bytes:
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    passed = path.startswith(_DESCRIPTORS)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if passed else os.O_NONBLOCK))
    with open(descriptor, "rb", buffering=0, closefd=True) as file:
        status = os.fstat(descriptor)
        if not passed:
            _check_kind(status.st_mode)
        parts, remaining = [], MAX_BYTES + 1
        while remaining and (part := file.read(min(remaining, max(status.st_size + 1, 1 << 16)))):
            parts.append(part)
            remaining -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_kind(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
        raise UnreadableInputError(f"is {kind}, not a file")


class Walker:
    """Lists the inputs under paths: each file once, also where several paths lead to it."""

    def __init__(self, *, exclude: Patterns | None, folder: str, use_gitignore: bool, stdin_name: str) -> None:
        self._exclude = exclude
        self._folder = folder
        self._use_gitignore = use_gitignore
        self._stdin_name = stdin_name
        self._seen: set[str] = set()
        self._inputs: list[Input] = []
        self._broken: list[tuple[Input, str]] = []

    def find(self, paths: list[str]) -> FoundInput:
        """Return every input under the paths. A file given as a path is read regardless of its suffix."""
        for path in paths:
            if path == "-":
                if "-" not in self._seen:
                    self._seen.add("-")
                    self._inputs.append(Input(self._stdin_name, None))
            elif os.path.isdir(path):
                self._directory(path, Ignored.above(path) if self._use_gitignore else None)
            elif not self._excluded(path):
                self._file(path)
        self._inputs.sort(key=lambda found: found.name)
        return FoundInput(self._inputs, self._broken)

    def _excluded(self, path: str) -> bool:
        if self._exclude is None:
            return False
        relative = os.path.relpath(path, self._folder)
        return self._exclude.covers(relative.removeprefix("../").replace(os.sep, "/"))

    def _file(self, path: str, key: str | None = None) -> None:
        shown = path.removeprefix("./") or path
        if "\0" in path:
            self._broken.append(
                (Input(printed(shown), shown, key=path), "contains a NUL character, which is not valid in a path")
            )
            return
        found = Input(printed(shown), shown, key=key)
        try:
            status = os.stat(path)
            if not path.startswith(_DESCRIPTORS):
                _check_kind(status.st_mode)
        except (OSError, UnreadableInputError) as error:
            value = explained(error) if isinstance(error, OSError) else str(error)
            if isinstance(error, FileNotFoundError):
                value = "is a broken symbolic link" if os.path.islink(path) else "does not exist"
            self._broken.append((found, value))
            return
        if found.key not in self._seen:
            self._seen.add(found.key)
            found.size = status.st_size
            self._inputs.append(found)

    def _directory(self, start: str, ignored: Ignored | None) -> None:
        waiting: list[tuple[str, Ignored | None, tuple[str, ...]]] = [(start, ignored, ())]
        while waiting:
            path, ignored, above = waiting.pop()
            real = os.path.realpath(path)
            if real in above:
                self._broken.append((Input(printed(path), path), "is a symbolic link loop"))
            elif real not in self._seen:
                self._seen.add(real)
                waiting += self._entries(path, real, ignored, (*above, real))

    def _entries(
        self, path: str, real: str, ignored: Ignored | None, above: tuple[str, ...]
    ) -> Iterator[tuple[str, Ignored | None, tuple[str, ...]]]:
        """List the files of a directory, and yield the directories in it."""
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._broken.append((Input(printed(path), path), explained(error)))
            return
        if ignored is not None and any(entry.name == ".gitignore" for entry in entries):
            ignored = ignored.with_folder(os.path.abspath(path))
        for entry in entries:
            is_directory = _is_directory(entry)
            inside = os.path.join(path, entry.name).removeprefix("./")
            if not is_directory and not entry.name.endswith(SUFFIXES):
                continue
            if self._is_left_out(inside, ignored, is_directory=is_directory):
                continue
            if not is_directory:
                self._file(inside, None if entry.is_symlink() else os.path.join(real, entry.name))
            elif entry.name not in _REPOSITORIES:
                yield inside, ignored, above

    def _is_left_out(self, path: str, ignored: Ignored | None, *, is_directory: bool) -> bool:
        if ignored is not None and ignored.ignores(path, is_directory=is_directory):
            return True
        return self._excluded(path) or (is_directory and self._excluded_directory(path))

    def _excluded_directory(self, path: str) -> bool:
        return self._exclude is not None and bool(
            self._exclude.verdict(os.path.relpath(path, self._folder).replace(os.sep, "/"), is_directory=True)
        )


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link loop, which is reported when it is read
        return False


class Ignored:
    """The ``.gitignore`` files that apply to a directory, the nearest first."""

    __slots__ = ("_files",)

    def __init__(self, files: tuple[tuple[str, Patterns], ...] = ()) -> None:
        self._files = files

    @classmethod
    def above(cls, path: str) -> Ignored:
        """Return the files of the directories above a path, up to the repository's root."""
        folder = os.path.abspath(path)
        above = []
        while not os.path.exists(os.path.join(folder, ".git")):
            parent = os.path.dirname(folder)
            if parent == folder:
                return cls()  # not in a repository
            folder = parent
            above.append(folder)
        made = cls(_files_of(folder, os.path.join(".git", "info", "exclude")))
        for parent in reversed(above):
            made = made.with_folder(parent)
        return made

    def with_folder(self, folder: str) -> Ignored:
        """Return these files and the ``.gitignore`` of a folder."""
        return Ignored((*_files_of(folder, ".gitignore"), *self._files))

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        """Return whether git ignores a path."""
        if not self._files:
            return False
        absolute = os.path.abspath(path)
        for folder, patterns in self._files:
            relative = absolute[len(folder) :].lstrip(os.sep)
            value = patterns.verdict(relative.replace(os.sep, "/"), is_directory=is_directory)
            if value is not None:
                return value
        return False


def _files_of(folder: str, name: str) -> tuple[tuple[str, Patterns], ...]:
    try:
        data = read_small_file(os.path.join(folder, name))
    except FileReadError:
        return ()
    from .globs import Patterns  # noqa: PLC0415 - start-up time: needed only with such a file

    return ((folder, Patterns(data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"))),)
