"""Reading small files and replacing files, for every package that reads or writes files.

One reader that no FIFO, device or endless file can block, and one atomic writer. The text of a `FileReadError` is the
reason alone: the caller has the path, and raises an error of its own.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SMALL_FILE: Final = 1 << 20  # bytes; no certificate, policy or ConfigMap is larger


class FileReadError(Exception):
    """A file that cannot be read; the message is the reason, without the path."""


class FileChangedError(OSError):
    """The file no longer holds what was read."""


def read_small_file(path: str | os.PathLike[str], limit: int = SMALL_FILE) -> bytes:
    """Read a regular file, through symbolic links; a FIFO or device never blocks.

    Raises FileReadError: missing, not allowed, not a regular file, or larger than `limit` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise FileReadError("is a directory" if stat.S_ISDIR(mode) else "not a regular file")
            data = _read(descriptor, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileReadError(explain(error)) from None
    except ValueError:  # a path that holds a null byte
        raise FileReadError("not a valid path") from None
    if len(data) > limit:
        raise FileReadError(f"larger than {limit >> 20} MiB")
    return data


def _read(descriptor: int, limit: int) -> bytes:
    data = b""
    while len(data) <= limit and (more := os.read(descriptor, limit + 1)):
        data += more
    return data


def explain(error: OSError) -> str:
    """Return the system's reason in lower case."""
    if error.errno == errno.ELOOP:
        return "a symbolic link loop"
    return (error.strerror or "cannot be read").lower()


def write_atomically(
    path: str | os.PathLike[str],
    data: bytes,
    expected: bytes | None = None,
    *,
    mode: int | None = None,
    follow: bool = True,
) -> None:
    """Replace or create a file: readers see all of the old bytes or all of the new ones, also after a crash.

    Permissions stay, and so does the owner where we may set it; `mode` sets them regardless. A symbolic link stays one:
    its target is written; without `follow` the link itself is replaced (for folders where others may create links).
    With `expected`, the file must still contain those bytes.
    Raises FileChangedError where it does not, and OSError where it cannot be written.
    """
    target = os.path.realpath(path) if follow else os.path.abspath(path)
    before = _status(target) if follow else None
    if expected is not None:
        _check_unchanged(path, target, expected)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
    descriptor = _create(temporary, mode)
    try:
        _fill(descriptor, data, before, mode)
        os.replace(temporary, target)
    except BaseException:
        _discard(temporary)
        raise


def _create(path: str, mode: int | None) -> int:
    """Create a file and return its descriptor; without a mode the umask decides, as for every other program."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else mode)


def _fill(descriptor: int, data: bytes, before: os.stat_result | None, mode: int | None) -> None:
    with os.fdopen(descriptor, "wb") as file:
        _copy_permissions(descriptor, before, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _status(target: str) -> os.stat_result | None:
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _check_unchanged(path: str | os.PathLike[str], target: str, expected: bytes) -> None:
    with open(target, "rb") as file:
        if file.read() != expected:
            raise FileChangedError(f"{os.fspath(path)} has changed since it was read")


def _copy_permissions(descriptor: int, before: os.stat_result | None, mode: int | None) -> None:
    """Give a new file the owner and permissions of the one that it replaces."""
    if before is not None:
        import contextlib  # noqa: PLC0415 - start-up time of gpu-lint: needed only to write a file

        with contextlib.suppress(OSError):  # only root may change the owner
            os.fchown(descriptor, before.st_uid, before.st_gid)
        mode = before.st_mode & 0o7777 if mode is None else mode
    if mode is not None:
        os.fchmod(descriptor, mode)


def _discard(path: str) -> None:
    import contextlib  # noqa: PLC0415 - start-up time of gpu-lint: needed only to write a file

    with contextlib.suppress(OSError):
        os.unlink(path)
