"""A certificate chain and its private key, checked as the TLS library will check them.

The check uses a temporary SSLContext, so that the one in use never receives half of a bad pair.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography import x509

from gpu_admission.safe_files import FileReadError, read_small_file

from .authority import describe_validity, fingerprint, is_authority, is_valid
from .bundle import BLOCK
from .errors import PairError
from .subject_alt_names import Name, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

# OpenSSL's reasons for a key of another certificate; the last, when it is of another type as well.
MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


@dataclass(frozen=True, slots=True)
class ServingPair:
    """What a server presents: a chain (leaf first) and the leaf's key. Its repr shows no key."""

    chain: tuple[x509.Certificate, ...]
    chain_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf."""
        return self.chain[0]

    @property
    def not_before(self) -> datetime:
        """Start of the leaf's validity, UTC."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """End of the leaf's validity, UTC."""
        return self.certificate.not_valid_after_utc

    @property
    def names(self) -> tuple[Name, ...]:
        """DNS names and IP addresses the leaf is valid for."""
        return names_of(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, hex."""
        return fingerprint(self.certificate)

    def install(self, context: ssl.SSLContext) -> None:
        """Load the pair into a context, from memory: the files may have changed since they were checked.

        Open connections keep their certificate. Raises ssl.SSLError, and the state of the context is then
        undefined: install only what `check_pair` has accepted.
        """
        with _in_memory(self.key_pem + b"\n" + self.chain_pem) as path:
            context.load_cert_chain(path, password=_no_password)


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """Give bytes a path, as load_cert_chain takes only paths, without writing a key to disk."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            stream.write(data)
            yield f"/proc/self/fd/{descriptor}"
        return
    with TemporaryDirectory(prefix="gpu-admission-") as folder:  # not Linux: a directory of mode 0700
        path = Path(folder, "pair.pem")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        yield str(path)


def load_pair(certificate: Path, key: Path, at: datetime) -> ServingPair:
    """Read and check a pair of PEM files. Raises PairError, which names the file and the fault."""
    return check_pair(
        read_pem_file(certificate),
        read_pem_file(key),
        at,
        where=(str(certificate), str(key)),
    )


def check_pair(
    chain_pem: bytes,
    key_pem: bytes,
    at: datetime,
    *,
    where: tuple[str, str] = ("the certificate", "the key"),
) -> ServingPair:
    """Check a pair in memory; `where` names its two halves in messages. Raises PairError."""
    chain = _parse_chain(chain_pem, where[0])
    pair = ServingPair(chain, chain_pem, key_pem)
    if is_authority(chain[0]) and len(chain) > 1:
        raise PairError(f"{where[0]}: the serving certificate must come first, but a CA certificate does")
    if not is_valid(chain[0], at):
        raise PairError(f"{where[0]}: {describe_validity(chain[0], at)}")
    _try_out(pair, where)
    return pair


def _parse_chain(chain_pem: bytes, where: str) -> tuple[x509.Certificate, ...]:
    if not chain_pem.strip():
        raise PairError(f"{where}: empty")
    blocks = BLOCK.findall(chain_pem)
    if not blocks:
        hint = ", it looks like DER" if chain_pem.startswith(b"\x30") else ""
        raise PairError(f"{where}: no PEM certificate in it{hint}")
    try:
        return tuple(x509.load_pem_x509_certificate(block) for block in blocks)
    except ValueError:
        raise PairError(f"{where}: a certificate in it cannot be read") from None


def _try_out(pair: ServingPair, where: tuple[str, str]) -> None:
    if not pair.key_pem.strip():
        raise PairError(f"{where[1]}: empty")
    if b"PRIVATE KEY-----" not in pair.key_pem:
        raise PairError(f"{where[1]}: no PEM private key in it")
    if b"ENCRYPTED" in pair.key_pem:
        raise PairError(f"{where[1]}: the key is encrypted, and a server cannot prompt for its passphrase")
    try:
        pair.install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    except ssl.SSLError as error:
        if error.reason in MISMATCHES:
            raise PairError(f"{where[1]}: the key does not belong to {where[0]}") from None
        # The library's reason names the fault (too weak, unreadable), never the key.
        raise PairError(f"{where[1]}: TLS refuses the pair: {error.reason or 'unreadable'}") from None


def _no_password() -> bytes:
    """Return an empty password: without one, OpenSSL would prompt on the terminal and block the server."""
    return b""


def read_pem_file(path: Path) -> bytes:
    """Read a file of at most 1 MiB. Raises PairError with the path and the reason."""
    try:
        return read_small_file(path)
    except FileReadError as error:
        raise PairError(f"{path}: {error}") from None
