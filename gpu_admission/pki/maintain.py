"""Keeping certificates alive for years: look, decide, do one thing; again and again.

One process of each replica runs it. Replicas need no leader: whoever writes first has done the step,
the others find it done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_admission.pki.authority import fingerprint
from gpu_admission.pki.bundle import parse_bundle
from gpu_admission.pki.directory import DirectoryStore, mirror
from gpu_admission.pki.errors import ConflictError, PkiError
from gpu_admission.pki.pair import read_small_file
from gpu_admission.pki.rotation import Plan, Published, Step, decide, perform, wanted
from gpu_admission.pki.status import judge, write_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path
    from threading import Event as Flag

    from gpu_admission.pki.material import Material
    from gpu_admission.pki.store import Found, Publication, Store

FIRST_RETRY = 1.0  # seconds; doubled after each failure in a row
ROUNDS = 8  # the longest way from nothing to rest is three; a bound, should two writers quarrel

DONE = {
    Step.CREATE: "made a new CA and serving certificate",
    Step.REISSUE: "issued a serving certificate in place of an unusable one",
    Step.RENEW: "renewed the serving certificate",
    Step.STAGE: "made the next CA, to be published before it signs anything",
    Step.PROMOTE: "signed the serving certificate with the new CA",
    Step.DROP: "dropped a CA whose last certificate has expired",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done, or that failed. The message is one line and holds no key."""

    message: str
    failed: bool = False


class Maintainer:
    """Does the steps of `rotation` on a store, its publications and the serving directory.

    store         where the material is kept: a directory, or a Secret shared by replicas
    publications  where clients find the CA bundle; none if that is not our business
    serving       the directory the server reads from: the store's own, or another that then gets
                  tls.crt, tls.key and ca.crt, and never a CA's key
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        *,
        publications: Sequence[Publication] = (),
        serving: Path | None = None,
    ) -> None:
        self._store = store
        self._plan = plan
        self._publications = tuple(publications)
        self._serving = serving
        self._since: dict[tuple[int, str], datetime] = {}

    def settle(self, at: datetime) -> list[Event]:
        """Take steps until nothing is left to do now, or something fails. Raises nothing of ours."""
        events: list[Event] = []
        for _ in range(ROUNDS):
            news = self.step(at)
            events += news
            if not news or any(event.failed for event in news):
                break
        return events

    def step(self, at: datetime) -> list[Event]:
        """Do the one thing that is next, and tell about it; nothing to tell when nothing is to do.

        Errors of stores and publications come back as failed events; what is served stays.
        """
        events: list[Event] = []
        # What is published is read before the store: a CA is stored before it is published, so no CA
        # that another replica has just published can look unknown to us.
        looks = [_look(publication, events) for publication in self._publications]
        seen = list(looks)
        try:
            stored = self._store.read()
            step = self._decide(stored.material, looks, at)
            if step is Step.PUBLISH and stored.material is not None:
                self._publish(stored.material, looks, seen, at, events)
                # What could not be published must not keep a certificate from being renewed.
                step = self._decide(stored.material, looks, at)
            material = stored.material
            if step not in {Step.PUBLISH, Step.WAIT}:
                material = perform(step, stored.material, at, self._plan)
                self._store.write(material, stored.version)
                events.append(Event(_describe(step, material)))
            if material is not None:
                self._hand_over(material, seen, at, events)
        except ConflictError as error:
            events.append(Event(f"another replica was first: {error}"))
        except PkiError as error:
            events.append(Event(str(error), failed=True))
        return events

    def _decide(self, material: Material | None, looks: Sequence[Found | None], at: datetime) -> Step:
        return decide(material, self._published(material, looks, at), at, self._plan)

    def _published(self, material: Material | None, looks: Sequence[Found | None], at: datetime) -> list[Published]:
        """Say of every bundle since when this process has seen the next CA in it, without a break."""
        successor = material.successor.certificate if material and material.successor else None
        published, since = [], {}
        for number, found in enumerate(looks):
            if found is None:
                published.append(Published(None))
                continue
            key = (number, "" if successor is None else fingerprint(successor))
            if successor is not None and all(successor in bundle for bundle in found.bundles):
                since[key] = self._since.get(key, at)
            published += [Published(bundle, since.get(key)) for bundle in found.bundles]
        self._since = since
        return published

    def _publish(
        self,
        material: Material,
        looks: list[Found | None],
        seen: list[Found | None],
        at: datetime,
        events: list[Event],
    ) -> None:
        """Write every bundle that is not as wanted.

        One that cannot be written is as good as one that cannot be read for what comes next, but it
        was seen; one that was written is to be seen again.
        """
        for number, (publication, found) in enumerate(zip(self._publications, looks, strict=True)):
            if found is None:
                continue
            bundles = tuple(wanted(material.trusted, material.dropped, one, at) for one in found.bundles)
            if bundles == found.bundles:
                continue
            try:
                publication.write(bundles, found.version)
                events.append(Event(f"published the CA bundle in {publication}"))
                seen[number] = None
            except ConflictError:
                events.append(Event(f"{publication} changed meanwhile"))
                seen[number] = None
            except PkiError as error:
                events.append(Event(str(error), failed=True))
                looks[number] = None

    def _hand_over(self, material: Material, seen: Sequence[Found | None], at: datetime, events: list[Event]) -> None:
        if self._serving is None or material.leaf is None:
            return
        own = isinstance(self._store, DirectoryStore) and self._store.path == self._serving
        if not own and mirror(self._serving, material):
            events.append(Event(f"took over the serving certificate into {self._serving}"))
        leaf = material.leaf.certificate
        verified = judge(seen, (leaf,), at)
        write_status(self._serving, fingerprint(leaf), verified, at)


class Observer:
    """For certificates that others make and rotate, such as cert-manager: it only looks.

    publications  where clients find the CA bundle
    certificate   the chain that is served (a file, perhaps in a mounted Secret)
    status        a directory that may be written, where workers look for `status.read_status`
    """

    def __init__(self, publications: Sequence[Publication], certificate: Path, status: Path) -> None:
        self._publications = tuple(publications)
        self._certificate = certificate
        self._status = status

    def settle(self, at: datetime) -> list[Event]:
        """Compare what is served with what is published, and leave the answer for the workers."""
        events: list[Event] = []
        looks = [_look(publication, events) for publication in self._publications]
        try:
            chain = parse_bundle(read_small_file(self._certificate))
            if chain:
                write_status(self._status, fingerprint(chain[0]), judge(looks, chain, at), at)
        except PkiError as error:
            events.append(Event(str(error), failed=True))
        return events


def _look(publication: Publication, events: list[Event]) -> Found | None:
    try:
        return publication.read()
    except PkiError as error:
        events.append(Event(str(error), failed=True))
        return None


def _describe(step: Step, material: Material) -> str:
    if material.leaf is None:
        return DONE[step]
    return f"{DONE[step]}, valid until {material.leaf.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def run(
    maintainer: Maintainer | Observer,
    stop: Flag,
    clock: Callable[[], datetime],
    report: Callable[[Event], None],
    interval: float = 60.0,
) -> None:
    """Let it work every `interval` seconds until `stop` is set, whatever happens; sooner after a failure."""
    retry = FIRST_RETRY
    while True:
        failed = False
        try:
            for event in maintainer.settle(clock()):
                failed |= event.failed
                report(event)
        except Exception as error:  # noqa: BLE001 - certificates expire if this loop ends
            failed = True
            report(Event(f"unexpected {type(error).__name__} while maintaining certificates", failed=True))
        retry = retry * 2 if failed else FIRST_RETRY
        if stop.wait(min(retry / 2, interval) if failed else interval):
            return
