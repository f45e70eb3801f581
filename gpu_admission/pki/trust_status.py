"""Whether the certificate served verifies against the published bundles: checked by one process, read by every worker.

The process that checks (a Kubernetes client costs half a second and tens of megabytes, too much for each worker) writes
the result into the serving directory. Only a recent "does not verify" about the certificate that a worker serves makes
it not ready; a missing result never does.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpu_admission.safe_files import FileReadError, read_small_file, write_atomically

from .authority import fingerprint
from .bundle import parse_bundle, verifies
from .errors import PkiError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

    from .bundle import BundleState, CaBundleTarget
    from .certificate_set import CertificateStore

NAME = "published.json"
RECENT = 600.0  # seconds
LATEST = 253402300800  # the year 10000, which no datetime holds


def judge(observations: Iterable[BundleState | None], chain: Sequence[x509.Certificate], at: datetime) -> bool | None:
    """Return whether a chain verifies against every bundle found.

    False if one bundle does not verify it (also one without any certificate: the API server refuses to
    call such a webhook); else None if a target could not be read (None among the observations), a bundle is
    blank or there is none; else True.
    """
    answers: list[bool | None] = []
    for found in observations:
        if found is None:
            answers.append(None)
            continue
        for bundle, blank in zip(found.bundles, found.blank, strict=True):
            answers.append(None if blank else verifies(bundle, chain, at))
    if False in answers:
        return False
    return True if answers and None not in answers else None


def write_status(directory: Path, leaf: str, verified: bool | None, now: float, at: datetime) -> None:
    """Write the result for a leaf (its fingerprint) for the workers; `now` is monotonic. Raises StoreError."""
    text = json.dumps({"leaf": leaf, "verifies": verified, "monotonic": now, "time": at.timestamp()})
    try:
        write_atomically(directory / NAME, text.encode() + b"\n", mode=0o644, follow=False)
    except OSError as error:
        raise StoreError(f"{directory / NAME}: {(error.strerror or 'failed').lower()}") from None


def read_status(directory: Path, leaf: str, now: float) -> bool | None:
    """Return the result for a leaf; None when there is none, or it is old or unreadable.

    `now` is monotonic: setting the clock does not change the age of a result.
    """
    found = _read(directory, now)
    answer = found.get("verifies") if found.get("leaf") == leaf else None
    return answer if isinstance(answer, bool) else None


def read_time(directory: Path, now: float) -> float | None:
    """Return the API server's time (Unix seconds), None where it was not recorded recently.

    Where our clock differs, the API server's counts: it is the one that verifies our certificate.
    """
    found = _read(directory, now)
    recorded = found.get("time")
    if not isinstance(recorded, int | float) or isinstance(recorded, bool) or not 0 <= recorded < LATEST:
        return None
    passed: float = now - found["monotonic"]
    return recorded + passed


def _read(directory: Path, now: float) -> dict[str, Any]:
    """Return what was written, empty where that is missing, old or unreadable."""
    try:
        found = json.loads(read_small_file(directory / NAME))
        return found if 0 <= now - found["monotonic"] <= RECENT else {}
    except (FileReadError, ValueError, TypeError, KeyError, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done, or that failed. The message is one line and holds no key."""

    message: str
    failed: bool = False


class CertificateObserver:
    """Checks certificates that others make and rotate, such as cert-manager; it changes nothing.

    targets       where clients find the CA bundle
    certificate   the chain that is served (a file, perhaps in a mounted Secret)
    status        a writable directory, for `write_status`
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
        """Compare what is served with what is published, and write the result for the workers."""
        events: list[Event] = []
        observations = [observe(target, events) for target in self._targets]
        self._versions = versions(observations)
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
        """Return whether a target has another version than `reconcile` saw; as of `Rotator`."""
        return has_changed(self._versions, self._targets)


def versions(observations: Sequence[BundleState | None]) -> tuple[str, ...]:
    """Return the version of each target, empty where it could not be read."""
    return tuple("" if found is None else found.version for found in observations)


def has_changed(seen: tuple[str, ...], sources: Sequence[CertificateStore | CaBundleTarget]) -> bool:
    """Return whether a store or target has another version than was seen; False where one cannot be read."""
    try:
        return tuple(source.version() for source in sources) != seen
    except PkiError:
        return False


def observe(target: CaBundleTarget, events: list[Event]) -> BundleState | None:
    """Read a target; where that fails, add a failed event and return None."""
    try:
        return target.read()
    except PkiError as error:
        events.append(Event(str(error), failed=True))
        return None
