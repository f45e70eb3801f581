"""The embedded default: the server's own CA and serving certificate, kept in a directory and renewed there."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_admission.pki.authority import is_valid
from gpu_admission.pki.directory_store import DirectoryStore, ensure
from gpu_admission.pki.rotation import RotationPlan
from gpu_admission.pki.rotator import Rotator
from gpu_admission.pki.subject_alt_names import merged, parse_name, serving_names
from gpu_admission.pki.trust_status import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gpu_admission.pki.directory_store import Serving

INTERVAL = 60.0  # seconds between checks whether something is due
WHILE_INVALID = 5.0  # the same while what is served is not valid by the clock, which may just have been set


class SelfSignedCertificate:
    """Makes the certificate at the start and renews it before it expires. Used in the arbiter only.

    ``san`` are further DNS names and IP addresses beside those of the service and of this machine. The interval is
    measured in ``monotonic`` seconds: the clock may be set at any time.
    """

    def __init__(
        self,
        directory: str,
        service: str,
        namespace: str,
        now: float,
        san: Iterable[str] = (),
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make what is missing; raises PkiError, whose message is one line for the user."""
        names = merged(serving_names(service, namespace), map(parse_name, san))
        path = Path(directory)
        jitter = random.random()  # noqa: S311 - only so that replicas do not renew in the same minute
        self.serving: Serving = ensure(path, names, datetime.fromtimestamp(now, UTC), jitter=jitter)
        self._rotator = Rotator(DirectoryStore(path), RotationPlan(names, jitter), monotonic=monotonic)
        self._rotator.leaf = self.serving.pair.certificate
        self._monotonic = monotonic
        self._looked = monotonic()

    def maintain(self, now: float) -> list[Event]:
        """Do what is due at ``now`` (Unix seconds), once a minute; the workers reload new files as any others."""
        at = datetime.fromtimestamp(now, UTC)
        leaf = self._rotator.leaf
        interval = INTERVAL if leaf is not None and is_valid(leaf, at) else WHILE_INVALID
        if self._monotonic() - self._looked < interval:
            return []
        self._looked = self._monotonic()
        try:
            return self._rotator.reconcile(at)
        except Exception as error:  # noqa: BLE001 - the arbiter must not end
            return [Event(f"unexpected {type(error).__name__} while maintaining the certificate", failed=True)]


def state_directory(environ: Mapping[str, str]) -> str:
    """Return the default directory of the certificate (XDG Base Directory Specification: state)."""
    own = environ.get("GPU_ADMISSION_STATE", "")
    if own:
        return own
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "gpu-admission")
