"""Material kept in a directory: the embedded default of ``gpu-admission serve``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_admission.pki.authority import certificate_pem, key_pem
from gpu_admission.pki.errors import ConflictError, MaterialError, PkiError
from gpu_admission.pki.folder import is_tidy, locked, read_folder, write_folder
from gpu_admission.pki.material import CA_CRT, TLS_CRT, TLS_KEY, Material, from_files, to_files
from gpu_admission.pki.pair import Pair, check_pair
from gpu_admission.pki.rotation import Plan, bring_up
from gpu_admission.pki.store import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from gpu_admission.pki.names import Name


class DirectoryStore:
    """A `Store` in a directory; a lock file decides between processes."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def files(self) -> dict[str, bytes]:
        """Read the files as they are, whoever made them."""
        return read_folder(self.path).files

    def read(self) -> Stored:
        """Read what is there; nothing where there is no directory."""
        snapshot = read_folder(self.path)
        return Stored(_parsed(self.path, snapshot.files), snapshot.version)

    def write(self, material: Material, version: str | None) -> None:
        """Replace all files at once, unless somebody else has since `version` was read."""
        with locked(self.path):
            if version is not None and read_folder(self.path).version != version:
                raise ConflictError(f"{self.path}: changed meanwhile")
            write_folder(self.path, to_files(material))


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve, and where it lies."""

    ca_crt: Path
    tls_crt: Path
    tls_key: Path
    pair: Pair


def ensure(directory: Path, names: Sequence[Name], at: datetime, *, jitter: float = 0.0) -> Serving:
    """Make what is missing or due in a directory of ours, and return what to serve.

    Makes the directory (0700) if there is none. What is good stays untouched, so that restarts and
    several processes agree. Raises PkiError (one line for the user): the directory cannot be
    written, holds somebody else's certificate, or a CA that has lost its key.
    """
    plan = Plan(tuple(names), jitter)
    with locked(directory):
        snapshot = read_folder(directory)
        material = _parsed(directory, snapshot.files)
        brought_up = bring_up(material, at, plan)
        if brought_up is not material or not is_tidy(directory, snapshot.files):
            write_folder(directory, to_files(brought_up))
    return serving(directory, brought_up, at)


def serving(directory: Path, material: Material, at: datetime) -> Serving:
    """Return the stored certificate as something to serve. Raises PairError when it is not valid now."""
    paths = (directory / CA_CRT, directory / TLS_CRT, directory / TLS_KEY)
    return Serving(*paths, pair=pair_of(material, at, (str(paths[1]), str(paths[2]))))


def pair_of(material: Material, at: datetime, where: tuple[str, str] = ("the certificate", "the key")) -> Pair:
    """Return the stored certificate and key, checked. Raises PairError."""
    if material.leaf is None:
        raise MaterialError("there is no serving certificate")
    return check_pair(certificate_pem(material.leaf.certificate), key_pem(material.leaf.key), at, where=where)


def mirror(directory: Path, material: Material) -> bool:
    """Put what a server presents, and no key of a CA, into a directory of its own.

    Returns whether anything changed. Raises StoreError.
    """
    files = {name: data for name, data in to_files(material).items() if name in {CA_CRT, TLS_CRT, TLS_KEY}}
    with locked(directory):
        if read_folder(directory).files == files:
            return False
        write_folder(directory, files)
    return True


def _parsed(directory: Path, files: dict[str, bytes]) -> Material | None:
    try:
        return from_files(files)
    except PkiError as error:
        raise type(error)(f"{directory}: {error}") from None
