"""A bundle of trusted CA certificates, as in ``caBundle`` and ``ca.crt``.

A bundle is a tuple of certificates, each once, in a stable order. Parsing is as lenient as the API
server's (Go's `x509.CertPool.AppendCertsFromPEM`): text around the blocks, blocks of other kinds and
blocks that do not parse are ignored, so that both use the same certificates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography import x509

from .authority import certificate_pem, is_authority, is_valid, issued

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

Bundle = tuple[x509.Certificate, ...]

LARGEST = 1 << 20  # bytes; etcd takes 1.5 MiB for a whole object
MOST = 256  # certificates considered: a bound on time, far beyond any real bundle
LONGEST_CHAIN = 8
BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class BundleState:
    """What a target contains: a bundle for each webhook, none where the object does not exist.

    blank: whether each is empty (no bytes): the API server then trusts its host's CAs, which we cannot see.
    """

    bundles: tuple[Bundle, ...]
    blank: tuple[bool, ...]
    version: str


class CaBundleTarget(Protocol):
    """Where clients find the bundle, such as a webhook configuration. Its str names it."""

    def version(self) -> str:
        """Return the version that `read` would give, at little cost. Raises StoreError."""

    def read(self) -> BundleState:
        """Read what is there. Raises StoreError."""

    def write(self, bundles: Sequence[Bundle], version: str) -> None:
        """Replace what `read` saw. Raises ConflictError, StoreError."""


def parse_bundle(data: bytes) -> Bundle:
    """Read every certificate that parses; an empty tuple where there is none or over 1 MiB."""
    if len(data) > LARGEST:
        return ()
    found = []
    for match in BLOCK.finditer(data):
        try:
            found.append(x509.load_pem_x509_certificate(match.group()))
        except ValueError:
            continue
        if len(found) == MOST:
            break
    return merge(found)


def dump_bundle(bundle: Bundle) -> bytes:
    """Write a bundle as PEM, nothing but the blocks."""
    return certificate_pem(*bundle)


def merge(*groups: Iterable[x509.Certificate]) -> Bundle:
    """Join certificates in order, each once."""
    return tuple(dict.fromkeys(certificate for group in groups for certificate in group))


def unexpired(bundle: Bundle, at: datetime) -> Bundle:
    """Leave out what has expired. What is not valid yet stays: it may be the next CA of another replica."""
    return tuple(one for one in bundle if at <= one.not_valid_after_utc)


def verifies(bundle: Bundle, chain: Sequence[x509.Certificate], at: datetime) -> bool:
    """Return whether a served chain leads to the bundle, every certificate on the way valid at a time.

    The chain is the served certificate, then any intermediates in any order. Names are not
    checked. This follows Go's `x509.Certificate.Verify`: a leaf that is itself in the bundle is trusted,
    and any certificate in the bundle is an anchor, self-signed or not.
    """
    if not chain or not is_valid(chain[0], at):
        return False
    reached, seen = [chain[0]], {chain[0]}
    for _ in range(LONGEST_CHAIN):
        if any(certificate in bundle or _signed_by(certificate, bundle, at) for certificate in reached):
            return True
        reached = [
            candidate
            for candidate in chain[1:MOST]
            if candidate not in seen and any(_signed_by(child, (candidate,), at) for child in reached)
        ]
        seen.update(reached)
    return False


def _signed_by(certificate: x509.Certificate, issuers: Iterable[x509.Certificate], at: datetime) -> bool:
    """Return whether one of the issuers, valid and a CA, signed a certificate."""
    return any(is_valid(issuer, at) and is_authority(issuer) and issued(certificate, issuer) for issuer in issuers)
