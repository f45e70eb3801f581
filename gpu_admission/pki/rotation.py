"""What to do next with our certificates: a pure decision over what is stored, published and the time.

A CA is replaced without an instant in which something served does not verify::

    make the next CA -> publish old + new -> read that back, let it settle -> sign with the new one
                     -> when the old one's last certificate has expired: drop it

Each arrow is one step and each step one write, so a crash between any two, or another replica that
does the same, changes nothing: the next decision starts from what is stored.

Where nobody lets us look at what is published (no webhook configuration was named, or it cannot be
read), the new CA waits as long as the old one lasts: people copy ca.crt by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from gpu_admission.pki.authority import (
    BACKDATED,
    CA_LIFE,
    LEAF_LIFE,
    KeyPair,
    create_authority,
    is_authority,
    is_valid,
    issue_leaf,
    issued,
)
from gpu_admission.pki.bundle import Bundle, merge, unexpired
from gpu_admission.pki.material import Material
from gpu_admission.pki.names import Name, merged, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

RENEWED_AT = 2 / 3  # of a life
JITTER = 1 / 20  # of a life, earlier: replicas do not renew in the same second
LAST_MOMENT = timedelta(hours=1)  # before the end: clocks differ


class Step(Enum):
    """One thing to do; `WAIT` is none."""

    CREATE = auto()  # nothing stored, or a CA that is of no use any more: a new CA and certificate
    REISSUE = auto()  # no certificate, or one that nobody would accept
    PUBLISH = auto()  # a published bundle lacks a CA of ours, or holds a dropped or expired one
    PROMOTE = auto()  # the next CA is trusted everywhere: sign with it, retire the old one
    RENEW = auto()  # two thirds of the certificate's life are over
    STAGE = auto()  # two thirds of the CA's life are over: make the next one
    DROP = auto()  # the last certificate of a retired CA has expired
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Plan:
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
class Published:
    """A bundle as it was read back from where clients find it.

    bundle   None when it could not be read
    since    when this process first saw the next CA in it; None if it does not hold that
    """

    bundle: Bundle | None
    since: datetime | None = None


def decide(stored: Material | None, published: Sequence[Published], at: datetime, plan: Plan) -> Step:
    """Choose the next step. Doing it and deciding again leads to `WAIT` in a few rounds."""
    if stored is None:
        return Step.CREATE
    if at > stored.authority.certificate.not_valid_after_utc:
        successor = stored.successor
        usable = successor is not None and is_valid(successor.certificate, at)
        return Step.PROMOTE if usable else Step.CREATE
    if not is_valid(stored.authority.certificate, at):
        return Step.WAIT  # our clock is behind the one that made it: nothing we signed would be better
    if not _is_served(stored, at, plan):
        return Step.REISSUE
    found = [one.bundle for one in published if one.bundle is not None]
    if any(wanted(stored.trusted, stored.dropped, bundle, at) != bundle for bundle in found):
        return Step.PUBLISH
    return _decide_renewal(stored, published, at, plan)


def _decide_renewal(stored: Material, published: Sequence[Published], at: datetime, plan: Plan) -> Step:
    assert stored.leaf is not None  # noqa: S101 - for the type checker, `_is_served` saw it
    authority = stored.authority.certificate
    if stored.successor is not None and _may_promote(stored, published, at, plan):
        return Step.PROMOTE
    gains = stored.leaf.certificate.not_valid_after_utc < authority.not_valid_after_utc
    if gains and at >= due(stored.leaf.certificate, plan.jitter):
        return Step.RENEW
    if stored.successor is None and at >= due(authority, plan.jitter):
        return Step.STAGE
    if _droppable(stored, at):
        return Step.DROP
    return Step.WAIT


def due(certificate: x509.Certificate, jitter: float) -> datetime:
    """When a certificate is to be replaced: at two thirds of its life, or up to a twentieth before.

    Its life begins when it was made, not at the backdated start: one made for a minute lasts that.
    """
    end = certificate.not_valid_after_utc
    made = min(certificate.not_valid_before_utc + BACKDATED, end)
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


def perform(step: Step, stored: Material | None, at: datetime, plan: Plan) -> Material:
    """Carry a step out on the stored material (`PUBLISH` and `WAIT` change none).

    Keys and serial numbers come from the system's randomness; all else is a function of the arguments.
    """
    if stored is None or step is Step.CREATE:
        return _create(stored, at, plan)
    if step in {Step.REISSUE, Step.RENEW}:
        return _replace_leaf(stored, at, plan, prolong=step is Step.REISSUE)
    if step is Step.STAGE:
        return replace(stored, successor=create_authority(at, plan.ca_life))
    if step is Step.PROMOTE and stored.successor is not None:
        retired = merge((stored.authority.certificate,), stored.retired)
        promoted = replace(stored, authority=stored.successor, successor=None, retired=retired)
        return _replace_leaf(promoted, at, plan, prolong=True)
    if step is Step.DROP:
        out = _droppable(stored, at)
        kept = tuple(one for one in stored.retired if one not in out)
        return replace(stored, retired=kept, old=_pruned(merge(stored.old, out), at))
    return stored


def bring_up(stored: Material | None, at: datetime, plan: Plan) -> Material:
    """Take every step that needs nobody's consent; returns the same object when there is none.

    A next CA signs only if the old one is dead already: whether it is published is not known here.
    """
    while True:
        step = decide(stored, (), at, plan)
        dead = stored is not None and at > stored.authority.certificate.not_valid_after_utc
        if stored is not None and step in {Step.WAIT, Step.PROMOTE} and not (dead and step is Step.PROMOTE):
            return stored
        stored = perform(step, stored, at, plan)


def _create(stored: Material | None, at: datetime, plan: Plan) -> Material:
    authority = create_authority(at, plan.ca_life)
    leaf = issue_leaf(authority, plan.names, at, plan.leaf_life)
    return Material(authority, leaf, old=_pruned(stored.old, at) if stored else ())


def _replace_leaf(stored: Material, at: datetime, plan: Plan, *, prolong: bool) -> Material:
    """Sign a new certificate; with `prolong`, for the names of the present one too.

    Replicas of two releases may want different names while one replaces the other: the union keeps
    them from taking turns.
    """
    present = () if stored.leaf is None else (stored.leaf.certificate,)
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


def _is_served(stored: Material, at: datetime, plan: Plan) -> bool:
    """Tell whether the stored certificate would be accepted: valid, from a trusted CA, all names."""
    leaf: KeyPair | None = stored.leaf
    return (
        leaf is not None
        and is_valid(leaf.certificate, at)
        and any(issued(leaf.certificate, one) for one in unexpired(stored.trusted, at))
        and set(plan.names) <= set(names_of(leaf.certificate))
    )


def _may_promote(stored: Material, published: Sequence[Published], at: datetime, plan: Plan) -> bool:
    assert stored.successor is not None  # noqa: S101 - for the type checker, the caller looked
    end = stored.authority.certificate.not_valid_after_utc
    if not is_valid(stored.successor.certificate, at):
        return False
    if not published:
        return at >= end - plan.leaf_life
    if at >= end - LAST_MOMENT:
        return True
    return all(
        one.bundle is not None
        and stored.successor.certificate in one.bundle
        and one.since is not None
        and at >= one.since + plan.settles
        for one in published
    )


def _droppable(stored: Material, at: datetime) -> Bundle:
    """Find retired CAs none of whose certificates can still be in use."""
    leaves = [one for one in unexpired(stored.old, at) if not is_authority(one)]
    if stored.leaf is not None:
        leaves.append(stored.leaf.certificate)
    return tuple(
        one for one in stored.retired if at > one.not_valid_after_utc or not any(issued(leaf, one) for leaf in leaves)
    )
