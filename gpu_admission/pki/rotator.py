"""Keeps certificates valid: observe, decide, take one step, repeat.

One process of each replica runs it. Replicas need no leader: the first to write has taken the step, the others find it
taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .authority import fingerprint
from .directory_store import DirectoryStore, mirror
from .errors import ConflictError, PkiError
from .rotation import PublishedBundle, RotationPlan, RotationStep, decide, next_signer, wanted
from .rotation_steps import perform
from .trust_status import Event, has_changed, judge, observe, versions, write_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path
    from threading import Event as Flag

    from cryptography import x509

    from .bundle import BundleState, CaBundleTarget
    from .certificate_set import CertificateSet, CertificateStore, StoredSet
    from .trust_status import CertificateObserver

FIRST_RETRY = 1.0  # seconds; doubled after each consecutive failure
LOOK = 3.0  # seconds: while a caBundle is missing, calls fail
ROUNDS = 8  # three suffice from an empty store; the bound is for two writers that undo each other's changes

DONE = {
    RotationStep.CREATE: "made a new CA and serving certificate",
    RotationStep.RESTORE: "signed the serving certificate with a CA that was displaced while the clock was wrong",
    RotationStep.REISSUE: "issued a serving certificate in place of an unusable one",
    RotationStep.RENEW: "renewed the serving certificate",
    RotationStep.STAGE: "made the next CA, to be published before it signs anything",
    RotationStep.PROMOTE: "signed the serving certificate with the new CA",
    RotationStep.DROP: "dropped a CA whose last certificate has expired",
}


@dataclass(slots=True)
class _Observation:
    """What one step works on: the time, what the targets hold, and the events so far.

    usable  what `decide` may rely on; None where a target cannot be read or written
    seen    what was read of each target; None where it could not be read or has changed since
    """

    at: datetime
    usable: list[BundleState | None]
    seen: list[BundleState | None]
    events: list[Event]


class Rotator:
    """Takes the steps of `rotation` on a store, its targets and the serving directory.

    store         where the certificates are kept: a directory, or a Secret shared by replicas
    targets       where clients find the CA bundle; may be empty
    serving       the directory the server reads from: the store's own, or another that receives
                  tls.crt, tls.key and ca.crt, and never a CA's key
    monotonic     seconds of a monotonic clock, the same for all processes of the machine
    """

    def __init__(
        self,
        store: CertificateStore,
        plan: RotationPlan,
        *,
        targets: Sequence[CaBundleTarget] = (),
        serving: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._plan = plan
        self._targets = tuple(targets)
        self._serving = serving
        self._monotonic = monotonic
        self._since: dict[tuple[int, str], float] = {}
        self._versions: tuple[str, ...] = ()
        self.leaf: x509.Certificate | None = None  # what is served, None if not known

    def reconcile(self, at: datetime) -> list[Event]:
        """Take steps until none is due, or one fails. Raises no PkiError."""
        events: list[Event] = []
        for _ in range(ROUNDS):
            news = self.step(at)
            events += news
            if not news or any(event.failed for event in news):
                break
        return events

    def has_news(self) -> bool:
        """Return whether the store or a target has another version than `reconcile` saw; cheap.

        Every version is read, also before the first `reconcile`. False where one cannot be read: `reconcile` reports
        the error.
        """
        return has_changed(self._versions, (self._store, *self._targets))

    def step(self, at: datetime) -> list[Event]:
        """Take the next step and return what happened; nothing where no step is due.

        Errors of stores and targets are returned as failed events; what is served stays.
        """
        events: list[Event] = []
        # What is published is read before the store: a CA is stored before it is published, so no CA
        # that another replica has just published can look unknown to us.
        bundles = [observe(target, events) for target in self._targets]
        observed = _Observation(at, list(bundles), bundles, events)
        try:
            stored = self._store.read()
            self._versions = (stored.version, *versions(bundles))
            certificates = self._advance(stored, observed)
            if certificates is not None:
                self.leaf = None if certificates.leaf is None else certificates.leaf.certificate
                self._hand_over(certificates, observed)
        except ConflictError as error:
            events.append(Event(f"another replica was first: {error}"))
        except PkiError as error:
            events.append(Event(str(error), failed=True))
        return events

    def _advance(self, stored: StoredSet, observed: _Observation) -> CertificateSet | None:
        """Publish what has to be, take the next step, and return the certificates that are stored now."""
        certificates = stored.certificates
        step = self._decide(certificates, observed)
        if step is RotationStep.PUBLISH and certificates is not None:
            self._publish(certificates, observed)
            # What could not be published must not keep a certificate from being renewed.
            step = self._decide(certificates, observed)
        if step in {RotationStep.PUBLISH, RotationStep.WAIT}:
            return certificates
        certificates = perform(step, certificates, observed.at, self._plan)
        self._store.write(certificates, stored.version)
        observed.events.append(Event(_describe(step, certificates)))
        return certificates

    def _decide(self, certificates: CertificateSet | None, observed: _Observation) -> RotationStep:
        return decide(certificates, self._published(certificates, observed), observed.at, self._plan)

    def _published(self, certificates: CertificateSet | None, observed: _Observation) -> list[PublishedBundle]:
        """Return every bundle, with how long this process has seen the next CA in it without interruption."""
        successor, now = next_signer(certificates, observed.at), self._monotonic()
        published, since = [], {}
        for number, found in enumerate(observed.usable):
            if found is None:
                published.append(PublishedBundle(None))
                continue
            key = (number, "" if successor is None else fingerprint(successor))
            if successor is not None and all(successor in bundle for bundle in found.bundles):
                since[key] = self._since.get(key, now)
            seen_for = timedelta(seconds=now - since[key]) if key in since else None
            published += [PublishedBundle(bundle, seen_for) for bundle in found.bundles]
        self._since = since
        return published

    def _publish(self, certificates: CertificateSet, observed: _Observation) -> None:
        """Write every bundle that differs from what is wanted.

        One that cannot be written counts as unreadable for the next decision, but was seen; one that was written
        has to be read again.
        """
        trusted, dropped = certificates.trusted, certificates.dropped
        for number, (target, found) in enumerate(zip(self._targets, observed.usable, strict=True)):
            if found is None:
                continue
            bundles = tuple(wanted(trusted, dropped, one, observed.at) for one in found.bundles)
            if bundles == found.bundles:
                continue
            try:
                target.write(bundles, found.version)
                observed.events.append(Event(f"published the CA bundle in {target}"))
            except ConflictError:
                observed.events.append(Event(f"{target} changed meanwhile"))
            except PkiError as error:
                observed.events.append(Event(str(error), failed=True))
                observed.usable[number] = None
                continue
            observed.seen[number] = None

    def _hand_over(self, certificates: CertificateSet, observed: _Observation) -> None:
        if self._serving is None or certificates.leaf is None:
            return
        own = isinstance(self._store, DirectoryStore) and self._store.path == self._serving
        if not own and mirror(self._serving, certificates):
            observed.events.append(Event(f"took over the serving certificate into {self._serving}"))
        leaf = certificates.leaf.certificate
        verified = judge(observed.seen, (leaf,), observed.at)
        write_status(self._serving, fingerprint(leaf), verified, self._monotonic(), observed.at)


def _describe(step: RotationStep, certificates: CertificateSet) -> str:
    if certificates.leaf is None:
        return DONE[step]
    return f"{DONE[step]}, valid until {certificates.leaf.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def run(
    rotator: Rotator | CertificateObserver,
    stop: Flag,
    clock: Callable[[], datetime],
    report: Callable[[Event], None],
    interval: float = 60.0,
    look: float = LOOK,
) -> None:
    """Reconcile every `interval` seconds until `stop` is set, also after errors.

    Earlier after a failure, and when the versions, which are read every `look` seconds, have changed.
    """
    retry = FIRST_RETRY
    while True:
        failed = _reconcile(rotator, clock(), report)
        retry = retry * 2 if failed else FIRST_RETRY
        if _pause(rotator, stop, min(retry / 2, interval) if failed else interval, look):
            return


def _reconcile(rotator: Rotator | CertificateObserver, at: datetime, report: Callable[[Event], None]) -> bool:
    """Reconcile once and report what happened; return whether something failed."""
    failed = False
    try:
        for event in rotator.reconcile(at):
            failed |= event.failed
            report(event)
    except Exception as error:  # noqa: BLE001 - certificates expire if this loop ends
        failed = True
        report(Event(f"unexpected {type(error).__name__} while maintaining certificates", failed=True))
    return failed


def _pause(rotator: Rotator | CertificateObserver, stop: Flag, seconds: float, look: float) -> bool:
    """Wait until `stop` is set (True), or until so many seconds have passed or a version has changed (False)."""
    while True:
        wait = min(look, seconds)
        if stop.wait(wait):
            return True
        seconds -= wait
        if seconds <= 0 or rotator.has_news():
            return False
