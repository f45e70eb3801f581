"""What to do next with our certificates: a pure decision over what is stored, published and the time.

A CA is replaced so that what is served verifies at every moment::

    make the next CA -> publish old + new -> read that back, let it settle -> sign with the new one
                     -> when the old one's last certificate has expired: drop it

Each arrow is one step and each step one write, so a crash between any two, or another replica that
does the same, changes nothing: the next decision starts from what is stored.

Clocks may be wrong. What a wrong clock causes is undone, or harmless, once it is corrected: each CA is valid from the
start of its predecessor's validity and each certificate from the start of its CA's, a CA that was replaced because it
was not valid by the clock is kept and restored, and durations (`seen_for`) are monotonic.

Where the published bundles cannot be read (no webhook configuration was named, or access is denied), the next CA waits
until the old one is about to expire: ca.crt may have been copied by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from .authority import BACKDATED, CA_LIFE, LEAF_LIFE, KeyPair, is_authority, is_valid, issued, made_at
from .bundle import Bundle, merge, unexpired
from .subject_alt_names import Name, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from .certificate_set import CertificateSet

RENEWED_AT = 2 / 3  # of a life
JITTER = 1 / 20  # of a life, earlier: replicas do not renew in the same second
LAST_MOMENT = timedelta(hours=1)  # before the end: clocks differ


class RotationStep(Enum):
    """One step; `WAIT` means that none is due."""

    CREATE = auto()  # nothing stored, or no CA that is valid now: a new CA and certificate
    RESTORE = auto()  # a CA that was displaced while the clock was wrong is valid again: sign with it
    REISSUE = auto()  # no certificate, or one that clients would reject
    PUBLISH = auto()  # a published bundle lacks a CA of ours, or holds a dropped or expired one
    PROMOTE = auto()  # the next CA is trusted everywhere: sign with it, retire the old one
    RENEW = auto()  # two thirds of the certificate's life are over
    STAGE = auto()  # two thirds of the CA's life are over: make the next one
    DROP = auto()  # the last certificate of a retired CA has expired
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """Lifetimes, and the names that certificates are valid for.

    jitter   0 to 1, drawn once per replica: how much before two thirds of a lifetime it renews
    settles  how long a published bundle takes to reach every API server once it was read back
    """

    names: tuple[Name, ...]
    jitter: float = 0.0
    leaf_life: timedelta = LEAF_LIFE
    ca_life: timedelta = CA_LIFE
    settles: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PublishedBundle:
    """A bundle as it was read back from where clients find it.

    bundle    None when it could not be read
    seen_for  how long this process has seen the CA in it that is to sign next; None if it does not contain it
    """

    bundle: Bundle | None
    seen_for: timedelta | None = None


def decide(
    stored: CertificateSet | None, published: Sequence[PublishedBundle], at: datetime, plan: RotationPlan
) -> RotationStep:
    """Choose the next step. Performing it and deciding again leads to `WAIT` in a few rounds."""
    if stored is None:
        return RotationStep.CREATE
    if not is_valid(stored.authority.certificate, at):
        if _comes_back(stored, at):
            return RotationStep.RESTORE
        return RotationStep.PROMOTE if _is_usable(stored.successor, at) else RotationStep.CREATE
    if not _is_served(stored, at, plan):
        return RotationStep.REISSUE
    found = [one.bundle for one in published if one.bundle is not None]
    if any(wanted(stored.trusted, stored.dropped, bundle, at) != bundle for bundle in found):
        return RotationStep.PUBLISH
    return _decide_renewal(stored, published, at, plan)


def _decide_renewal(
    stored: CertificateSet, published: Sequence[PublishedBundle], at: datetime, plan: RotationPlan
) -> RotationStep:
    assert stored.leaf is not None  # noqa: S101 - for the type checker, `_is_served` saw it
    authority = stored.authority.certificate
    if stored.displaced is not None and _comes_back(stored, at) and _is_settled(stored.displaced, published, plan):
        return RotationStep.RESTORE
    if stored.successor is not None and _may_promote(stored, published, at, plan):
        return RotationStep.PROMOTE
    gains = stored.leaf.certificate.not_valid_after_utc < authority.not_valid_after_utc
    if gains and at >= due(stored.leaf.certificate, plan.jitter):
        return RotationStep.RENEW
    if stored.successor is None and at >= due(authority, plan.jitter):
        return RotationStep.STAGE
    if droppable(stored, at):
        return RotationStep.DROP
    return RotationStep.WAIT


def next_signer(stored: CertificateSet | None, at: datetime) -> x509.Certificate | None:
    """Return the CA that is to sign once every API server trusts it: one to be restored, or the next one."""
    if stored is None:
        return None
    coming = stored.displaced if _comes_back(stored, at) else stored.successor
    return None if coming is None else coming.certificate


def due(certificate: x509.Certificate, jitter: float) -> datetime:
    """Return when a certificate is to be replaced: at two thirds of its lifetime, or up to a twentieth before.

    Its lifetime begins when it was made, not at its notBefore.
    """
    end = certificate.not_valid_after_utc
    made = min(made_at(certificate), end)
    return made + (end - made) * (RENEWED_AT - JITTER * jitter)


def wanted(trusted: Bundle, dropped: Bundle, found: Bundle, at: datetime) -> Bundle:
    """Return what a published bundle should contain, given what it contains.

    Certificates of others, or unknown to us, stay until they expire: another replica or an earlier
    installation may serve from them, and a bundle with too many CAs breaks no client. Only what we dropped
    ourselves is removed.
    """
    kept = unexpired(tuple(one for one in found if one not in dropped), at)
    alive = unexpired(trusted, at)
    return kept if set(alive) <= set(kept) else merge(alive, kept)


def _comes_back(stored: CertificateSet, at: datetime) -> bool:
    """Return whether the displaced CA is to be restored, because the clock was wrong when it was displaced.

    It is valid again: either it was not when the present CA was made, or the clock has been set back since then.
    """
    displaced, leaf = stored.displaced, stored.leaf
    if displaced is None or not is_valid(displaced.certificate, at):
        return False
    put_back = leaf is not None and at + BACKDATED < made_at(leaf.certificate)
    return put_back or not is_valid(displaced.certificate, made_at(stored.authority.certificate))


def _is_served(stored: CertificateSet, at: datetime, plan: RotationPlan) -> bool:
    """Return whether clients would accept the stored certificate: valid, from a trusted CA, all names."""
    leaf: KeyPair | None = stored.leaf
    return (
        leaf is not None
        and is_valid(leaf.certificate, at)
        and any(issued(leaf.certificate, one) for one in unexpired(stored.trusted, at))
        and set(plan.names) <= set(names_of(leaf.certificate))
    )


def _may_promote(
    stored: CertificateSet, published: Sequence[PublishedBundle], at: datetime, plan: RotationPlan
) -> bool:
    assert stored.successor is not None  # noqa: S101 - for the type checker, the caller looked
    end = stored.authority.certificate.not_valid_after_utc
    if not is_valid(stored.successor.certificate, at):
        return False
    if not published:
        return at >= end - plan.leaf_life
    return at >= end - LAST_MOMENT or _is_settled(stored.successor, published, plan)


def _is_settled(authority: KeyPair, published: Sequence[PublishedBundle], plan: RotationPlan) -> bool:
    """Return whether every API server must trust a CA by now; True where nothing is published."""
    return all(
        one.bundle is not None
        and authority.certificate in one.bundle
        and one.seen_for is not None
        and one.seen_for >= plan.settles
        for one in published
    )


def _is_usable(authority: KeyPair | None, at: datetime) -> bool:
    return authority is not None and is_valid(authority.certificate, at)


def droppable(stored: CertificateSet, at: datetime) -> Bundle:
    """Find retired CAs none of whose certificates can still be in use."""
    leaves = [one for one in unexpired(stored.old, at) if not is_authority(one)]
    if stored.leaf is not None:
        leaves.append(stored.leaf.certificate)
    return tuple(
        one for one in stored.retired if at > one.not_valid_after_utc or not any(issued(leaf, one) for leaf in leaves)
    )
