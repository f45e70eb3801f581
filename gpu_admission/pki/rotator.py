"""Keeps certificates alive for years: look, decide, do one thing; again and again.

One process of each replica runs it. Replicas need no leader: whoever writes first has done the step,
the others find it done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gpu_admission.safe_files import FileReadError, read_small_file

from .authority import fingerprint
from .bundle import parse_bundle
from .directory_store import DirectoryStore, mirror
from .errors import ConflictError, PkiError
from .rotation import PublishedBundle, RotationPlan, RotationStep, decide, next_signer, perform, wanted
from .trust_status import judge, write_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path
    from threading import Event as Flag

    from cryptography import x509

    from .bundle import BundleState, CaBundleTarget
    from .certificate_set import CertificateSet, CertificateStore

FIRST_RETRY = 1.0  # seconds; doubled after each failure in a row
LOOK = 3.0  # seconds: while a caBundle is missing, calls fail
ROUNDS = 8  # the longest way from nothing to rest is three; a bound, should two writers quarrel

DONE = {
    RotationStep.CREATE: "made a new CA and serving certificate",
    RotationStep.RESTORE: "signed the serving certificate with a CA that a wrong clock had put aside",
    RotationStep.REISSUE: "issued a serving certificate in place of an unusable one",
    RotationStep.RENEW: "renewed the serving certificate",
    RotationStep.STAGE: "made the next CA, to be published before it signs anything",
    RotationStep.PROMOTE: "signed the serving certificate with the new CA",
    RotationStep.DROP: "dropped a CA whose last certificate has expired",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done, or that failed. The message is one line and holds no key."""

    message: str
    failed: bool = False


class Rotator:
    """Does the steps of `rotation` on a store, its targets and the serving directory.

    store         where the certificates are kept: a directory, or a Secret shared by replicas
    targets       where clients find the CA bundle; none if that is not our business
    serving       the directory the server reads from: the store's own, or another that then gets
                  tls.crt, tls.key and ca.crt, and never a CA's key
    monotonic     seconds that pass whatever is done to the clock; the same for all processes of the machine
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
        self.leaf: x509.Certificate | None = None  # what is served, as far as is known

    def reconcile(self, at: datetime) -> list[Event]:
        """Take steps until nothing is left to do now, or something fails. Raises nothing of ours."""
        events: list[Event] = []
        for _ in range(ROUNDS):
            news = self.step(at)
            events += news
            if not news or any(event.failed for event in news):
                break
        return events

    def has_news(self) -> bool:
        """Tell whether the store or a target holds another version than `reconcile` saw; cheap, and raises nothing.

        Each is asked, also before the first `reconcile`. Where that cannot be told there is no news: `reconcile` says
        what is wrong, in its own time.
        """
        return _has_changed(self._versions, (self._store, *self._targets))

    def step(self, at: datetime) -> list[Event]:
        """Do the one thing that is next, and tell about it; nothing to tell when nothing is to do.

        Errors of stores and targets come back as failed events; what is served stays.
        """
        events: list[Event] = []
        # What is published is read before the store: a CA is stored before it is published, so no CA
        # that another replica has just published can look unknown to us.
        observations = [_observe(target, events) for target in self._targets]
        seen = list(observations)
        try:
            stored = self._store.read()
            self._versions = (stored.version, *_versions(observations))
            step = self._decide(stored.certificates, observations, at)
            if step is RotationStep.PUBLISH and stored.certificates is not None:
                self._publish(stored.certificates, observations, seen, at, events)
                # What could not be published must not keep a certificate from being renewed.
                step = self._decide(stored.certificates, observations, at)
            certificates = stored.certificates
            if step not in {RotationStep.PUBLISH, RotationStep.WAIT}:
                certificates = perform(step, stored.certificates, at, self._plan)
                self._store.write(certificates, stored.version)
                events.append(Event(_describe(step, certificates)))
            if certificates is not None:
                self.leaf = None if certificates.leaf is None else certificates.leaf.certificate
                self._hand_over(certificates, seen, at, events)
        except ConflictError as error:
            events.append(Event(f"another replica was first: {error}"))
        except PkiError as error:
            events.append(Event(str(error), failed=True))
        return events

    def _decide(
        self, certificates: CertificateSet | None, observations: Sequence[BundleState | None], at: datetime
    ) -> RotationStep:
        return decide(certificates, self._published(certificates, observations, at), at, self._plan)

    def _published(
        self, certificates: CertificateSet | None, observations: Sequence[BundleState | None], at: datetime
    ) -> list[PublishedBundle]:
        """Say of every bundle how long this process has seen the next CA in it, without a break."""
        successor, now = next_signer(certificates, at), self._monotonic()
        published, since = [], {}
        for number, found in enumerate(observations):
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

    def _publish(
        self,
        certificates: CertificateSet,
        observations: list[BundleState | None],
        seen: list[BundleState | None],
        at: datetime,
        events: list[Event],
    ) -> None:
        """Write every bundle that is not as wanted.

        One that cannot be written is as good as one that cannot be read for what comes next, but it
        was seen; one that was written is to be seen again.
        """
        for number, (target, found) in enumerate(zip(self._targets, observations, strict=True)):
            if found is None:
                continue
            bundles = tuple(wanted(certificates.trusted, certificates.dropped, one, at) for one in found.bundles)
            if bundles == found.bundles:
                continue
            try:
                target.write(bundles, found.version)
                events.append(Event(f"published the CA bundle in {target}"))
                seen[number] = None
            except ConflictError:
                events.append(Event(f"{target} changed meanwhile"))
                seen[number] = None
            except PkiError as error:
                events.append(Event(str(error), failed=True))
                observations[number] = None

    def _hand_over(
        self, certificates: CertificateSet, seen: Sequence[BundleState | None], at: datetime, events: list[Event]
    ) -> None:
        if self._serving is None or certificates.leaf is None:
            return
        own = isinstance(self._store, DirectoryStore) and self._store.path == self._serving
        if not own and mirror(self._serving, certificates):
            events.append(Event(f"took over the serving certificate into {self._serving}"))
        leaf = certificates.leaf.certificate
        verified = judge(seen, (leaf,), at)
        write_status(self._serving, fingerprint(leaf), verified, self._monotonic(), at)


class CertificateObserver:
    """For certificates that others make and rotate, such as cert-manager: it only looks.

    targets       where clients find the CA bundle
    certificate   the chain that is served (a file, perhaps in a mounted Secret)
    status        a directory that may be written, where workers look for `trust_status.read_status`
    monotonic     as of `Rotator`
    """

    def __init__(
        self,
        targets: Sequence[CaBundleTarget],
        certificate: Path,
        status: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = tuple(targets)
        self._certificate = certificate
        self._status = status
        self._monotonic = monotonic
        self._versions: tuple[str, ...] = ()

    def reconcile(self, at: datetime) -> list[Event]:
        """Compare what is served with what is published, and leave the answer for the workers."""
        events: list[Event] = []
        observations = [_observe(target, events) for target in self._targets]
        self._versions = _versions(observations)
        try:
            chain = parse_bundle(read_small_file(self._certificate))
            if chain:
                verified = judge(observations, chain, at)
                write_status(self._status, fingerprint(chain[0]), verified, self._monotonic(), at)
        except FileReadError as error:
            events.append(Event(f"{self._certificate}: {error}", failed=True))
        except PkiError as error:
            events.append(Event(str(error), failed=True))
        return events

    def has_news(self) -> bool:
        """Tell whether a target holds another version than `reconcile` saw; as of `Rotator`."""
        return _has_changed(self._versions, self._targets)


def _versions(observations: Sequence[BundleState | None]) -> tuple[str, ...]:
    return tuple("" if found is None else found.version for found in observations)


def _has_changed(seen: tuple[str, ...], sources: Sequence[CertificateStore | CaBundleTarget]) -> bool:
    try:
        return tuple(source.version() for source in sources) != seen
    except PkiError:
        return False


def _observe(target: CaBundleTarget, events: list[Event]) -> BundleState | None:
    try:
        return target.read()
    except PkiError as error:
        events.append(Event(str(error), failed=True))
        return None


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
    """Let it work every `interval` seconds until `stop` is set, whatever happens.

    Sooner after a failure, and as soon as a look, every `look` seconds, shows that somebody else changed something.
    """
    retry = FIRST_RETRY
    while True:
        failed = False
        try:
            for event in rotator.reconcile(clock()):
                failed |= event.failed
                report(event)
        except Exception as error:  # noqa: BLE001 - certificates expire if this loop ends
            failed = True
            report(Event(f"unexpected {type(error).__name__} while maintaining certificates", failed=True))
        retry = retry * 2 if failed else FIRST_RETRY
        if _pause(rotator, stop, min(retry / 2, interval) if failed else interval, look):
            return


def _pause(rotator: Rotator | CertificateObserver, stop: Flag, seconds: float, look: float) -> bool:
    """Wait until it is time to end (True), or until so many seconds have passed or there is news (False)."""
    while True:
        wait = min(look, seconds)
        if stop.wait(wait):
            return True
        seconds -= wait
        if seconds <= 0 or rotator.has_news():
            return False
