"""A directory whose files change all at once, laid out as the kubelet lays out a mounted Secret.

``DIR/tls.crt`` is a symbolic link to ``..data/tls.crt``, and ``..data`` one to a directory that is
never changed once it is linked. Swapping ``..data`` is one rename, so no reader and no crash ever
sees a certificate beside another one's key. The directory before the present one is kept for
processes that are still reading it.

A copy that followed the links (``cp -rL``, some backups) holds plain files and a plain directory ``..data``: the
files count, and the first write turns them into links again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .certificate_set import FILES, KEYS
from .errors import PairError, StoreError
from .serving_pair import read_pem_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

DATA = "..data"
VERSION = re.compile(r"\.\.v-[0-9a-f]{16}")
PATIENCE = (100, 0.1)  # tries and seconds between them: a writer holds the lock for milliseconds


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files read at one instant, and a version that differs after every write."""

    files: dict[str, bytes]
    version: str

    def __repr__(self) -> str:
        """Show names only: contents are keys."""
        return f"Snapshot({sorted(self.files)}, {self.version!r})"


def read_directory(directory: Path) -> Snapshot:
    """Read the files of `FILES` that exist, all of one version; none where there is no directory.

    A plain file in place of a link counts instead of the file linked. Raises StoreError for what exists
    and cannot be read.
    """
    for _ in range(10):
        version = _current(directory)
        try:
            files = {name: data for name in FILES if (data := _read(directory, version, name)) is not None}
        except PairError as error:
            if _current(directory) == version:
                raise StoreError(str(error)) from None
            continue  # swapped twice while we read, so that what we read was removed
        if _current(directory) == version:
            return Snapshot(files, f"{version}:{_digest(files)}")
    raise StoreError(f"{directory}: keeps changing while it is read")


def write_directory(directory: Path, files: Mapping[str, bytes]) -> None:
    """Replace all files at once; names of `FILES` that are not given are removed.

    Keys have mode 0600 regardless of the umask; the directory, if it is made here, 0700. Call it under
    `locked`. Raises StoreError.
    """
    before, version = _current(directory), f"..v-{secrets.token_hex(8)}"
    try:
        _write_version(directory / version, files)
        _set_aside(directory / DATA)
        _relink(directory, DATA, version)
        _link_files(directory, files)
        _sync(directory)
        for entry in directory.iterdir():
            if VERSION.fullmatch(entry.name) and entry.name not in {version, before}:
                shutil.rmtree(entry, ignore_errors=True)
    except OSError as error:
        if _current(directory) != version:
            shutil.rmtree(directory / version, ignore_errors=True)
        raise StoreError(_describe(directory, error)) from None


def _set_aside(data: Path) -> None:
    """Rename a directory ``..data`` (of a copy) so that the link can be made; it is removed with the old versions."""
    if data.is_dir() and not data.is_symlink():
        data.rename(data.with_name(f"..v-{secrets.token_hex(8)}"))


def is_tidy(directory: Path, names: Iterable[str]) -> bool:
    """Return whether a directory has all the links of `write_directory`, none deleted or replaced."""
    return bool(_current(directory)) and all(_is_link(directory, name) for name in names)


def _link_files(directory: Path, names: Iterable[str]) -> None:
    for name in FILES:
        if name not in names:
            (directory / name).unlink(missing_ok=True)
        elif not _is_link(directory, name):
            _relink(directory, name, f"{DATA}/{name}")


def _is_link(directory: Path, name: str) -> bool:
    path = directory / name
    return path.is_symlink() and str(path.readlink()) == f"{DATA}/{name}"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, making the directory if needed.

    Waits up to ten seconds for another process. Raises StoreError.
    """
    try:
        _make_private(directory)
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)  # a strict umask removes bits, and the next process could not open it
    except OSError as error:
        raise StoreError(_describe(directory, error)) from None
    try:
        _acquire(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, directory: Path) -> None:
    tries, pause = PATIENCE
    for _ in range(tries):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        except OSError as error:
            raise StoreError(_describe(directory, error)) from None
        else:
            return
    raise StoreError(f"{directory}: another process holds its lock")


def _make_private(directory: Path) -> None:
    if directory.is_dir():
        return  # its mode is its owner's decision: an emptyDir is 0777, and keys are 0600 anyway
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise NotADirectoryError(20, "not a directory", str(directory)) from None
    else:
        directory.chmod(0o700)  # a strict umask removes bits


def _write_version(path: Path, files: Mapping[str, bytes]) -> None:
    path.mkdir(mode=0o700)
    path.chmod(0o700)
    for name, data in files.items():
        mode = 0o600 if name in KEYS else 0o644
        descriptor = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
    _sync(path)


def _relink(directory: Path, name: str, target: str) -> None:
    """Make a name a link to a target, in one rename."""
    fresh = directory / f"..link-{secrets.token_hex(8)}"
    fresh.symlink_to(target)
    try:
        fresh.replace(directory / name)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _current(directory: Path) -> str:
    """Return the name of the version that ``..data`` links to; empty when there is none."""
    try:
        target = str((directory / DATA).readlink())
    except OSError:
        return ""
    return target if VERSION.fullmatch(target) else ""


def _read(directory: Path, version: str, name: str) -> bytes | None:
    path = directory / name
    if version and (path.is_symlink() or not path.exists()):
        path = directory / version / name
    if not os.path.lexists(path):
        return None
    data = read_pem_file(path)
    if name in KEYS and _owner(path) not in {0, os.geteuid()} and os.geteuid() != 0:
        # In a directory that others may write, another user's key is known to that user.
        raise PairError(f"{path}: belongs to another user")
    return data


def _owner(path: Path) -> int:
    """Return the user ID of a file's owner; raises PairError where its version was removed since it was read."""
    try:
        return path.stat().st_uid
    except OSError as error:
        raise PairError(f"{path}: {(error.strerror or 'failed').lower()}") from None


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()


def _describe(directory: Path, error: OSError) -> str:
    return f"{error.filename or directory}: {(error.strerror or 'failed').lower()}"
