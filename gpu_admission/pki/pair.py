"""A certificate chain and its private key, checked as the TLS library will check them.

The check happens on a scratch SSLContext, so that a running one never sees half of a bad pair.
"""

from __future__ import annotations

import errno
import os
import ssl
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gpu_admission.pki.authority import describe_validity, fingerprint, is_authority, is_valid
from gpu_admission.pki.bundle import BLOCK
from gpu_admission.pki.errors import PairError
from gpu_admission.pki.names import Name, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

# What OpenSSL says of a key of another certificate; the last, when it is of another type as well.
MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
LARGEST_FILE = 1 << 20  # bytes; a chain of ten RSA certificates is 20 KB


@dataclass(frozen=True, slots=True)
class Pair:
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
        """Start of the time in which the leaf is valid, UTC."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """End of the time in which the leaf is valid, UTC."""
        return self.certificate.not_valid_after_utc

    @property
    def names(self) -> tuple[Name, ...]:
        """DNS names and IP addresses the leaf is valid for."""
        return names_of(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, hex."""
        return fingerprint(self.certificate)

    @property
    def key_type(self) -> str:
        """``EC secp256r1``, ``RSA``, …: an SSLContext holds one pair for each type."""
        return key_type(self.certificate)

    def install(self, context: ssl.SSLContext) -> None:
        """Put the pair into a context, from memory: what is on disk by now does not matter.

        Connections already made keep what they have. Raises ssl.SSLError, and the context is then
        undefined: install only what `check_pair` has passed.
        """
        with _in_memory(self.key_pem + b"\n" + self.chain_pem) as path:
            context.load_cert_chain(path, password=_no_password)


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """Give bytes a path, which is all that load_cert_chain takes, without a key touching the disk."""
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


def load_pair(certificate: Path, key: Path, at: datetime, *, like: Pair | None = None) -> Pair:
    """Read and check a pair of PEM files. Raises PairError, which names the file and what is wrong."""
    return check_pair(
        read_small_file(certificate),
        read_small_file(key),
        at,
        like=like,
        where=(str(certificate), str(key)),
    )


def check_pair(
    chain_pem: bytes,
    key_pem: bytes,
    at: datetime,
    *,
    like: Pair | None = None,
    where: tuple[str, str] = ("the certificate", "the key"),
) -> Pair:
    """Check a pair in memory; `where` is what messages call its two halves. Raises PairError."""
    chain = _parse_chain(chain_pem, where[0])
    pair = Pair(chain, chain_pem, key_pem)
    if is_authority(chain[0]) and len(chain) > 1:
        raise PairError(f"{where[0]}: the serving certificate must come first, a CA certificate does")
    if not is_valid(chain[0], at):
        raise PairError(f"{where[0]}: {describe_validity(chain[0], at)}")
    if like is not None and pair.key_type != like.key_type:
        raise PairError(
            f"{where[0]}: its key is {pair.key_type}, the one in use {like.key_type}; another type takes a restart"
        )
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


def _try_out(pair: Pair, where: tuple[str, str]) -> None:
    if not pair.key_pem.strip():
        raise PairError(f"{where[1]}: empty")
    if b"PRIVATE KEY-----" not in pair.key_pem:
        raise PairError(f"{where[1]}: no PEM private key in it")
    if b"ENCRYPTED" in pair.key_pem:
        raise PairError(f"{where[1]}: the key is encrypted, and a server has nobody to ask")
    try:
        pair.install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    except ssl.SSLError as error:
        if error.reason in MISMATCHES:
            raise PairError(f"{where[1]}: the key does not belong to {where[0]}") from None
        # The library's reason names the fault (too weak, unreadable), never the key.
        raise PairError(f"{where[1]}: TLS refuses the pair: {error.reason or 'unreadable'}") from None


def _no_password() -> bytes:
    """Answer for an encrypted key, instead of a prompt on the terminal that blocks the server."""
    return b""


def key_type(certificate: x509.Certificate) -> str:
    """Name a certificate's type of key as an SSLContext tells types apart."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__.strip("_")


def read_small_file(path: Path) -> bytes:
    """Read a regular file of at most 1 MiB, through symlinks; a FIFO or device never blocks us.

    Raises PairError with the path and the reason.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PairError(f"{path}: not a file")
            data = _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise PairError(f"{path}: {_reason(error)}") from None
    if len(data) > LARGEST_FILE:
        raise PairError(f"{path}: larger than 1 MiB, no certificate or key is")
    return data


def _read(descriptor: int) -> bytes:
    data = b""
    while len(data) <= LARGEST_FILE and (more := os.read(descriptor, LARGEST_FILE + 1)):
        data += more
    return data


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a loop of symbolic links"
    return (error.strerror or "cannot be read").lower()
