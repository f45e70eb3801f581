"""What to do next with our certificates: a pure decision over what is stored, published and the time.

A CA is replaced without an instant in which something served does not verify::

    make the next CA -> publish old + new -> read that back, let it settle -> sign with the new one
                     -> when the old one's last certificate has expired: drop it

Each arrow is one step and each step one write, so a crash between any two, or another replica that
does the same, changes nothing: the next decision starts from what is stored.

Clocks are wrong at times. Whatever a wrong one makes us do is undone, or does no harm, once it is right: each CA is
valid from its predecessor's first moment and each certificate from its CA's, a CA that was replaced because the clock
said it is not valid is kept and comes back, and what must last a while (`seen_for`) is measured in time that passed.

Where nobody lets us look at what is published (no webhook configuration was named, or it cannot be
read), the new CA waits as long as the old one lasts: people copy ca.crt by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from .authority import (
    BACKDATED,
    CA_LIFE,
    LEAF_LIFE,
    KeyPair,
    create_authority,
    is_authority,
    is_valid,
    issue_leaf,
    issued,
    made_at,
)
from .bundle import Bundle, merge, unexpired
from .certificate_set import CertificateSet
from .subject_alt_names import Name, merged, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

RENEWED_AT = 2 / 3  # of a life
JITTER = 1 / 20  # of a life, earlier: replicas do not renew in the same second
LAST_MOMENT = timedelta(hours=1)  # before the end: clocks differ


class RotationStep(Enum):
    """One thing to do; `WAIT` is none."""

    CREATE = auto()  # nothing stored, or no CA that is valid now: a new CA and certificate
    RESTORE = auto()  # a CA that gave way to a wrong clock is valid again: sign with it
    REISSUE = auto()  # no certificate, or one that nobody would accept
    PUBLISH = auto()  # a published bundle lacks a CA of ours, or holds a dropped or expired one
    PROMOTE = auto()  # the next CA is trusted everywhere: sign with it, retire the old one
    RENEW = auto()  # two thirds of the certificate's life are over
    STAGE = auto()  # two thirds of the CA's life are over: make the next one
    DROP = auto()  # the last certificate of a retired CA has expired
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """How long things last and what certificates are valid for.

    jitter   0 to 1, drawn once a replica: how much before two thirds of a life it renews
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
    seen_for  how long this process has seen the CA in it that is to sign next; None if it does not hold that
    """

    bundle: Bundle | None
    seen_for: timedelta | None = None


def decide(
    stored: CertificateSet | None, published: Sequence[PublishedBundle], at: datetime, plan: RotationPlan
) -> RotationStep:
    """Choose the next step. Doing it and deciding again leads to `WAIT` in a few rounds."""
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
    if _droppable(stored, at):
        return RotationStep.DROP
    return RotationStep.WAIT


def next_signer(stored: CertificateSet | None, at: datetime) -> x509.Certificate | None:
    """Return the CA that is to sign once every API server knows it: one that comes back, or the next one."""
    if stored is None:
        return None
    coming = stored.displaced if _comes_back(stored, at) else stored.successor
    return None if coming is None else coming.certificate


def due(certificate: x509.Certificate, jitter: float) -> datetime:
    """When a certificate is to be replaced: at two thirds of its life, or up to a twentieth before.

    Its life begins when it was made, not at its notBefore: one made for a minute lasts that.
    """
    end = certificate.not_valid_after_utc
    made = min(made_at(certificate), end)
    return made + (end - made) * (RENEWED_AT - JITTER * jitter)


def wanted(trusted: Bundle, dropped: Bundle, found: Bundle, at: datetime) -> Bundle:
    """Say what a published bundle should hold, given what it holds.

    What is not ours, or not known to us, stays until it expires: another replica or an earlier
    installation may serve from it, and a bundle that holds too much never refuses anybody. Out goes
    only what we dropped ourselves.
    """
    kept = unexpired(tuple(one for one in found if one not in dropped), at)
    alive = unexpired(trusted, at)
    return kept if set(alive) <= set(kept) else merge(alive, kept)


def perform(step: RotationStep, stored: CertificateSet | None, at: datetime, plan: RotationPlan) -> CertificateSet:
    """Carry a step out on the stored certificates (`PUBLISH` and `WAIT` change none).

    Keys and serial numbers come from the system's randomness; all else is a function of the arguments.
    """
    if stored is None or step is RotationStep.CREATE:
        return _create(stored, at, plan)
    if step in {RotationStep.REISSUE, RotationStep.RENEW}:
        return _replace_leaf(stored, at, plan, prolong=step is RotationStep.REISSUE)
    if step is RotationStep.STAGE:
        return replace(stored, successor=create_authority(at, plan.ca_life, stored.authority.certificate))
    coming = {RotationStep.PROMOTE: stored.successor, RotationStep.RESTORE: stored.displaced}.get(step)
    if coming is not None:
        return _promote(stored, coming, at, plan)
    if step is RotationStep.DROP:
        out = _droppable(stored, at)
        kept = tuple(one for one in stored.retired if one not in out)
        return replace(stored, retired=kept, old=_pruned(merge(stored.old, out), at))
    return stored


def bring_up(stored: CertificateSet | None, at: datetime, plan: RotationPlan) -> CertificateSet:
    """Take every step that needs nobody's consent; returns the same object when there is none.

    A next CA signs only if the old one is dead already: whether it is published is not known here.
    """
    while True:
        step = decide(stored, (), at, plan)
        dead = stored is not None and not is_valid(stored.authority.certificate, at)
        if (
            stored is not None
            and step in {RotationStep.WAIT, RotationStep.PROMOTE}
            and not (dead and step is RotationStep.PROMOTE)
        ):
            return stored
        stored = perform(step, stored, at, plan)


def _create(stored: CertificateSet | None, at: datetime, plan: RotationPlan) -> CertificateSet:
    before = None if stored is None else stored.authority.certificate
    authority = create_authority(at, plan.ca_life, before)
    leaf = issue_leaf(authority, plan.names, at, plan.leaf_life)
    if stored is None:
        return CertificateSet(authority, leaf)
    displaced, old = _displaced(stored, at), merge(_leaf_of(stored), stored.old)
    return CertificateSet(authority, leaf, displaced=displaced, retired=stored.retired, old=_pruned(old, at))


def _promote(stored: CertificateSet, authority: KeyPair, at: datetime, plan: RotationPlan) -> CertificateSet:
    """Sign with another of our CAs; the key of the present one is kept only where just the clock ends its life."""
    present = replace(stored, displaced=None) if stored.displaced is authority else stored
    displaced = _displaced(present, at, near=plan.leaf_life)
    kept = None if displaced is None else displaced.certificate
    retired = tuple(one for one in merge((stored.authority.certificate,), stored.retired) if one != kept)
    successor = None if stored.successor is authority else stored.successor
    signed = replace(stored, authority=authority, successor=successor, displaced=displaced, retired=retired)
    return _replace_leaf(signed, at, plan, prolong=True)


def _displaced(stored: CertificateSet, at: datetime, near: timedelta = timedelta(0)) -> KeyPair | None:
    """Choose the CA that comes back when the clock turns out to have been wrong.

    That is the one that gave way first, as long as it is not seen to have expired; else the present one if it is not
    valid by this clock, or only for so long.
    """
    if stored.displaced is not None and at <= stored.displaced.certificate.not_valid_after_utc:
        return stored.displaced
    certificate = stored.authority.certificate
    valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc - near
    return None if valid else stored.authority


def _comes_back(stored: CertificateSet, at: datetime) -> bool:
    """Tell whether a CA gave way to a clock that was wrong, as is known by now.

    It is valid again: either it was not when the present CA was made, or the clock has been put back since then.
    """
    displaced, leaf = stored.displaced, stored.leaf
    if displaced is None or not is_valid(displaced.certificate, at):
        return False
    put_back = leaf is not None and at + BACKDATED < made_at(leaf.certificate)
    return put_back or not is_valid(displaced.certificate, made_at(stored.authority.certificate))


def _leaf_of(stored: CertificateSet) -> Bundle:
    return () if stored.leaf is None else (stored.leaf.certificate,)


def _replace_leaf(stored: CertificateSet, at: datetime, plan: RotationPlan, *, prolong: bool) -> CertificateSet:
    """Sign a new certificate; with `prolong`, for the names of the present one too.

    Replicas of two releases may want different names while one replaces the other: the union keeps
    them from taking turns.
    """
    present = _leaf_of(stored)
    names = merged(plan.names, *(names_of(one) for one in present if prolong))
    leaf = issue_leaf(stored.authority, names, at, plan.leaf_life)
    return replace(stored, leaf=leaf, old=_pruned(merge(present, stored.old), at))


def _pruned(old: Bundle, at: datetime) -> Bundle:
    """Keep of the old what still matters: CAs not yet expired, and of each CA's leaves the last."""
    kept: dict[bytes, x509.Certificate] = {}
    for one in unexpired(old, at):
        slot = _slot(one)
        if slot not in kept or one.not_valid_after_utc > kept[slot].not_valid_after_utc:
            kept[slot] = one
    return tuple(kept.values())


def _slot(certificate: x509.Certificate) -> bytes:
    own = certificate.subject if is_authority(certificate) else certificate.issuer
    return bytes([is_authority(certificate)]) + own.public_bytes()


def _is_served(stored: CertificateSet, at: datetime, plan: RotationPlan) -> bool:
    """Tell whether the stored certificate would be accepted: valid, from a trusted CA, all names."""
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
    """Tell whether every API server must know a CA by now; nothing published means that nobody has to."""
    return all(
        one.bundle is not None
        and authority.certificate in one.bundle
        and one.seen_for is not None
        and one.seen_for >= plan.settles
        for one in published
    )


def _is_usable(authority: KeyPair | None, at: datetime) -> bool:
    return authority is not None and is_valid(authority.certificate, at)


def _droppable(stored: CertificateSet, at: datetime) -> Bundle:
    """Find retired CAs none of whose certificates can still be in use."""
    leaves = [one for one in unexpired(stored.old, at) if not is_authority(one)]
    if stored.leaf is not None:
        leaves.append(stored.leaf.certificate)
    return tuple(
        one for one in stored.retired if at > one.not_valid_after_utc or not any(issued(leaf, one) for leaf in leaves)
    )
