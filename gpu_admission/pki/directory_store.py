"""A certificate set kept in a directory: the embedded default of ``gpu-admission serve``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .atomic_directory import is_tidy, locked, read_directory, write_directory
from .authority import certificate_pem, key_pem
from .certificate_set import CA_CRT, TLS_CRT, TLS_KEY, CertificateSet, StoredSet, from_files, to_files
from .errors import CertificateSetError, ConflictError, PkiError
from .rotation import RotationPlan
from .rotation_steps import bring_up
from .serving_pair import ServingPair, check_pair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from .subject_alt_names import Name


class DirectoryStore:
    """A `CertificateStore` in a directory; a lock file decides between processes."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def files(self) -> dict[str, bytes]:
        """Read the files as they are, also those of others."""
        return read_directory(self.path).files

    def version(self) -> str:
        """Return the version of what is there."""
        return read_directory(self.path).version

    def read(self) -> StoredSet:
        """Read what is there; nothing where there is no directory."""
        snapshot = read_directory(self.path)
        return StoredSet(_parsed(self.path, snapshot.files), snapshot.version)

    def write(self, certificates: CertificateSet, version: str | None) -> None:
        """Replace all files at once, unless another process has since `version` was read."""
        with locked(self.path):
            if version is not None and read_directory(self.path).version != version:
                raise ConflictError(f"{self.path}: changed meanwhile")
            write_directory(self.path, to_files(certificates))


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve, and the paths of its files."""

    ca_crt: Path
    tls_crt: Path
    tls_key: Path
    pair: ServingPair


def ensure(directory: Path, names: Sequence[Name], at: datetime, *, jitter: float = 0.0) -> Serving:
    """Make what is missing or due in a directory of ours, and return what to serve.

    Makes the directory (0700) if there is none. What is valid stays unchanged, so that restarts and
    several processes agree. Raises PkiError (one line for the user): the directory cannot be
    written, contains a certificate that is not ours, or a CA without its key.
    """
    plan = RotationPlan(tuple(names), jitter)
    with locked(directory):
        snapshot = read_directory(directory)
        certificates = _parsed(directory, snapshot.files)
        brought_up = bring_up(certificates, at, plan)
        if brought_up is not certificates or not is_tidy(directory, snapshot.files):
            write_directory(directory, to_files(brought_up))
    return serving(directory, brought_up, at)


def serving(directory: Path, certificates: CertificateSet, at: datetime) -> Serving:
    """Return the stored certificate as something to serve. Raises PairError when it is not valid now."""
    paths = (directory / CA_CRT, directory / TLS_CRT, directory / TLS_KEY)
    return Serving(*paths, pair=pair_of(certificates, at, (str(paths[1]), str(paths[2]))))


def pair_of(
    certificates: CertificateSet, at: datetime, where: tuple[str, str] = ("the certificate", "the key")
) -> ServingPair:
    """Return the stored certificate and key, checked. Raises PairError."""
    if certificates.leaf is None:
        raise CertificateSetError("there is no serving certificate")
    return check_pair(certificate_pem(certificates.leaf.certificate), key_pem(certificates.leaf.key), at, where=where)


def mirror(directory: Path, certificates: CertificateSet) -> bool:
    """Copy what a server presents, and no CA's key, into another directory.

    Returns whether anything changed. Raises StoreError.
    """
    files = {name: data for name, data in to_files(certificates).items() if name in {CA_CRT, TLS_CRT, TLS_KEY}}
    with locked(directory):
        if read_directory(directory).files == files:
            return False
        write_directory(directory, files)
    return True


def _parsed(directory: Path, files: dict[str, bytes]) -> CertificateSet | None:
    try:
        return from_files(files)
    except PkiError as error:
        raise type(error)(f"{directory}: {error}") from None
