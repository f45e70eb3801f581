"""The steps of `rotation`, carried out on the stored certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from .authority import KeyPair, create_authority, is_authority, is_valid, issue_leaf
from .bundle import Bundle, merge, unexpired
from .certificate_set import CertificateSet
from .rotation import RotationPlan, RotationStep, decide, droppable
from .subject_alt_names import merged, names_of

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509


def perform(step: RotationStep, stored: CertificateSet | None, at: datetime, plan: RotationPlan) -> CertificateSet:
    """Return the certificates after a step (`PUBLISH` and `WAIT` change none).

    Keys and serial numbers are random; all else is a function of the arguments.
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
        out = droppable(stored, at)
        kept = tuple(one for one in stored.retired if one not in out)
        return replace(stored, retired=kept, old=_pruned(merge(stored.old, out), at))
    return stored


def bring_up(stored: CertificateSet | None, at: datetime, plan: RotationPlan) -> CertificateSet:
    """Take every step that does not depend on published bundles; return the same object when there is none.

    The next CA signs only if the old one is no longer valid: whether it is published is not known here.
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
    """Sign with another of our CAs; the key of the present one is kept only if it is invalid by the clock alone."""
    present = replace(stored, displaced=None) if stored.displaced is authority else stored
    displaced = _displaced(present, at, near=plan.leaf_life)
    kept = None if displaced is None else displaced.certificate
    retired = tuple(one for one in merge((stored.authority.certificate,), stored.retired) if one != kept)
    successor = None if stored.successor is authority else stored.successor
    signed = replace(stored, authority=authority, successor=successor, displaced=displaced, retired=retired)
    return _replace_leaf(signed, at, plan, prolong=True)


def _displaced(stored: CertificateSet, at: datetime, near: timedelta = timedelta(0)) -> KeyPair | None:
    """Choose the CA to restore if the clock turns out to have been wrong.

    That is the one displaced already, unless it has expired; else the present one if by this clock it is not valid, or
    ends within `near`.
    """
    if stored.displaced is not None and at <= stored.displaced.certificate.not_valid_after_utc:
        return stored.displaced
    certificate = stored.authority.certificate
    valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc - near
    return None if valid else stored.authority


def _leaf_of(stored: CertificateSet) -> Bundle:
    return () if stored.leaf is None else (stored.leaf.certificate,)


def _replace_leaf(stored: CertificateSet, at: datetime, plan: RotationPlan, *, prolong: bool) -> CertificateSet:
    """Sign a new certificate; with `prolong`, for the names of the present one too.

    Replicas of two releases may need different names during a rollout: with the union they do not overwrite each
    other's certificates.
    """
    present = _leaf_of(stored)
    names = merged(plan.names, *(names_of(one) for one in present if prolong))
    leaf = issue_leaf(stored.authority, names, at, plan.leaf_life)
    return replace(stored, leaf=leaf, old=_pruned(merge(present, stored.old), at))


def _pruned(old: Bundle, at: datetime) -> Bundle:
    """Keep the CAs not yet expired, and each CA's last leaf."""
    kept: dict[bytes, x509.Certificate] = {}
    for one in unexpired(old, at):
        slot = _slot(one)
        if slot not in kept or one.not_valid_after_utc > kept[slot].not_valid_after_utc:
            kept[slot] = one
    return tuple(kept.values())


def _slot(certificate: x509.Certificate) -> bytes:
    own = certificate.subject if is_authority(certificate) else certificate.issuer
    return bytes([is_authority(certificate)]) + own.public_bytes()
