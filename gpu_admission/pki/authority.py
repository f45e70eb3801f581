"""A certificate authority and the serving certificates it signs.

EC P-256 throughout: a new TLS connection costs 0.6-3 ms of CPU with it and several times that with
RSA. Extensions are those that RFC 5280 requires, so that Go's crypto/x509 (the API server), OpenSSL
with ``-x509_strict`` and Python 3.13's default context accept the chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import PkiError
from .subject_alt_names import Name, merged

if TYPE_CHECKING:
    from collections.abc import Iterable

ORGANIZATION = "gpu-admission"  # in the CA's subject: identifies our own
CA_LIFE = timedelta(days=365)
LEAF_LIFE = timedelta(days=30)
BACKDATED = timedelta(hours=1)  # clocks of nodes differ; a certificate must be valid on all of them at once
# The common name contains when a certificate was made: its notBefore is that of the first CA (see `issue_leaf`).
_MADE = re.compile(r" (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its private key. Its repr shows no key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def create_authority(at: datetime, life: timedelta = CA_LIFE, predecessor: x509.Certificate | None = None) -> KeyPair:
    """Make a self-signed CA that may sign leaves only.

    Its subject contains a part of its serial number: two CAs of one rotation never share a name, so
    no verifier has to try both keys. One that follows a `predecessor` is valid from the same moment,
    so that it stays valid when the clock by which it was made turns out to have been ahead.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    subject = _name(f"gpu-admission CA {serial & 0xFFFFFFFF:08x} {_stamp(at)}", ORGANIZATION)
    start, end = _period(at, life)
    if predecessor is not None:
        start = min(start, predecessor.not_valid_before_utc)
    builder = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject, serial_number=serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
    )
    return _sign(builder, key, key)


def issue_leaf(authority: KeyPair, names: Iterable[Name], at: datetime, life: timedelta = LEAF_LIFE) -> KeyPair:
    """Sign a new serving certificate, with a new key, that expires no later than its CA.

    It is valid from the start of the CA's validity: a clock that is ahead causes renewals, and those certificates
    must be valid for clients with the right time too. Raises PkiError without a name, or when the CA is not
    valid at that time.
    """
    subject_names = merged(names)
    if not subject_names:
        raise PkiError("a serving certificate needs at least one name")
    issuer = authority.certificate
    if not is_valid(issuer, at):
        raise PkiError(f"the CA is not valid now: {describe_validity(issuer, at)}")
    _, end = _period(at, life)
    builder = (
        x509.CertificateBuilder(issuer_name=issuer.subject, serial_number=x509.random_serial_number())
        # A service's DNS name may be longer than the 64 characters of a common name: SANs have it.
        .subject_name(_name(f"gpu-admission webhook {_stamp(at)}"))
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(min(end, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(subject_names), critical=False)
    )
    return _sign(builder, ec.generate_private_key(ec.SECP256R1()), authority.key)


def _name(common_name: str, *organization: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organization]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> KeyPair:
    """Add the public key and the identifiers of both keys, and sign."""
    subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    builder = builder.public_key(key.public_key())
    builder = builder.add_extension(subject_id, critical=False).add_extension(issuer_id, critical=False)
    return KeyPair(builder.sign(issuer, hashes.SHA256()), key)


def _period(at: datetime, life: timedelta) -> tuple[datetime, datetime]:
    if at.tzinfo is None:
        raise ValueError("the time has no time zone")
    now = at.replace(microsecond=0)  # X.509 counts whole seconds
    return now - BACKDATED, now + life


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def made_at(certificate: x509.Certificate) -> datetime:
    """Return when a certificate of ours was made, by the clock of the process that made it.

    Where its name does not contain that: an hour after its notBefore, or its end if that is earlier.
    """
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        found = _MADE.search(str(attribute.value))
        if found:
            try:
                return datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            except ValueError:
                break
    return min(certificate.not_valid_before_utc + BACKDATED, certificate.not_valid_after_utc)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate is a CA's, by its basic constraints."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def is_ours(certificate: x509.Certificate) -> bool:
    """Return whether a CA was made by `create_authority`, by the organization in its subject."""
    try:
        organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except ValueError:
        return False
    return [attribute.value for attribute in organizations] == [ORGANIZATION]


def is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    """Return whether a certificate is valid at a time; both ends are inclusive."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def describe_validity(certificate: x509.Certificate, at: datetime) -> str:
    """Describe a certificate's validity at a time: when it expired, begins or ends."""
    if at > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    if at < certificate.not_valid_before_utc:
        return f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
    return f"valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"


@lru_cache(maxsize=64)  # the same few certificates are compared every three seconds, and cannot change
def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether a certificate's issuer and signature are those of another's subject and key."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def matches(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    """Return whether a key is the certificate's."""
    return _public_bytes(certificate.public_key()) == _public_bytes(key.public_key())


def _public_bytes(key: object) -> bytes:
    encoding, public_format = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, public_format)  # type: ignore[attr-defined, no-any-return]


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Write certificates as PEM, in the order given."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key as unencrypted PKCS #8 PEM: for a file of mode 0600 or a Secret, never for a log."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
