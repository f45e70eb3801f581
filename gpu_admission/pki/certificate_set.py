"""Everything that is stored about our certificates, as one value and as files.

========== ====================================================================================
file       content (a key of a Secret's data, or a file in a directory)
========== ====================================================================================
ca.crt     what clients trust: the signing CA, then the next one, then retired ones
ca.key     key of the signing CA
ca-next.key  key of the next CA while one is being introduced
ca-displaced.key  key of a CA that was replaced because it was not valid by the clock; restored if it is
tls.crt    the serving certificate
tls.key    its key
old.crt    not trusted: the last replaced certificate of each CA (a retired CA is dropped when that
           has expired), and dropped CAs (publishers remove them from bundles) until they expire
========== ====================================================================================

The role of each certificate in ca.crt follows from the keys, not from the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .authority import KeyPair, certificate_pem, is_authority, is_ours, key_pem, matches
from .bundle import LARGEST, Bundle, merge, parse_bundle
from .errors import CertificateSetError, ForeignError

if TYPE_CHECKING:
    from collections.abc import Mapping

CA_CRT, CA_KEY, NEXT_KEY, DISPLACED_KEY = "ca.crt", "ca.key", "ca-next.key", "ca-displaced.key"
TLS_CRT, TLS_KEY, OLD_CRT = "tls.crt", "tls.key", "old.crt"
FILES = (CA_CRT, CA_KEY, NEXT_KEY, DISPLACED_KEY, TLS_CRT, TLS_KEY, OLD_CRT)
KEYS = frozenset({CA_KEY, NEXT_KEY, DISPLACED_KEY, TLS_KEY})


@dataclass(frozen=True, slots=True)
class CertificateSet:
    """Our CAs and our serving certificate. Its repr shows no key.

    authority  signs serving certificates
    successor  the next CA, already published, signing nothing yet
    displaced  a CA that was replaced because it was not valid by the clock of that moment, which may have been
               wrong: it is trusted, and signs again as soon as it is valid
    retired    CAs that no longer sign, trusted until their last certificate has expired
    leaf       what is served; None when it is missing or broken, and then made again
    old        replaced leaves and dropped CAs, not trusted
    """

    authority: KeyPair
    leaf: KeyPair | None = None
    successor: KeyPair | None = None
    displaced: KeyPair | None = None
    retired: Bundle = ()
    old: Bundle = ()

    @property
    def trusted(self) -> Bundle:
        """What clients must trust now, the signing CA first."""
        others = (one.certificate for one in (self.successor, self.displaced) if one is not None)
        return merge((self.authority.certificate,), others, self.retired)

    @property
    def dropped(self) -> Bundle:
        """CAs that were ours and should be in no bundle any more."""
        return tuple(one for one in self.old if is_authority(one) and one not in self.trusted)


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A certificate set as it was read; a write with its `version` fails if that has changed."""

    certificates: CertificateSet | None
    version: str


class CertificateStore(Protocol):
    """Where certificates are kept. Of several writers that read the same version, one succeeds."""

    def files(self) -> dict[str, bytes]:
        """Read the files of `FILES` as they are, also those of others. Raises StoreError."""

    def version(self) -> str:
        """Return the version that `read` would give, at little cost. Raises StoreError."""

    def read(self) -> StoredSet:
        """Read what is there. Raises StoreError, CertificateSetError, ForeignError."""

    def write(self, certificates: CertificateSet, version: str | None) -> None:
        """Replace what `read` saw, or any version with None. Raises ConflictError, StoreError."""


def to_files(certificates: CertificateSet) -> dict[str, bytes]:
    """Write certificates as the contents of its files; files that would be empty are left out."""
    files = {
        CA_CRT: certificate_pem(*certificates.trusted),
        CA_KEY: key_pem(certificates.authority.key),
    }
    if certificates.successor is not None:
        files[NEXT_KEY] = key_pem(certificates.successor.key)
    if certificates.displaced is not None:
        files[DISPLACED_KEY] = key_pem(certificates.displaced.key)
    if certificates.leaf is not None:
        files[TLS_CRT] = certificate_pem(certificates.leaf.certificate)
        files[TLS_KEY] = key_pem(certificates.leaf.key)
    if certificates.old:
        files[OLD_CRT] = certificate_pem(*certificates.old)
    return files


def from_files(files: Mapping[str, bytes]) -> CertificateSet | None:
    """Read certificates; None when there are none (no file, or only empty ones).

    Raises ForeignError when they were not made by gpu-admission, CertificateSetError when they were but the CA
    cannot be used. A serving certificate that is missing or broken is not an error: the CA can sign another.
    """
    files = {name: data for name, data in files.items() if data.strip()}
    if not any(name in files for name in FILES):
        return None
    trusted = _trusted(files)
    authority = _authority(files[CA_KEY], CA_KEY, trusted)
    successor = _authority(files[NEXT_KEY], NEXT_KEY, trusted) if NEXT_KEY in files else None
    displaced = _authority(files[DISPLACED_KEY], DISPLACED_KEY, trusted) if DISPLACED_KEY in files else None
    in_use = (authority, successor, displaced)
    return CertificateSet(
        authority=authority,
        leaf=_leaf(files),
        successor=successor,
        displaced=displaced,
        retired=tuple(one for one in trusted if all(ca is None or ca.certificate != one for ca in in_use)),
        old=parse_bundle(files.get(OLD_CRT, b"")),
    )


def _trusted(files: Mapping[str, bytes]) -> Bundle:
    """Return the CAs, once it is clear that they are ours and that there is a key to sign with."""
    for name, data in files.items():
        if len(data) > LARGEST:
            raise CertificateSetError(f"{name}: larger than 1 MiB")
    if CA_CRT not in files:
        raise ForeignError("there is a certificate or key here, but no ca.crt: not made by gpu-admission")
    trusted = parse_bundle(files[CA_CRT])
    if not trusted:
        raise CertificateSetError("ca.crt: no PEM certificate in it")
    if not all(is_ours(one) for one in trusted):
        raise ForeignError("ca.crt: this CA was not made by gpu-admission")
    if CA_KEY not in files:
        raise CertificateSetError("ca.key is missing: the CA in ca.crt cannot sign")
    return trusted


def _authority(data: bytes, name: str, trusted: Bundle) -> KeyPair:
    key = _key(data)
    if key is None:
        raise CertificateSetError(f"{name}: not an unencrypted EC private key in PEM")
    for certificate in trusted:
        if matches(certificate, key):
            return KeyPair(certificate, key)
    raise CertificateSetError(f"{name}: the key does not match any certificate in ca.crt")


def _leaf(files: Mapping[str, bytes]) -> KeyPair | None:
    chain = parse_bundle(files.get(TLS_CRT, b""))
    key = _key(files.get(TLS_KEY, b""))
    if not chain or key is None or not matches(chain[0], key):
        return None
    return KeyPair(chain[0], key)


def _key(data: bytes) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
